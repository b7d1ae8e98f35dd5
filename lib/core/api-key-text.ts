import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { ownerTag, sha256 } from "../crypto/hash.ts";
import { base62 } from "../crypto/random.ts";
import { ConfigError } from "../errors.ts";

/**
 * The text of an API key: `prefix | id (22) | owner tag (22) | secret (43) | CRC32 (6)`, the last four base62 of fixed width.
 * It is never decoded: id and tag are used as they stand. The checksum is no proof of anything; it tells typing errors
 * and garbage from keys without asking the store.
 */
export interface ApiKeyTexts {
  /** A new key of the owner with this tag. */
  issue(tag: string): IssuedKeyText;
  /** What a well-formed key names; `null` for anything else. */
  parse(text: string): ParsedKeyText | null;
}

export interface ParsedKeyText {
  /** The owner's tag: the partition of the record. */
  readonly tag: string;
  readonly id: string;
  /** SHA-256 of the whole key. */
  readonly hash: Buffer;
}

export interface IssuedKeyText extends ParsedKeyText {
  readonly key: string;
  /** The characters by which the owner recognises it. */
  readonly keyPrefix: string;
}

const ID = 22;
const TAG = 22;
const SECRET = 43;
const CHECKSUM = 6;
const WIDTH = ID + TAG + SECRET + CHECKSUM;
const SHOWN = 9;

/** @throws {ConfigError} when `prefix` is not 1 to 12 of letters, digits, `_`, `-` and `.`. */
export function createApiKeyTexts(prefix: string): ApiKeyTexts {
  if (typeof prefix !== "string" || !/^[\w.-]{1,12}$/.test(prefix)) {
    throw new ConfigError("apiKeys.prefix", 'give 1 to 12 letters, digits, "_", "-" or ".", such as "sk-"');
  }
  const exact = new RegExp(`^${apiKeyPattern(prefix).source}$`);
  const checksum = (body: string) => base62(uint32(crc32(body)), CHECKSUM);

  return {
    issue(tag) {
      const id = base62(randomBytes(16), ID);
      const body = `${prefix}${id}${tag}${base62(randomBytes(32), SECRET)}`;
      const key = body + checksum(body);
      return { key, id, tag, hash: sha256(key), keyPrefix: key.slice(0, prefix.length + SHOWN) };
    },
    parse(text) {
      if (text.length !== prefix.length + WIDTH || !exact.test(text)) return null;
      const end = text.length - CHECKSUM;
      if (checksum(text.slice(0, end)) !== text.slice(end)) return null;
      const start = prefix.length;
      return { id: text.slice(start, start + ID), tag: text.slice(start + ID, start + ID + TAG), hash: sha256(text) };
    },
  };
}

/** Finds keys with this prefix in any text: for secret scanners, which want its `source`. */
export function apiKeyPattern(prefix = "sk-"): RegExp {
  return new RegExp(`${prefix.replaceAll(".", String.raw`\.`)}[0-9A-Za-z]{${WIDTH}}`);
}

/** Whether text has the prefix and the length of an API key; says nothing of its worth. */
export function looksLikeApiKey(text: string, prefix: string): boolean {
  return text.length === prefix.length + WIDTH && text.startsWith(prefix);
}

/** The partition of an owner's keys: the bytes of the owner tag, in the alphabet of keys. */
export function apiKeyTag(userId: string): string {
  return base62(Buffer.from(ownerTag(userId), "base64url"), TAG);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
