import { createHash, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
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

/** The shortest secret taken, in bytes. @see OWASP ASVS 5.0, 11.2.3. */
export const MIN_SECRET_BYTES = 32;

/**
 * Derives keys from `secrets` by HKDF-SHA256 (RFC 5869), one `info` label a purpose, so that no key serves two ends.
 * Each derived key is kept for the life of the ring: deriving costs nothing after the first time.
 *
 * @throws {ConfigError} when there is no secret, or one is under 32 bytes.
 */
export function createKeyRing(secrets: readonly (string | Uint8Array)[], option = "secret"): KeyRing {
  if (secrets.length === 0) throw new ConfigError(option, "give at least one secret of 32 bytes or more");
  for (const secret of secrets) {
    if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
      throw new ConfigError(option, `each secret needs at least ${MIN_SECRET_BYTES} bytes; make one with: openssl rand -base64 48`);
    }
  }
  const cache = new Map<string, readonly DerivedKey[]>();

  const all = (purpose: string): readonly DerivedKey[] => {
    let keys = cache.get(purpose);
    if (!keys) {
      keys = secrets.map((secret) => deriveKey(secret, purpose));
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

function deriveKey(secret: string | Uint8Array, purpose: string): DerivedKey {
  const derive = (info: string, length: number) => Buffer.from(hkdfSync("sha256", secret, "latchkey", info, length));
  return {
    id: createHash("sha256").update(derive("key id", 16)).digest("base64url").slice(0, 8),
    key: createSecretKey(derive(purpose, 32)),
  };
}
