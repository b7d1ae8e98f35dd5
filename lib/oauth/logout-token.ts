import { errors, jwtVerify, type JWTPayload } from "jose";
import type { Configuration } from "openid-client";
import type { LogoutToken } from "../core/strategy.ts";
import { RequestError } from "../errors.ts";
import type { OAuthClient } from "./client.ts";
import type { OidcProvider } from "./oidc-provider.ts";
import type { ProviderKeys } from "./provider-keys.ts";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
/** Seconds that a token counts after it was issued: it is sent at once. */
const MAX_AGE = 300;
const CLOCK_TOLERANCE = 5;

/** What the provider says of itself. */
interface Published {
  readonly discover: () => Promise<Configuration>;
  readonly keys: () => Promise<ProviderKeys>;
}

/**
 * Reads logout tokens of a provider: signature under its keys, issuer, audience, times, type, the logout event, and no nonce,
 * which would make it an ID token. Whether it was shown before is not asked here.
 *
 * @returns a function that rejects with a {@link RequestError} `invalid_logout_token`, or a `ProviderError` when the keys cannot be had.
 * @see OpenID Connect Back-Channel Logout 1.0, section 2.6.
 */
export function createLogoutTokenReader({ issuer, tenants }: OidcProvider, client: OAuthClient, { discover, keys }: Published) {
  const issuerOf = async (payload: JWTPayload) =>
    tenants ? tenants.issuerOf((await discover()).serverMetadata().issuer, payload) : issuer;

  return async function readLogoutToken(token: string): Promise<LogoutToken> {
    const { find, algorithms } = await keys();
    try {
      const { payload, protectedHeader } = await jwtVerify(token, find, {
        audience: client.clientId,
        algorithms: [...algorithms],
        requiredClaims: ["iss", "aud", "iat", "jti"],
        maxTokenAge: MAX_AGE,
        clockTolerance: CLOCK_TOLERANCE,
        currentDate: new Date(client.clock.now()),
      });
      assertType(protectedHeader.typ);
      const expected = await issuerOf(payload);
      if (payload.iss !== expected || expected === null) throw invalid(new Error("it is of another issuer"));
      return contentOf(expected, payload);
    } catch (error) {
      throw error instanceof errors.JOSEError ? invalid(error) : error;
    }
  };
}

/** One that says what it is must be this; `JWT` says nothing, and so do providers of before the final specification. @see section 2.4. */
function assertType(typ: string | undefined): void {
  const type = typ?.toLowerCase().replace(/^application\//, "");
  if (type !== undefined && type !== "logout+jwt" && type !== "jwt") throw invalid(new Error("it is a token of another type"));
}

function contentOf(issuer: string, { sub, sid, jti, iat = 0, events, nonce }: JWTPayload): LogoutToken {
  const event = typeof events === "object" && events !== null ? (events as Record<string, unknown>)[EVENT] : undefined;
  if (typeof event !== "object" || event === null) throw invalid(new Error("it is about no logout"));
  if (nonce !== undefined) throw invalid(new Error("it has a nonce"));
  const [subject, sessionId] = [nameIn(sub), nameIn(sid)];
  if (subject === null && sessionId === null) throw invalid(new Error("it names nobody"));
  if (typeof jti !== "string" || jti === "") throw invalid(new Error("it cannot be told from others"));
  return { issuer, subject, sessionId, tokenId: jti, issuedAt: iat * 1000, usableUntil: (iat + MAX_AGE + 2 * CLOCK_TOLERANCE) * 1000 };
}

/** @throws {RequestError} for what is there and no text. */
function nameIn(claim: unknown): string | null {
  if (claim === undefined) return null;
  if (typeof claim !== "string" || claim === "") throw invalid(new Error("a name in it is no text"));
  return claim;
}

function invalid(cause: Error): RequestError {
  return new RequestError("The logout token does not pass our checks", "invalid_logout_token", { cause });
}
