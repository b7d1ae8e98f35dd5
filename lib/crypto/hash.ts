import { createHmac, hash, timingSafeEqual, type KeyObject } from "node:crypto";

/** SHA-256 of text (UTF-8) or bytes, 32 bytes. */
export function sha256(data: string | Uint8Array): Buffer {
  return hash("sha256", data, "buffer");
}

/** HMAC-SHA256, 32 bytes. */
export function hmacSha256(key: KeyObject, data: string | Uint8Array): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

/** Equality whose time does not depend on where two texts or byte strings differ. Unequal lengths are unequal at once. */
export function constantTimeEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const left = typeof a === "string" ? Buffer.from(a) : a;
  const right = typeof b === "string" ? Buffer.from(b) : b;
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * The tag under which everything of one owner (a user or guest id) is kept together: the first 16 bytes of its SHA-256,
 * as 22 base64url characters. It is a partition name and part of public session ids, never a secret.
 */
export function ownerTag(ownerId: string): string {
  return sha256(ownerId).subarray(0, 16).toString("base64url");
}
