import { createPrivateKey, createPublicKey, KeyObject, type JsonWebKey } from "node:crypto";
import { importPKCS8, importSPKI, SignJWT } from "jose";
import * as openid from "openid-client";
import { assertOptions } from "../check-options.ts";
import type { Clock } from "../clock.ts";
import type { ProofKey } from "../core/strategy.ts";
import { sha256 } from "../crypto/hash.ts";
import { randomToken } from "../crypto/random.ts";
import { ConfigError, ProviderError } from "../errors.ts";
import { invalidResponse } from "./failure.ts";

/** What signs proofs, by the name that providers know it by. */
export type DPoPAlgorithm = "ES256" | "ES384" | "ES512" | "EdDSA" | "Ed25519" | "RS256" | "PS256";

/** A key that the provider's tokens are bound to. */
export interface DPoPOptions {
  /**
   * The application's own, one for all its processes: PEM, a JWK or a `KeyObject`, of a P-256, P-384, P-521, Ed25519 or RSA key. In PEM a
   * `\n` written out, as environments hold it, counts as a line's end.
   */
  readonly privateKey: string | JsonWebKey | KeyObject | undefined;
  /** How the key signs, where it leaves a choice. Default: as its curve says, `ES256` of P-256; `EdDSA` of Ed25519; `RS256` of RSA. */
  readonly alg?: DPoPAlgorithm | undefined;
}

/** {@link DPoPOptions}, checked: what makes proofs, for openid-client's requests and for others. */
export interface DPoP extends ProofKey {
  /**
   * What openid-client's requests take as their last argument. It remembers the provider's nonces, and repeats a request once for a new one.
   * Rejects with a `ProviderError`, `invalid_provider_response`, when the provider's metadata says that it takes no such proofs.
   */
  asOptions(config: openid.Configuration): Promise<openid.DPoPOptions>;
}

/** What a key of 2048 bits or more can do, and smaller ones should not. */
const MIN_RSA_BITS = 2048;

/**
 * Demonstrating Proof of Possession: each request for tokens, and each with one, carries a JWT about it that the key signs.
 * @param option names the option, for messages.
 * @throws {ConfigError} when the key cannot be read, is a public one, or does not sign by `alg`.
 * @see RFC 9449.
 */
export function createDPoP(option: string, options: DPoPOptions, clock: Clock): DPoP {
  assertOptions(option, options, ["privateKey", "alg"]);
  const key = readKey(`${option}.privateKey`, options.privateKey);
  const alg = algorithmFor(option, key, options.alg);
  const publicKey = createPublicKey(key);
  const jwk = publicKey.export({ format: "jwk" });
  const now = () => Math.floor(clock.now() / 1000);

  const openHandle = async (config: openid.Configuration): Promise<openid.DPoPHandle> => {
    const pair = {
      privateKey: await importPKCS8(key.export({ type: "pkcs8", format: "pem" }).toString(), alg),
      publicKey: await importSPKI(publicKey.export({ type: "spki", format: "pem" }).toString(), alg, { extractable: true }),
    };
    return openid.getDPoPHandle(config, pair, {
      [openid.modifyAssertion](header, payload) {
        // openid-client knows Ed25519 by one of its two names.
        header["alg"] = alg;
        payload["iat"] = now();
      },
    });
  };
  let handle: Promise<openid.DPoPHandle> | undefined;

  return {
    jkt: thumbprintOf(jwk),

    async asOptions(config) {
      const taken: unknown = config.serverMetadata().dpop_signing_alg_values_supported;
      if (Array.isArray(taken) && !taken.includes(alg)) {
        const cause = new Error(
          `the provider takes DPoP proofs by ${taken.join(", ")}: give ${option} a key or an alg of those, not ${alg}`,
        );
        throw new ProviderError("invalid_provider_response", "The provider does not take our kind of proof", { cause });
      }
      // Nothing of the configuration but its clock skew, which we set ourselves, is read for it.
      return { DPoP: await (handle ??= openHandle(config)) };
    },

    async proof({ method, url, accessToken, nonce }) {
      const said = new URL(url);
      return await new SignJWT({
        htm: method.toUpperCase(),
        htu: `${said.origin}${said.pathname}`,
        ath: sha256(accessToken).toString("base64url"),
        ...(typeof nonce === "string" ? { nonce } : {}),
      })
        .setProtectedHeader({ alg, typ: "dpop+jwt", jwk: { kty: "", ...jwk } })
        .setJti(randomToken(16))
        .setIssuedAt(now())
        .sign(key);
    },
  };
}

