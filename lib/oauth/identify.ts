import type { Identity, TokenSet } from "../core/strategy.ts";
import { systemClock, type Clock } from "../clock.ts";
import { ConfigError, ProviderError } from "../errors.ts";

/** Options of {@link identify}. */
export interface IdentifyOptions {
  /**
   * What the account is kept under beside the provider's name. Default: that name. Give the issuer of one of our strategies, such as
   * `https://accounts.google.com`, to find the accounts it made.
   */
  issuer?: string | undefined;
  /** Where the time comes from, for the tokens' expiry. Default: the machine's clock. */
  clock?: Clock | undefined;
}

/**
 * Passport types the user as the application's own, whatever that is; here it is always an {@link Identity},
 * which latchkey makes a user of. `never` lets every such callback pass.
 */
type Done = (error?: unknown, identity?: never) => void;

/** A Passport verify function, `(accessToken, refreshToken, params, profile, done)`, whose user is an {@link Identity}. */
export type IdentifyVerify = (accessToken: string, refreshToken: string, params: unknown, profile: unknown, done: Done) => void;

/**
 * A ready verify function for other people's Passport strategies: it makes an {@link Identity} of Passport's normalised profile and
 * the tokens, and decides nothing. Its five parameters are what passport-oauth2 counts in order to pass the token endpoint's reply;
 * with `passReqToCallback` it still works, without that reply. An address counts as verified only when its `verified` is the boolean true.
 *
 * @param provider the strategy's name, as in its path and on accounts.
 * @example new GoogleStrategy({ clientID, clientSecret, callbackURL, state: true, pkce: true }, identify("google"))
 */
export function identify(provider: string, { issuer = provider, clock = systemClock }: IdentifyOptions = {}): IdentifyVerify {
  if (typeof provider !== "string" || provider === "") throw new ConfigError("identify", 'give the strategy\'s name: identify("google")');

  return function identifyVerify(...args: [unknown, unknown, unknown, unknown, unknown]) {
    const done = args[4] as Done;
    const withRequest = typeof args[0] === "object" && args[0] !== null;
    const [accessToken, refreshToken, params] = withRequest ? [args[1], args[2], {}] : args;
    try {
      const identity = fromProfile(provider, issuer, args[3], tokenSet(accessToken, refreshToken, params, clock));
      done(null, identity as never);
    } catch (error) {
      done(error);
    }
  };
}

/** @see https://www.passportjs.org/reference/normalized-profile/ */
function fromProfile(provider: string, issuer: string, profile: unknown, tokens: TokenSet | null): Identity {
  const { id, displayName, username, emails, photos } = fields(profile);
  const subject = typeof id === "number" ? String(id) : id;
  if (typeof subject !== "string" || subject === "") throw new ProviderError("provider_error", "The provider did not say who this is");
  const addresses = list(emails).filter(({ value }) => typeof value === "string" && value !== "");
  const email = addresses.find(({ primary }) => primary === true) ?? addresses[0];
  return {
    provider,
    issuer,
    subject,
    email: text(email?.["value"]),
    emailVerified: email?.["verified"] === true,
    name: text(displayName) ?? text(username),
    image: text(list(photos)[0]?.["value"]),
    tokens,
    providerSessionId: null,
    authenticatedAt: null,
  };
}

function tokenSet(accessToken: unknown, refreshToken: unknown, params: unknown, clock: Clock): TokenSet | null {
  if (typeof accessToken !== "string" || accessToken === "") return null;
  const reply = fields(params);
  const at = (seconds: unknown) => (Number(seconds) > 0 ? clock.now() + Number(seconds) * 1000 : null);
  return {
    accessToken,
    refreshToken: text(refreshToken),
    idToken: text(reply["id_token"]),
    accessTokenExpiresAt: at(reply["expires_in"]),
    refreshTokenExpiresAt: at(reply["refresh_token_expires_in"]),
    scope: text(reply["scope"]),
  };
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
