import { createHash, createSecretKey, hkdfSync, pbkdf2Sync, type KeyObject } from "node:crypto";
import { ConfigError } from "../errors.ts";

/** A key made from one secret for one purpose. `id` names the secret without telling anything of it. */
export interface DerivedKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** The application's secrets, and the keys made of them: the first signs and seals, all of them verify and open. */
export interface KeyRing {
  /** The key that signs for `purpose`. */
  current(purpose: string): DerivedKey;
  /** Every key that verifies for `purpose`, the current one first. */
  all(purpose: string): readonly DerivedKey[];
  /** The key of `purpose` whose id is `id`, or `null`. */
  find(purpose: string, id: string): DerivedKey | null;
}

/**
 * How keys are made of secrets: HKDF-SHA256 (RFC 5869), for secrets that are random; or PBKDF2-HMAC-SHA256 (RFC 8018) with 250,000 rounds,
 * for those that somebody made up, or where a policy asks for it. It takes about 70 ms of the process for each secret and purpose, once.
 */
export type KeyDerivation = "hkdf" | "pbkdf2";

/** The shortest secret taken, in bytes. @see OWASP ASVS 5.0, 11.2.3. */
export const MIN_SECRET_BYTES = 32;

/**
 * Derives keys from `secrets`, one label a purpose, so that no key serves two ends. Keys of the two derivations have other ids: what was
 * sealed under one names an unknown key under the other.
 * Each derived key is kept for the life of the ring: deriving costs nothing after the first time.
 *
 * @throws {ConfigError} when there is no secret, or one is under 32 bytes.
 */
export function createKeyRing(secrets: readonly (string | Uint8Array)[], option = "secret", derivation: KeyDerivation = "hkdf"): KeyRing {
  if (secrets.length === 0) throw new ConfigError(option, "give at least one secret of 32 bytes or more");
  for (const secret of secrets) {
    if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
      throw new ConfigError(option, `each secret needs at least ${MIN_SECRET_BYTES} bytes; make one with: openssl rand -base64 48`);
    }
  }
  const cache = new Map<string, readonly DerivedKey[]>();
  let ids: readonly string[] | null = null;

  const all = (purpose: string): readonly DerivedKey[] => {
    let keys = cache.get(purpose);
    if (!keys) {
      const known = (ids ??= secrets.map((secret) => keyId(secret, derivation)));
      keys = secrets.map((secret, index) => ({ id: known[index] as string, key: deriveKey(secret, purpose, derivation) }));
      cache.set(purpose, keys);
    }
    return keys;
  };

  return {
    all,
    current: (purpose) => all(purpose)[0] as DerivedKey,
    find: (purpose, id) => all(purpose).find((key) => key.id === id) ?? null,
  };
}

const ROUNDS = 250_000;

function deriveKey(secret: string | Uint8Array, purpose: string, derivation: KeyDerivation): KeyObject {
  return createSecretKey(derivation === "pbkdf2" ? slow(secret, purpose, 32) : expand(secret, purpose, 32));
}

/** Under PBKDF2 guesses of the secret must cost as much by its id as by its keys. */
function keyId(secret: string | Uint8Array, derivation: KeyDerivation): string {
  const key = derivation === "pbkdf2" ? slow(secret, "key id", 16) : expand(secret, "key id", 16);
  return createHash("sha256").update(key).digest("base64url").slice(0, 8);
}

function expand(secret: string | Uint8Array, info: string, length: number): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "latchkey", info, length));
}

function slow(secret: string | Uint8Array, purpose: string, length: number): Buffer {
  return pbkdf2Sync(secret, `latchkey ${purpose}`, ROUNDS, length, "sha256");
}
