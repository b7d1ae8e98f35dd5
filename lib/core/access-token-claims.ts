import {
  compactVerify,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
} from "jose";
import type { KeyObject } from "node:crypto";
import { deepFreeze } from "../deep-freeze.ts";
import { NO_SCOPES, sharedScopes } from "./scopes.ts";
import { CredentialError, type AuthError } from "../errors.ts";

/** What a token says, once it proved true. Frozen, as many requests share it. */
export interface AccessToken {
  readonly userId: string;
  /** The public id of the session behind it. */
  readonly sessionId: string;
  readonly sessionType: string;
  readonly tenantId: string | null;
  readonly roles: readonly string[];
  readonly scopes: ReadonlySet<string>;
  /** Unix ms of the last real authentication; `null` when the token does not say. */
  readonly authenticatedAt: number | null;
  readonly methods: readonly string[];
  /** Unix ms. */
  readonly expiresAt: number;
  /** All claims, also those of the application's own. */
  readonly claims: Readonly<JWTPayload>;
}

/** What a token must be to count. */
export interface ExpectedToken {
  readonly issuer: string;
  readonly audience: string;
  /** Where the time is read. */
  readonly now: number;
}

/** Seconds that clocks of two machines may lie apart. */
export const LEEWAY = 5;
/** @see RFC 9068 section 2.1. */
export const TOKEN_TYPE = "at+jwt";
/** Keys that a token brings itself are the forger's own. @see RFC 8725 section 3.10. */
const FOREIGN_KEYS = ["jku", "jwk", "x5u", "x5c"] as const;
/** Ours are always encoded, and never critical. @see RFC 7797 section 3. */
const REFUSED = ["crit", "b64", ...FOREIGN_KEYS] as const;
const REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti", "sid"];
const MAX_LENGTH = 8192;

/** Whether text has the form of a JWT; says nothing of its worth. */
export function looksLikeJwt(text: string): boolean {
  return text.length <= MAX_LENGTH && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

/**
 * The header of a token that {@link looksLikeJwt}, which may only name a key of ours.
 * @throws {CredentialError} `invalid_token`.
 */
export function headerOf(token: string): Partial<JWTHeaderParameters> {
  try {
    const header = decodeProtectedHeader(token);
    if (REFUSED.every((name) => header[name] === undefined) && isCanonical(token)) return header;
  } catch {
    // refused below
  }
  throw invalidToken("The access token is none of ours");
}

/**
 * Checks signature, type, issuer, audience, times and claims. `algorithms` are the key's own, never what the header says.
 * @throws {CredentialError} `invalid_token`; errors of ours from a `key` that is a function, as they are.
 * @see RFC 9068 section 4, and RFC 8725 section 3.
 */
export async function verifyToken(
  token: string,
  key: KeyObject | JWTVerifyGetKey,
  algorithms: string[],
  { issuer, audience, now }: ExpectedToken,
): Promise<AccessToken> {
  const options = {
    issuer,
    audience,
    algorithms,
    typ: TOKEN_TYPE,
    requiredClaims: REQUIRED,
    clockTolerance: LEEWAY,
    currentDate: new Date(now),
  };
  try {
    const { payload } = await (typeof key === "function" ? jwtVerify(token, key, options) : jwtVerify(token, key, options));
    return contentOf(payload, now);
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) throw invalidToken("The access token has expired", cause);
    if (cause instanceof errors.JOSEError || cause instanceof TypeError) throw invalidToken("The access token does not hold", cause);
    throw cause;
  }
}

/** Whether the signature's bits that decode to nothing are zero: one token has one text. @see RFC 4648 section 3.5. */
function isCanonical(token: string): boolean {
  const length = token.length - token.lastIndexOf(".") - 1;
  // What is left of the last three bytes takes as many characters; none stands for less than a byte.
  const last = token.slice(-(length % 4 || 4));
  return length % 4 !== 1 && Buffer.from(last, "base64url").toString("base64url") === last;
}

/**
 * Checks signature, type, issuer and audience alone, for who looks at the rest step by step.
 * @throws {CredentialError} `invalid_token`.
 */
export async function verifyTokenSignature(
  token: string,
  key: KeyObject,
  algorithms: string[],
  { issuer, audience }: Pick<ExpectedToken, "issuer" | "audience">,
): Promise<Readonly<JWTPayload>> {
  try {
    const { payload, protectedHeader } = await compactVerify(token, key, { algorithms });
    const claims: unknown = JSON.parse(Buffer.from(payload).toString());
    const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, "");
    if (type === TOKEN_TYPE && isClaims(claims) && claims.iss === issuer && [claims.aud].flat().includes(audience)) {
      return deepFreeze(claims);
    }
  } catch (cause) {
    throw invalidToken("The access token does not hold", cause);
  }
  throw invalidToken("The access token does not hold");
}

export function isClaims(value: unknown): value is JWTPayload {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function invalidToken(message: string, cause?: unknown): AuthError {
  return new CredentialError("invalid_token", message, { cause });
}

function contentOf(claims: JWTPayload, now: number): AccessToken {
  const { sub, sid, type, styp, tenant, roles, scope, auth_time: authTime, amr, iat = 0, exp = 0, jti } = claims;
  const proper =
    [sub, sid, jti].every(isText) &&
    type === "access" &&
    (tenant === undefined || isText(tenant)) &&
    (styp === undefined || isText(styp)) &&
    (scope === undefined || typeof scope === "string") &&
    (roles === undefined || areTexts(roles)) &&
    (amr === undefined || areTexts(amr)) &&
    (authTime === undefined || Number.isFinite(authTime)) &&
    iat <= now / 1000 + LEEWAY;
  if (!proper) throw invalidToken("The access token does not hold");
  return Object.freeze({
    userId: sub as string,
    sessionId: sid as string,
    sessionType: (styp as string | undefined) ?? "full",
    tenantId: (tenant as string | undefined) ?? null,
    roles: Object.freeze((roles as string[] | undefined) ?? []),
    scopes: scope ? sharedScopes((scope as string).split(" ").filter(Boolean)) : NO_SCOPES,
    authenticatedAt: authTime === undefined ? null : (authTime as number) * 1000,
    methods: Object.freeze((amr as string[] | undefined) ?? []),
    expiresAt: exp * 1000,
    claims: deepFreeze(claims),
  });
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}
