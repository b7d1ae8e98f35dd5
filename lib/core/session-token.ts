import { randomBytes } from "node:crypto";
import { constantTimeEqual, hmacSha256, sha256 } from "../crypto/hash.ts";
import type { KeyRing } from "../crypto/key-ring.ts";

/**
 * A session token is `owner tag (16) | sid (16) | secret (32) | MAC (16)`, base64url: 107 characters. The MAC is HMAC-SHA256,
 * cut to 128 bits, of all before it, under a key made from the application's secret: what was not made here is refused before
 * anything is asked of the store. The tag and sid find the record; the record holds only SHA-256 of the secret, so that a dump opens nothing.
 */
export interface SessionTokens {
  /** A new token for a new sid of `tag`, or with `sid` a new secret for an existing one. */
  issue(tag: string, sid?: string): IssuedToken;
  /** What an authentic token names; `null` for anything else. Remembers what it verified, so a token seen lately costs no crypto. */
  parse(text: string): ParsedToken | null;
  /** The text of a verified token under the ring's first key, for a cookie that a later key signed. */
  resign(text: string): string;
}

export interface IssuedToken {
  readonly token: string;
  readonly sid: string;
  readonly secretHash: Buffer;
}

export interface ParsedToken {
  /** The owner's tag: the partition of the session. */
  readonly tag: string;
  readonly sid: string;
  /** The public id. */
  readonly id: string;
  readonly secretHash: Buffer;
  /** Whether the first key of the ring signed it; if not, it is due to be sent again. */
  readonly current: boolean;
}

const TAG = 16;
const SID = 16;
const SECRET = 32;
const MAC = 16;
const BODY = TAG + SID + SECRET;
const TEXT_LENGTH = Math.ceil(((BODY + MAC) * 4) / 3);
const PURPOSE = "session token";
/** Remembered tokens at once: two generations of this many, about 10 MB when full. */
const GENERATION = 8192;

export function createSessionTokens(keys: KeyRing): SessionTokens {
  let young = new Map<string, ParsedToken>();
  let old = new Map<string, ParsedToken>();

  const remember = (text: string, parsed: ParsedToken) => {
    if (young.size >= GENERATION) {
      old = young;
      young = new Map();
    }
    young.set(text, parsed);
    return parsed;
  };

  const sign = (body: Buffer) => Buffer.concat([body, hmacSha256(keys.current(PURPOSE).key, body).subarray(0, MAC)]).toString("base64url");

  const verify = (text: string): ParsedToken | null => {
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length !== BODY + MAC || bytes.toString("base64url") !== text) return null;
    const body = bytes.subarray(0, BODY);
    const mac = bytes.subarray(BODY);
    const signer = keys.all(PURPOSE).findIndex(({ key }) => constantTimeEqual(hmacSha256(key, body).subarray(0, MAC), mac));
    if (signer < 0) return null;
    return remember(text, {
      tag: body.subarray(0, TAG).toString("base64url"),
      sid: body.subarray(TAG, TAG + SID).toString("base64url"),
      id: body.subarray(0, TAG + SID).toString("base64url"),
      secretHash: sha256(body.subarray(TAG + SID)),
      current: signer === 0,
    });
  };

  return {
    issue(tag, sid) {
      const random = randomBytes(SID + SECRET);
      const id = sid === undefined ? random.subarray(0, SID) : Buffer.from(sid, "base64url");
      const secret = random.subarray(SID);
      const body = Buffer.concat([Buffer.from(tag, "base64url"), id, secret]);
      return { token: sign(body), sid: sid ?? id.toString("base64url"), secretHash: sha256(secret) };
    },
    parse(text) {
      if (text.length !== TEXT_LENGTH) return null;
      return young.get(text) ?? promote(text) ?? verify(text);
    },
    resign: (text) => sign(Buffer.from(text, "base64url").subarray(0, BODY)),
  };

  function promote(text: string): ParsedToken | undefined {
    const parsed = old.get(text);
    if (parsed) remember(text, parsed);
    return parsed;
  }
}

/** Whether text has the length of a session token; says nothing of its worth. */
export function looksLikeSessionToken(text: string): boolean {
  return text.length === TEXT_LENGTH;
}

/** The public id of a session, safe to show and to put in a URL: base64url(tag | sid), 43 characters. */
export function publicSessionId(tag: string, sid: string): string {
  return Buffer.concat([Buffer.from(tag, "base64url"), Buffer.from(sid, "base64url")]).toString("base64url");
}

/** The partition and record id behind a public id; `null` when it is none. */
export function parseSessionId(id: string): { partition: string; id: string } | null {
  const bytes = Buffer.from(id, "base64url");
  if (bytes.length !== TAG + SID || bytes.toString("base64url") !== id) return null;
  return { partition: bytes.subarray(0, TAG).toString("base64url"), id: bytes.subarray(TAG).toString("base64url") };
}
