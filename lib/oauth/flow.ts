import type { EndSession, Identity, LogoutToken, TokenSet } from "../core/strategy.ts";
import { randomToken } from "../crypto/random.ts";
import { sha256 } from "../crypto/hash.ts";
import { ProviderError } from "../errors.ts";
import type { Attempt } from "./attempts.ts";
import type { OAuthClient } from "./client.ts";
import { engineFailure } from "./failure.ts";

/** One provider's way through the authorization code grant. It keeps nothing between its steps: what it must remember is the attempt. */
export interface ProviderFlow {
  readonly client: OAuthClient;
  readonly issuer: string;
  /** See `ProviderStrategy`. */
  readonly sidIssuer: string | null;
  /** Where to send the browser. */
  begin(attempt: Attempt, scope: readonly string[], asking: Asking): Promise<URL>;
  /** Who came back with `parameters`. Rejects with one of our errors. */
  complete(attempt: Attempt, parameters: URLSearchParams): Promise<Identity>;
  /** See `ProviderStrategy`. */
  speaksFor(issuer: string): boolean;
  refresh(tokens: TokenSet): Promise<TokenSet>;
  endSessionUrl(logout: EndSession): Promise<string | null>;
  signsOutByFrame(): Promise<boolean>;
  readLogoutToken(token: string): Promise<LogoutToken>;
}

/** A new attempt: state and nonce of 256 bits, and a PKCE verifier of 43 characters. @see RFC 7636, section 4.1. */
export function newAttempt(callbackUrl: string, begunAt: number, { reauthenticate }: { reauthenticate: boolean }): Attempt {
  // The token request repeats the URL as the URL class writes it, so that is what the authorization request says too.
  const canonical = new URL(callbackUrl).href;
  return { state: randomToken(32), nonce: randomToken(32), codeVerifier: randomToken(32), callbackUrl: canonical, begunAt, reauthenticate };
}

/** What one sign-in asks for beside what all of them do. */
export interface Asking {
  /** As the option of the same name, which it goes before. */
  readonly prompt?: string | undefined;
  /** As the option of the same name, which it goes before. */
  readonly loginHint?: string | undefined;
}

/** What a provider does otherwise than RFC 6749 and RFC 7636 have it. */
export interface Deviations {
  /** Between scopes. Default: a space. */
  readonly scopeSeparator?: " " | "," | undefined;
  /** `refused`: it does not take PKCE's parameters, so state alone protects. Default: `used`. */
  readonly pkce?: "used" | "refused" | undefined;
  /** What it calls the parameters `prompt` and `login_hint` of OpenID Connect. Default: it knows neither; with OpenID Connect, both. */
  readonly asking?: { readonly [Each in keyof Asking]?: string } | undefined;
}

/** The parameters that every authorization request has. @see RFC 6749, section 4.1.1; RFC 7636, section 4.3. */
export function authorizationParameters(
  client: OAuthClient,
  attempt: Attempt,
  scope: readonly string[],
  asked: Asking,
  { scopeSeparator = " ", pkce = "used", asking = {} }: Deviations = {},
): Record<string, string> {
  const challenge = { code_challenge: sha256(attempt.codeVerifier).toString("base64url"), code_challenge_method: "S256" };
  return {
    ...client.authorizationParameters,
    ...(asking.prompt !== undefined && asked.prompt !== undefined ? { [asking.prompt]: asked.prompt } : {}),
    ...(asking.loginHint !== undefined && asked.loginHint !== undefined ? { [asking.loginHint]: asked.loginHint } : {}),
    redirect_uri: attempt.callbackUrl,
    response_type: "code",
    state: attempt.state,
    ...(pkce === "used" ? challenge : {}),
    ...(scope.length === 0 ? {} : { scope: scope.join(scopeSeparator) }),
    ...(client.responseMode === "form_post" ? { response_mode: "form_post" } : {}),
    // RFC 9449, section 10: the code is worth nothing without the key either.
    ...(client.dpop === null ? {} : { dpop_jkt: client.dpop.jkt }),
  };
}

/** The callback's URL as openid-client wants it: the attempt's own, never one made of the request's headers. */
export function callbackWith(attempt: Attempt, parameters: URLSearchParams): URL {
  const url = new URL(attempt.callbackUrl);
  url.search = parameters.toString();
  return url;
}

/** The refresh token, or the error that a provider would give for none. */
export function refreshTokenOf({ refreshToken }: TokenSet): string {
  if (refreshToken === null) throw new ProviderError("invalid_grant", "The provider gave no refresh token");
  return refreshToken;
}

/**
 * Runs an engine's step, so that only our own errors leave it, without `secrets` in them, whatever the provider says. The step may add to
 * them, as it gets to know more.
 */
export async function checked<T>(step: (secrets: (string | null)[]) => Promise<T>, secrets: (string | null)[] = []): Promise<T> {
  try {
    return await step(secrets);
  } catch (error) {
    throw engineFailure(
      error,
      secrets.filter((secret) => secret !== null),
    );
  }
}

/** What tokens, given or got, must not tell a log. */
export function tokensOf(tokens: Pick<TokenSet, "accessToken" | "refreshToken" | "idToken">): (string | null)[] {
  return [tokens.accessToken, tokens.refreshToken, tokens.idToken];
}

/** What a sign-in must not tell a log. */
export function secretsOf(
  { clientSecret }: OAuthClient,
  { codeVerifier, nonce, state }: Attempt,
  answer?: URLSearchParams,
): (string | null)[] {
  return [clientSecret, codeVerifier, nonce, state, answer?.get("code") ?? null];
}
