import type { SessionData } from "express-session";
import { sha256 } from "../crypto/hash.ts";
import { StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { Collection, NewRecord, RecordKey, StoredRecord } from "../storage/record-store.ts";

/** Sessions of express-session: a partition each, so that a cluster spreads them. */
export const expressSessionCollection = partitionedCollection("express_sessions");

/** Sessions of express-session that became ours. */
export const movedSessionCollection = partitionedCollection("express_sessions_moved");

/**
 * The collections that this module adds, for stores that make a table of each.
 * @example sqliteStore({ path: "app.db", collections: expressSessionCollections });
 */
export const expressSessionCollections: readonly Collection[] = [expressSessionCollection, movedSessionCollection];

/** A session id's name in the store: its SHA-256, so that whatever an application takes for ids fits, and no key tells one. */
export function sessionKey(prefix: string, sid: string): RecordKey {
  return { partition: prefix + sha256(sid).toString("base64url"), id: "session" };
}

/** Whether a key was made with exactly this prefix. */
export function hasPrefix({ partition }: RecordKey, prefix: string): boolean {
  return partition.length === prefix.length + HASH_LENGTH && partition.startsWith(prefix);
}

const HASH_LENGTH = 43;

/** What rests of a session. */
export interface RestedSession {
  readonly sid: string;
  /** JSON again: `cookie.expires` is text. */
  readonly data: SessionData;
}

export function encodeExpressSession(prefix: string, { sid, data }: RestedSession, expiresAt: number): NewRecord {
  return { ...sessionKey(prefix, sid), value: encodeJson({ sid, data }), expiresAt };
}

/** @throws {StorageError} when it is none: such a record is refused, never guessed at. */
export function decodeExpressSession(record: StoredRecord): RestedSession {
  const { sid, data } = (decodeJson(record) ?? {}) as Partial<RestedSession>;
  if (typeof sid !== "string" || typeof data !== "object" || data === null) {
    throw new StorageError("A stored session of express-session could not be read");
  }
  return { sid, data };
}

/**
 * When a session's cookie ends, Unix ms: as `expires` (a `Date`, or its text once it was JSON) or `maxAge` (milliseconds) says.
 * `null` for a cookie that lasts as long as its browser.
 */
export function cookieEnd({ expires, maxAge }: { expires?: unknown; maxAge?: unknown }, now: number): number | null {
  if (expires instanceof Date || typeof expires === "string") {
    const at = new Date(expires).getTime();
    if (!Number.isNaN(at)) return at;
  }
  return typeof maxAge === "number" && Number.isFinite(maxAge) ? Math.ceil(now + maxAge) : null;
}
