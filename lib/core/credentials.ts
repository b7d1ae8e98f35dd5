import { CredentialError, type AuthError } from "../errors.ts";
import { looksLikeJwt } from "./access-token-claims.ts";
import type { AccessTokens } from "./access-tokens.ts";
import { looksLikeApiKey, type ApiKeys } from "./api-keys.ts";
import { accessTokenContext, apiKeyContext, sessionContext, type AuthContext } from "./context.ts";
import type { RequestSource } from "./events.ts";
import type { Session, Sessions } from "./sessions.ts";
import { looksLikeSessionToken } from "./session-token.ts";

/** What a request shows to prove who makes it: explicit in the Authorization header, or ambient in our cookies. */
export type Credential = { readonly kind: "bearer" | "cookie" | "access_cookie"; readonly token: string };

/** What came of a credential. */
export interface ResolvedCredential {
  readonly context: AuthContext;
  /** The cookie's text under the newest secret, when an older one signed what was presented. */
  readonly resign: string | null;
}

/**
 * Turns credentials into contexts. A session or an API key costs one store read; an access token, and what is misshapen or forged, none.
 * A bearer is never tried as a cookie, nor a cookie as a bearer.
 */
export interface Credentials {
  /** The context of a credential that is known to be good, to the letter, without asking or waiting for anything; `null`: {@link Credentials.resolve} it. */
  seen(credential: Credential): AuthContext | null;
  /**
   * `source` is asked for only where it matters.
   * @throws {AuthError} `invalid_token` and the like when it does not hold; {@link StorageError} when nobody can tell.
   */
  resolve(credential: Credential, source: () => RequestSource): Promise<ResolvedCredential>;
}

export interface CredentialsParts {
  readonly sessions: Sessions;
  readonly apiKeys: ApiKeys;
  /** `null`: switched off. */
  readonly accessTokens: AccessTokens | null;
  /** The prefix of API keys, such as `sk-`. */
  readonly apiKeyPrefix: string;
  /** Scopes that every user session has. */
  readonly sessionScopes: ReadonlySet<string>;
}

export function createCredentials({ sessions, apiKeys, accessTokens, apiKeyPrefix, sessionScopes }: CredentialsParts): Credentials {
  const bySession = async (token: string, transport: Session["transport"]): Promise<ResolvedCredential> => {
    const { session, resign, failure } = await sessions.resolve(token);
    if (!session) throw failure;
    if (session.transport !== transport) throw wrongTransport(session.transport);
    sessions.touch(session);
    return { context: sessionContext(session, sessionScopes), resign };
  };

  const byAccessToken = async (token: string): Promise<ResolvedCredential> => {
    if (!accessTokens) throw new CredentialError("invalid_token", "Access tokens are switched off");
    return { context: accessTokenContext(await accessTokens.verify(token)), resign: null };
  };

  const byBearer = async (token: string, source: () => RequestSource): Promise<ResolvedCredential> => {
    // With `await`, as handing on a promise that is not awaited takes two turns more.
    if (looksLikeApiKey(token, apiKeyPrefix))
      return { context: apiKeyContext(await apiKeys.authenticate(token, { source: source() })), resign: null };
    if (looksLikeSessionToken(token)) return await bySession(token, "token");
    if (accessTokens && looksLikeJwt(token)) return await byAccessToken(token);
    throw new CredentialError("invalid_token", "The bearer token is none of ours");
  };

  return {
    seen({ kind, token }) {
      const proven = kind === "cookie" ? null : accessTokens?.seen(token);
      if (proven) return accessTokenContext(proven);
      if (kind === "access_cookie" || !looksLikeSessionToken(token)) return null;
      const session = sessions.seen(token);
      if (session?.transport !== (kind === "cookie" ? "session" : "token")) return null;
      sessions.touch(session);
      return sessionContext(session, sessionScopes);
    },

    // Not async: what these promise needs no turn more to be handed on.
    resolve: ({ kind, token }, source) =>
      kind === "cookie" ? bySession(token, "session") : kind === "access_cookie" ? byAccessToken(token) : byBearer(token, source),
  };
}

function wrongTransport(transport: Session["transport"]): AuthError {
  return new CredentialError(
    "invalid_token",
    transport === "session" ? "This session travels in its cookie only" : "This session travels in the Authorization header only",
  );
}
