import { createHash } from "node:crypto";
import { compactVerify } from "jose";
import type { IDToken } from "openid-client";
import { constantTimeEqual } from "../crypto/hash.ts";
import { AuthError, ProviderError } from "../errors.ts";
import type { OAuthClient } from "./client.ts";
import { invalidResponse } from "./failure.ts";
import type { OidcProvider } from "./oidc-provider.ts";
import { toSubject } from "./profile.ts";
import type { ProviderKeys } from "./provider-keys.ts";

/** Seconds that a provider's clock may be ahead of ours. */
const AHEAD = 300;
/** Seconds that it may differ from ours where a time is a bound. */
const CLOCK_TOLERANCE = 30;

/** The keys could not be had, which says nothing of what they are to check. Its code is that of what went wrong. */
export class KeysUnavailable extends ProviderError {
  constructor({ code, message, cause, retryAfter }: AuthError) {
    super(code, message, { cause, ...(retryAfter === undefined ? {} : { retryAfter }) });
  }
}

/** A token endpoint's reply whose ID token openid-client found to be for us. */
interface CheckedReply {
  readonly access_token: string;
  readonly id_token?: string | undefined;
  claims(): IDToken | undefined;
}

/**
 * What openid-client leaves open of an ID token: that it is of now, by the client's clock; its signature, by the published keys or, of a provider that does it so, by the client
 * secret; the access token that it was given out with, where it names one; and for whom it was made.
 *
 * @returns a function that resolves to the claims, to `null` without an ID token. It rejects with a `ProviderError`, one of
 *   them {@link KeysUnavailable}.
 * @see OpenID Connect Core 1.0, sections 3.1.3.7 and 3.1.3.8.
 */
export function createIdTokenCheck({ idTokenAlgorithm }: OidcProvider, client: OAuthClient, keys: () => Promise<ProviderKeys>) {
  const verify = async (idToken: string): Promise<string> => {
    try {
      if (idTokenAlgorithm) {
        const secret = Buffer.from(client.clientSecret ?? "");
        return (await compactVerify(idToken, secret, { algorithms: [idTokenAlgorithm] })).protectedHeader.alg;
      }
      const { algorithms, fresh } = await keys();
      const { protectedHeader } = await fresh((find) => compactVerify(idToken, find, { algorithms: [...algorithms] }));
      return protectedHeader.alg;
    } catch (error) {
      throw error instanceof AuthError ? new KeysUnavailable(error) : invalidResponse(error);
    }
  };

  return async function checkIdToken(reply: CheckedReply): Promise<IDToken | null> {
    const claims = reply.claims();
    if (!claims || reply.id_token === undefined) return null;
    const algorithm = await verify(reply.id_token);
    const { sub, azp, at_hash } = claims;
    assertOfNow(claims, client.clock.now());
    toSubject(sub);
    if (azp !== undefined && azp !== client.clientId) throw invalidResponse(new Error("the ID token was made for another client"));
    if (at_hash !== undefined && !isHashOf(at_hash, reply.access_token, algorithm))
      throw invalidResponse(new Error("the ID token came with another access token"));
    return claims;
  };
}

/**
 * Whether the person was authenticated at `since` or later (both Unix ms), as an ID token that was checked has it.
 * @throws {ProviderError} `invalid_provider_response`.
 */
export function assertAuthenticatedSince({ auth_time: at }: IDToken, since: number): void {
  if (typeof at !== "number" || (at + CLOCK_TOLERANCE) * 1000 < since)
    throw invalidResponse(new Error("the person was not authenticated again"));
}

/** `exp` and `iat` are there and numbers: openid-client saw to it. */
function assertOfNow({ exp, iat, nbf }: IDToken, now: number): void {
  if ((exp + CLOCK_TOLERANCE) * 1000 <= now) throw invalidResponse(new Error("the ID token has expired"));
  if (typeof nbf === "number" && (nbf - CLOCK_TOLERANCE) * 1000 > now) throw invalidResponse(new Error("the ID token is not valid yet"));
  if ((iat - AHEAD) * 1000 > now) throw invalidResponse(new Error("the ID token is of the future"));
}

/** @see OpenID Connect Core 1.0, section 3.1.3.6. */
function isHashOf(hash: unknown, accessToken: string, algorithm: string): boolean {
  const bits = /(?:256|384|512)$/.exec(algorithm)?.[0] ?? "512"; // Ed25519 hashes by SHA-512
  const digest = createHash(`sha${bits}`).update(accessToken).digest();
  return typeof hash === "string" && constantTimeEqual(hash, digest.subarray(0, digest.length / 2).toString("base64url"));
}
