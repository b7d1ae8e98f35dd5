import { constantTimeEqual, hmacSha256 } from "../crypto/hash.ts";
import type { DerivedKey, KeyRing } from "../crypto/key-ring.ts";
import { randomToken } from "../crypto/random.ts";
import type { RecordKey } from "../storage/record-store.ts";

/** All that is kept of a session's refresh tokens: each of them can be made of it and a key, and none without the key. */
export interface RefreshState {
  /** The number of the latest one, from 1. */
  readonly n: number;
  /** The family's own: 16 random bytes, base64url. */
  readonly seed: string;
  /** Names the key that the latest was made with. */
  readonly keyId: string;
  /** Unix ms at which the latest was first made. */
  readonly rotatedAt: number;
}

export interface ParsedRefreshToken {
  /** Where the session rests. */
  readonly key: RecordKey;
  readonly n: number;
  readonly body: Buffer;
  readonly mac: Buffer;
}

/**
 * A refresh token is `owner tag (16) | sid (16) | n (4) | HMAC (32)`, base64url: 91 characters. The HMAC-SHA256 is of all before it and
 * the seed on the session's record, so that the same number always gives the same token, for who has key and record.
 */
export interface RefreshTokenText {
  /** The state of a session that never was refreshed. */
  begin(now: number): RefreshState;
  /** The state after a refresh, under the newest key. */
  next(state: RefreshState, now: number): RefreshState;
  /** The latest token; `null` when the secret of its key was removed. */
  write(key: RecordKey, state: RefreshState): string | null;
  /** The parts of what has the form of one. */
  parse(text: string): ParsedRefreshToken | null;
  /** Whether a token was made here for the family of `seed`, under any key that we have. */
  isAuthentic(token: ParsedRefreshToken, seed: string): boolean;
}

const TAG = 16;
const BODY = TAG + 16 + 4;
const MAC = 32;
const TEXT_LENGTH = Math.ceil(((BODY + MAC) * 4) / 3);
const PURPOSE = "refresh token";

export function createRefreshTokenText(keys: KeyRing): RefreshTokenText {
  const macOf = ({ key }: DerivedKey, body: Buffer, seed: string) => hmacSha256(key, Buffer.concat([body, Buffer.from(seed, "base64url")]));

  return {
    begin: (now) => ({ n: 1, seed: randomToken(16), keyId: keys.current(PURPOSE).id, rotatedAt: now }),
    next: ({ n, seed }, now) => ({ n: n + 1, seed, keyId: keys.current(PURPOSE).id, rotatedAt: now }),

    write({ partition, id }, { n, seed, keyId }) {
      const key = keys.find(PURPOSE, keyId);
      if (!key) return null;
      const number = Buffer.alloc(4);
      number.writeUInt32BE(n);
      const body = Buffer.concat([Buffer.from(partition, "base64url"), Buffer.from(id, "base64url"), number]);
      return Buffer.concat([body, macOf(key, body, seed)]).toString("base64url");
    },

    parse(text) {
      if (text.length !== TEXT_LENGTH) return null;
      const bytes = Buffer.from(text, "base64url");
      if (bytes.length !== BODY + MAC || bytes.toString("base64url") !== text) return null;
      const body = bytes.subarray(0, BODY);
      const partition = body.subarray(0, TAG).toString("base64url");
      const id = body.subarray(TAG, BODY - 4).toString("base64url");
      return { key: { partition, id }, n: body.readUInt32BE(BODY - 4), body, mac: bytes.subarray(BODY) };
    },

    isAuthentic: ({ body, mac }, seed) => keys.all(PURPOSE).some((key) => constantTimeEqual(macOf(key, body, seed), mac)),
  };
}
