import { createPrivateKey, createPublicKey, createSecretKey, KeyObject, type JsonWebKey } from "node:crypto";
import { assertOptions } from "../check-options.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { ConfigError } from "../errors.ts";

/** How a key signs. One key, one algorithm. @see RFC 7518 section 3.1, and RFC 8037 for EdDSA (Ed25519 alone). */
export type SigningAlgorithm = "EdDSA" | "ES256" | "RS256" | "HS256";

/** A key of the application's own, for access tokens. */
export interface SigningKey {
  /** Names the key in tokens, 1 to 64 letters, digits, `.`, `_`, `-`. Never give one name to two keys, not even one after the other. */
  kid: string;
  alg: SigningAlgorithm;
  /**
   * A private key signs and verifies, a public one verifies alone: PEM text, a JWK or a `KeyObject`. For HS256 a secret of 32 bytes
   * or more. RS256 needs 2048 bits.
   */
  key: string | JsonWebKey | KeyObject;
}

/** A key as it is used. */
interface Key {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** `null` for a key that verifies only. */
  readonly sign: KeyObject | null;
  readonly verify: KeyObject;
}

/** The keys of access tokens: the first signs, all of them verify. */
export interface Keyset {
  readonly signing: Key & { readonly sign: KeyObject };
  /** The key of that name; `null` for any other. */
  find(kid: unknown): Key | null;
  /** The public keys, for who verifies elsewhere; a secret is never among them. @see RFC 7517 section 5. */
  readonly jwks: { readonly keys: readonly Readonly<JsonWebKey & { kid: string; alg: string; use: "sig" }>[] };
}

const PURPOSE = "access token ed25519 seed";
/** PKCS#8 of an Ed25519 key up to its seed. @see RFC 8410 section 7. */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const MIN_RSA_BITS = 2048;
const MIN_SECRET_BYTES = 32;

/**
 * The keys that options give; without any, an Ed25519 key from each secret of the ring, so that all processes agree.
 * To rotate, add the new key as the last, move it first when every process knows it, drop the old one when its last token is over.
 *
 * @throws {ConfigError} for a key that does not fit its algorithm, is too short, or whose name is not its own; when the first cannot sign.
 */
export function createKeyset(ring: KeyRing, own: readonly SigningKey[] | null = null): Keyset {
  const keys = own ? own.map(readKey) : ring.all(PURPOSE).map(({ id, key }) => derived(id, key));
  const byId = new Map(keys.map((key) => [key.kid, key]));
  if (byId.size < keys.length) throw new ConfigError(OPTION, "give each key a `kid` of its own");
  const [first] = keys;
  if (!first?.sign) throw new ConfigError(OPTION, "give a key that can sign, a private one or a secret, as the first");
  return {
    signing: { ...first, sign: first.sign },
    find: (kid) => (typeof kid === "string" ? (byId.get(kid) ?? null) : null),
    jwks: {
      keys: keys
        .filter(({ verify }) => verify.type === "public")
        .map(({ kid, alg, verify }) => ({ ...verify.export({ format: "jwk" }), kid, alg, use: "sig" as const })),
    },
  };
}

const OPTION = "tokens.keys";

function derived(kid: string, seed: KeyObject): Key {
  const sign = createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed.export()]), format: "der", type: "pkcs8" });
  return { kid, alg: "EdDSA", sign, verify: createPublicKey(sign) };
}

function readKey(given: SigningKey): Key {
  assertOptions(OPTION, given, ["kid", "alg", "key"]);
  const { kid, alg, key } = given;
  if (typeof kid !== "string" || !/^[\w.-]{1,64}$/.test(kid))
    throw new ConfigError(OPTION, "give each key a `kid` of 1 to 64 letters, digits, `.`, `_`, `-`");
  if (!ALGORITHMS.includes(alg)) throw new ConfigError(OPTION, `give the key "${kid}" an \`alg\` out of ${ALGORITHMS.join(", ")}`);
  const read = alg === "HS256" ? secretOf(kid, key) : asymmetric(kid, key);
  const misfit = misfitOf(alg, read);
  if (misfit) throw new ConfigError(OPTION, `the key "${kid}" must be ${misfit}`);
  return { kid, alg, sign: read.type === "public" ? null : read, verify: read.type === "private" ? createPublicKey(read) : read };
}

const ALGORITHMS: readonly SigningAlgorithm[] = ["EdDSA", "ES256", "RS256", "HS256"];

function secretOf(kid: string, key: SigningKey["key"]): KeyObject {
  if (key instanceof KeyObject) return key;
  // The text of a key pair would make a secret that half the world knows.
  if (typeof key === "string" && !key.includes("-----BEGIN")) return createSecretKey(Buffer.from(key));
  if (typeof key === "object" && key?.kty === "oct" && typeof key.k === "string") return createSecretKey(Buffer.from(key.k, "base64url"));
  throw new ConfigError(OPTION, `the key "${kid}" must be a secret: text, a JWK of type "oct" or a KeyObject`);
}

function asymmetric(kid: string, key: SigningKey["key"]): KeyObject {
  if (key instanceof KeyObject) return key;
  try {
    if (typeof key === "string") return key.includes("PRIVATE KEY-----") ? createPrivateKey(key) : createPublicKey(key);
    return key.d === undefined ? createPublicKey({ key, format: "jwk" }) : createPrivateKey({ key, format: "jwk" });
  } catch (cause) {
    throw new ConfigError(OPTION, `the key "${kid}" must be a private or a public key: PEM text, a JWK or a KeyObject`, cause);
  }
}

/** What a key must be for an algorithm; `null` when it is. */
function misfitOf(alg: SigningAlgorithm, key: KeyObject): string | null {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  switch (alg) {
    case "HS256":
      return key.type === "secret" && (key.symmetricKeySize ?? 0) >= MIN_SECRET_BYTES
        ? null
        : `a secret of ${MIN_SECRET_BYTES} bytes or more`;
    case "EdDSA":
      return type === "ed25519" ? null : "an Ed25519 key";
    case "ES256":
      return type === "ec" && details?.namedCurve === "prime256v1" ? null : "a P-256 key";
    case "RS256":
      return type === "rsa" && (details?.modulusLength ?? 0) >= MIN_RSA_BITS ? null : `an RSA key of ${MIN_RSA_BITS} bits or more`;
  }
}
