import { randomBytes, randomInt } from "node:crypto";

/** `bytes` bytes from the system's CSPRNG as base64url text: 16 bytes are 22 characters, 32 are 43. */
export function randomToken(bytes: number): string {
  return randomBytes(bytes).toString("base64url");
}

/** A uniform decimal code of exactly `digits` digits (1..14), leading zeros kept. */
export function randomDigits(digits: number): string {
  return String(randomInt(0, 10 ** digits)).padStart(digits, "0");
}

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The 62 digits of our base62 text, in ASCII order. */
export const base62Alphabet = BASE62;

/** `value` (big-endian bytes) as base62 text of a fixed `length`, left-padded with `0`. */
export function base62(value: Uint8Array, length: number): string {
  let rest = BigInt(`0x${Buffer.from(value).toString("hex") || "0"}`);
  let text = "";
  while (text.length < length) {
    text = BASE62.charAt(Number(rest % 62n)) + text;
    rest /= 62n;
  }
  return text;
}