/** The last argument of openid-client's requests: no proofs without a key. */
export async function proofsOf(dpop: DPoP | null, config: openid.Configuration): Promise<openid.DPoPOptions> {
  return dpop === null ? {} : await dpop.asOptions(config);
}

/**
 * The key that a reply's access token is bound to. RFC 9449, section 5, leaves it to the client whether it discards a bearer token that it
 * gets in spite of its proof: this one always does, as whoever sets a key relies on it.
 *
 * @throws {ProviderError} `invalid_provider_response`: a bearer token for a proof, or a bound one for none.
 */
export function bindingOf(dpop: DPoP | null, { token_type }: { readonly token_type: string }): { readonly jkt?: string } {
  const bound = token_type.toLowerCase() === "dpop";
  if (dpop !== null && !bound)
    throw invalidResponse(new Error(`the provider gives a token of type "${token_type}", not bound to our key (DPoP)`));
  if (dpop === null && bound)
    throw invalidResponse(new Error("the provider gives a token bound to a key (DPoP): set the option dpop for that"));
  return dpop === null ? {} : { jkt: dpop.jkt };
}

function readKey(option: string, given: unknown): KeyObject {
  if (given === undefined || given === null || given === "")
    throw new ConfigError(option, "is missing: set it to a private key of your own");
  const key = parseKey(given);
  if (key?.type === "public")
    throw new ConfigError(option, "is a public key: give the private one, the provider gets the other by each proof");
  // Neither the key nor what was said of it may reach a log.
  if (key?.type !== "private") throw new ConfigError(option, "is no private key: give it as PEM, as a JWK or as a KeyObject");
  return key;
}

/** `null` for what is no key at all. */
function parseKey(given: unknown): KeyObject | null {
  if (given instanceof KeyObject) return given;
  if (typeof given !== "string" && typeof given !== "object") return null;
  const source = typeof given === "string" ? given.replaceAll("\\n", "\n") : ({ key: given as JsonWebKey, format: "jwk" } as const);
  for (const read of [createPrivateKey, createPublicKey]) {
    try {
      return read(source);
    } catch {
      // Not of that kind.
    }
  }
  return null;
}

const CURVES: Readonly<Record<string, DPoPAlgorithm>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };

function algorithmFor(option: string, key: KeyObject, wanted: DPoPAlgorithm | undefined): DPoPAlgorithm {
  const fits = algorithmsOf(key);
  const [first] = fits;
  if (!first)
    throw new ConfigError(
      `${option}.privateKey`,
      `is of a kind that signs no proofs: give a P-256 key, or an RSA one of ${MIN_RSA_BITS} bits`,
    );
  if (wanted !== undefined && !fits.includes(wanted))
    throw new ConfigError(`${option}.alg`, `does not go with the key: leave it out, or give ${fits.map((alg) => `"${alg}"`).join(" or ")}`);
  return wanted ?? first;
}

/** None for a key that signs nothing, or too little. */
function algorithmsOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): readonly DPoPAlgorithm[] {
  if (type === "rsa") return (details?.modulusLength ?? 0) >= MIN_RSA_BITS ? ["RS256", "PS256"] : [];
  if (type === "ed25519") return ["EdDSA", "Ed25519"];
  const byCurve = type === "ec" ? CURVES[details?.namedCurve ?? ""] : undefined;
  return byCurve === undefined ? [] : [byCurve];
}

/** Of a public key's JWK, which has no members but those that count. @see RFC 7638, section 3. */
function thumbprintOf(jwk: JsonWebKey): string {
  const members = Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify(Object.fromEntries(members))).toString("base64url");
}
