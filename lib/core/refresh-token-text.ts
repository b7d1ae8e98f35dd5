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
  /** Since when access tokens are of the present generation, and since when of the one before. */
  readonly generations: Generations;
}

/**
 * When the generations of a session's access tokens began, Unix ms. The first refresh begins one; those that follow within the grace join it,
 * as parallel tabs and repeated requests are no reason to call each other's tokens stale.
 */
export interface Generations {
  readonly current: number;
  readonly previous: number;
}

export interface ParsedRefreshToken {
  /** Where the session rests. */
  readonly key: RecordKey;
  readonly n: number;
  readonly body: Buffer;
  readonly mac: Buffer;
}

/**
 * A refresh token is `owner tag (16) | sid (16) | n (4) | HMAC (32) | form (16)`, base64url: 112 characters. The HMAC-SHA256 is of all before
 * it and the seed on the session's record, so that the same number always gives the same token, for who has key and record. The form is
 * the beginning of another one, of all before it: what was not made here is told without asking the store.
 */
export interface RefreshTokenText {
  /** The state of a session that never was refreshed. */
  begin(now: number): RefreshState;
  /** The state after a refresh, under the newest key. `grace`: seconds for which refreshes join one generation. */
  next(state: RefreshState, now: number, grace: number): RefreshState;
  /** The latest token; `null` when the secret of its key was removed. */
  write(key: RecordKey, state: RefreshState): string | null;
  /** The parts of what was made here, under any key that we have, whatever became of it; `null` for all else. */
  parse(text: string): ParsedRefreshToken | null;
  /** Whether a token is of the family of `seed`. */
  isAuthentic(token: ParsedRefreshToken, seed: string): boolean;
}

const TAG = 16;
const BODY = TAG + 16 + 4;
const MAC = 32;
const FORM = 16;
const TEXT_LENGTH = Math.ceil(((BODY + MAC + FORM) * 4) / 3);
const PURPOSE = "refresh token";
const FORM_PURPOSE = "refresh token form";

export function createRefreshTokenText(keys: KeyRing): RefreshTokenText {
  const macOf = ({ key }: DerivedKey, body: Buffer, seed: string) => hmacSha256(key, Buffer.concat([body, Buffer.from(seed, "base64url")]));
  const formOf = ({ key }: DerivedKey, made: Buffer) => hmacSha256(key, made).subarray(0, FORM);

  return {
    begin: (now) => ({
      ...{ n: 1, seed: randomToken(16), keyId: keys.current(PURPOSE).id, rotatedAt: now },
      generations: { current: now, previous: now },
    }),
    next: ({ n, seed, generations }, now, grace) => ({
      ...{ n: n + 1, seed, keyId: keys.current(PURPOSE).id, rotatedAt: now },
      generations: generations.current + grace * 1000 < now ? { current: now, previous: generations.current } : generations,
    }),

    write({ partition, id }, { n, seed, keyId }) {
      const key = keys.find(PURPOSE, keyId);
      const formKey = keys.find(FORM_PURPOSE, keyId);
      if (!key || !formKey) return null;
      const number = Buffer.alloc(4);
      number.writeUInt32BE(n);
      const body = Buffer.concat([Buffer.from(partition, "base64url"), Buffer.from(id, "base64url"), number]);
      const made = Buffer.concat([body, macOf(key, body, seed)]);
      return Buffer.concat([made, formOf(formKey, made)]).toString("base64url");
    },

    parse(text) {
      if (text.length !== TEXT_LENGTH) return null;
      const bytes = Buffer.from(text, "base64url");
      if (bytes.length !== BODY + MAC + FORM || bytes.toString("base64url") !== text) return null;
      const made = bytes.subarray(0, BODY + MAC);
      if (!keys.all(FORM_PURPOSE).some((key) => constantTimeEqual(formOf(key, made), bytes.subarray(BODY + MAC)))) return null;
      const body = bytes.subarray(0, BODY);
      const partition = body.subarray(0, TAG).toString("base64url");
      const id = body.subarray(TAG, BODY - 4).toString("base64url");
      return { key: { partition, id }, n: body.readUInt32BE(BODY - 4), body, mac: made.subarray(BODY) };
    },

    isAuthentic: ({ body, mac }, seed) => keys.all(PURPOSE).some((key) => constantTimeEqual(macOf(key, body, seed), mac)),
  };
}
