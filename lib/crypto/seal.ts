import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
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
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(aad(id, context));
      const body = Buffer.concat([nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `${VERSION}.${id}.${body.toString("base64url")}`;
    },

    open(sealed, context) {
      const [version, id, body] = sealed.split(".");
      if (version !== VERSION || !id || !body) throw new StorageError("A sealed value is malformed");
      const key = keys.find(purpose, id);
      if (!key) throw new StorageError("A sealed value names an unknown key: put its secret back into `encryptionKeys` or `secret`");
      try {
        const bytes = Buffer.from(body, "base64url");
        const decipher = createDecipheriv("aes-256-gcm", key.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
        decipher.setAAD(aad(id, context));
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
        return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
      } catch (cause) {
        throw new StorageError("A sealed value could not be opened", { cause });
      }
    },
  };
}
