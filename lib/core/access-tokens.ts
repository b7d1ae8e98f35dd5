import { SignJWT } from "jose";
import type { Clock } from "../clock.ts";
import { randomToken } from "../crypto/random.ts";
import { ConfigError } from "../errors.ts";
import {
  headerOf,
  invalidToken,
  isClaims,
  looksLikeJwt,
  TOKEN_TYPE,
  verifyToken,
  verifyTokenSignature,
  type AccessToken,
} from "./access-token-claims.ts";
import type { Keyset } from "./keyset.ts";
import type { Session } from "./sessions.ts";
import type { OwnClaims, TokensConfig } from "./token-options.ts";
import { createVerifiedTokens } from "./verified-tokens.ts";

export type { AccessToken } from "./access-token-claims.ts";

/** An access token as it is given to a client. */
export interface IssuedAccessToken {
  readonly token: string;
  /** Unix ms. */
  readonly expiresAt: number;
}

export interface IssueOptions {
  /** Granted scopes. Default: those of `session.scopes`. */
  readonly scope?: readonly string[] | undefined;
  /**
   * Whom it is for. Default: `tokens.audience`. A token for an API that somebody else runs names that API alone: then neither our own routes
   * nor our guards take it, whoever shows it. @see RFC 8707 section 2, RFC 9068 section 4.
   */
  readonly audience?: string | undefined;
  /**
   * Further claims of the application's own; those that we set cannot be replaced. Default: those of `tokens.claims`; none in a token for
   * another audience.
   */
  readonly claims?: OwnClaims | undefined;
}

/**
 * Access tokens: JWTs of 15 minutes that say who asks, so that a guarded request reads no store. Ending a session ends its refresh
 * tokens at once and its access tokens at their expiry; a route that cannot wait asks for `live`.
 */
export interface AccessTokens {
  /**
   * A token for a session, which it never outlives. No store.
   * @throws {ConfigError} for a guest's session, an `audience` that is no text, or claims that replace ours, are none, or make it too long to
   *   be taken; what `tokens.claims` throws.
   */
  issue(session: Session, options?: IssueOptions): Promise<IssuedAccessToken>;
  /** What a token says that was verified before and is not over; `null` for any other. No store, no crypto, no waiting. */
  seen(token: string): AccessToken | null;
  /** What a token says. No store; no crypto for one that was verified before and is not over. @throws {CredentialError} `invalid_token`. */
  verify(token: string): Promise<AccessToken>;
  /**
   * The claims of a token of ours: its signature, type, issuer and audience hold. Times, purpose and all else are left to the caller, such
   * as the steps of `latchkey/pipeline`. No store. @throws {CredentialError} `invalid_token`.
   */
  verifySignature(token: string): Promise<Readonly<Record<string, unknown>>>;
  /** The public keys, as `/.well-known/jwks.json` serves them. */
  readonly jwks: Keyset["jwks"];
}

export interface AccessTokensParts {
  readonly keyset: Keyset;
  readonly clock: Clock;
  readonly config: {
    readonly issuer: string;
    readonly audience: string;
    /** Seconds. */
    readonly accessTtl: number;
    readonly scopes: ReadonlySet<string>;
    /** Default: none. */
    readonly claims?: TokensConfig["claims"];
  };
}

/** Claims that we set. */
const OURS = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "type", "styp", "tenant", "roles", "scope", "auth_time", "amr"];

export function createAccessTokens({ keyset, clock, config }: AccessTokensParts): AccessTokens {
  const { issuer, audience, accessTtl, claims: claimsOf } = config;
  const verified = createVerifiedTokens(clock);

  /** The key that a token names. @throws {CredentialError} `invalid_token`. */
  const keyOf = (token: string) => {
    if (!looksLikeJwt(token)) throw invalidToken("This is not an access token of ours");
    const key = keyset.find(headerOf(token).kid);
    if (!key) throw invalidToken("The access token is none of ours");
    return key;
  };

  return {
    jwks: keyset.jwks,

    async issue(session, { scope = [...config.scopes], audience: aud = audience, claims: given } = {}) {
      if (session.kind === "guest") throw new ConfigError("accessTokens.issue", "a guest is nobody: give a user's session");
      if (typeof aud !== "string" || aud === "") throw new ConfigError("accessTokens.issue.audience", "give what names one API");
      const option = given === undefined ? "tokens.claims" : "accessTokens.issue.claims";
      const claims: unknown = given ?? (aud === audience && claimsOf ? await claimsOf(session) : {});
      if (!isClaims(claims)) throw new ConfigError(option, "give claims by name");
      const taken = Object.keys(claims).find((name) => OURS.includes(name));
      if (taken) throw new ConfigError(`${option}.${taken}`, "is set by us: use another name");
      const { signing } = keyset;
      const now = Math.floor(clock.now() / 1000);
      const exp = Math.floor(Math.min(clock.now() + accessTtl * 1000, session.expiresAt) / 1000);
      const token = await new SignJWT({
        ...claims,
        iss: issuer,
        aud,
        sub: session.userId,
        iat: now,
        nbf: now,
        exp,
        jti: randomToken(16),
        sid: session.id,
        type: "access",
        styp: session.type,
        ...(session.tenantId === null ? {} : { tenant: session.tenantId }),
        roles: session.roles,
        ...(scope.length === 0 ? {} : { scope: scope.join(" ") }),
        auth_time: Math.floor(session.authenticatedAt / 1000),
        amr: session.methods,
      })
        .setProtectedHeader({ alg: signing.alg, typ: TOKEN_TYPE, kid: signing.kid })
        .sign(signing.sign);
      if (!looksLikeJwt(token)) throw new ConfigError("accessTokens.issue", "the token is too long to be taken: give it fewer claims");
      return { token, expiresAt: exp * 1000 };
    },

    seen: verified.get,

    async verify(token) {
      const known = verified.get(token);
      if (known) return known;
      const key = keyOf(token);
      return verified.remember(token, await verifyToken(token, key.verify, [key.alg], { issuer, audience, now: clock.now() }));
    },

    async verifySignature(token) {
      const key = keyOf(token);
      return await verifyTokenSignature(token, key.verify, [key.alg], { issuer, audience });
    },
  };
}
