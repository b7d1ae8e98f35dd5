import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from "node:crypto";
import { StorageError } from "../errors.ts";
import type { KeyRing } from "./key-ring.ts";

const VERSION = "v1";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals and opens text under keys of one purpose; what is sealed for one `context` opens under no other. */
export interface Sealer {
  seal(plain: string, context: string): string;
  /** @throws {StorageError} when the key id is unknown (a configuration fault) or the text does not authenticate. */
  open(sealed: string, context: string): string;
}

/**
 * AES-256-GCM with a random 96-bit nonce and the whole 16-byte tag. Sealed text is `v1.keyId.base64url(nonce|ciphertext|tag)`;
 * purpose, context, version and key id are authenticated with it, so it cannot be moved to another place or relabelled.
 *
 * @see NIST SP 800-38D, for the nonce and tag lengths.
 */
export function createSealer(keys: KeyRing, purpose: string): Sealer {
  const aad = (keyId: string, context: string) => Buffer.from(JSON.stringify([VERSION, purpose, keyId, context]));

  return {
    seal(plain, context) {
      const { id, key } = keys.current(purpose);
      return `${VERSION}.${id}.${sealBytes(key, Buffer.from(plain), aad(id, context)).toString("base64url")}`;
    },

    open(sealed, context) {
      const [version, id, body] = sealed.split(".");
      if (version !== VERSION || !id || !body) throw new StorageError("A sealed value is malformed");
      const key = keys.find(purpose, id);
      if (!key) throw new StorageError("A sealed value names an unknown key: put its secret back into `encryptionKeys` or `secret`");
      try {
        return openBytes(key.key, Buffer.from(body, "base64url"), aad(id, context)).toString();
      } catch (cause) {
        throw new StorageError("A sealed value could not be opened", { cause });
      }
    },
  };
}

/** What sealing adds to the length of bytes: nonce and tag. */
export const SEAL_OVERHEAD = NONCE_BYTES + TAG_BYTES;

/** Seals bytes by AES-256-GCM under a random 96-bit nonce: nonce, ciphertext, 16-byte tag. `aad` is authenticated with them. */
export function sealBytes(key: KeyObject, plain: Uint8Array, aad: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** What {@link sealBytes} sealed. @throws when it was cut short or changed, or belongs to another key or `aad`. */
export function openBytes(key: KeyObject, sealed: Uint8Array, aad: Uint8Array): Buffer {
  if (sealed.length < SEAL_OVERHEAD) throw new RangeError("Sealed bytes were cut short");
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
