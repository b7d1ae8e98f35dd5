import { randomBytes } from "node:crypto";
import { constantTimeEqual, hmacSha256, ownerTag, sha256 } from "../crypto/hash.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../storage/record-store.ts";

/** One request for a code, open until it is spent or has expired. What it says of the code needs the application's secret to be tried. */
export interface CodeRequest {
  readonly key: RecordKey;
  readonly purpose: string;
  /** Canonical. */
  readonly email: string;
  /** The user it was asked for; `null` when none is known by that address. */
  readonly userId: string | null;
  /** Unix ms. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly keyId: string;
  /** HMAC-SHA256 over purpose, address, request and code. */
  readonly mac: Buffer;
  readonly version: number;
}

export const codeCollection = partitionedCollection("codes");

/** Expired requests rest this much longer, so that a late guess can be told from an unknown one. */
const KEPT = 600_000;

const KEY_PURPOSE = "magic code";

/**
 * The id that the asking browser gets: `address tag (16 bytes) | secret (32)`, base64url, 64 characters.
 * The tag is the partition, the record's id a hash of the secret: a dump opens nothing.
 */
export function issueRequestId(email: string): { requestId: string; key: RecordKey } {
  const tag = ownerTag(email);
  const secret = randomBytes(SECRET);
  return {
    requestId: Buffer.concat([Buffer.from(tag, "base64url"), secret]).toString("base64url"),
    key: { partition: tag, id: recordId(secret) },
  };
}

/** The record behind a request id; `null` when the text is none. */
export function parseRequestId(requestId: string): RecordKey | null {
  if (!/^[\w-]{64}$/.test(requestId)) return null;
  const bytes = Buffer.from(requestId, "base64url");
  return { partition: bytes.subarray(0, TAG).toString("base64url"), id: recordId(bytes.subarray(TAG)) };
}

const TAG = 16;
const SECRET = 32;

function recordId(secret: Uint8Array): string {
  return sha256(secret).subarray(0, 16).toString("base64url");
}

/** The partition of all requests for an address. */
export function addressTag(email: string): string {
  return ownerTag(email);
}

type Bound = Pick<CodeRequest, "key" | "purpose" | "email">;

function macInput({ purpose, email, key }: Bound, code: string): string {
  return JSON.stringify([purpose, email, key.id, code]);
}

/** What stands for `code` in the record, under the ring's first key. */
export function sealCode(keys: KeyRing, bound: Bound, code: string): Pick<CodeRequest, "keyId" | "mac"> {
  const { id, key } = keys.current(KEY_PURPOSE);
  return { keyId: id, mac: hmacSha256(key, macInput(bound, code)) };
}

/**
 * Whether `code` is the one that was mailed, in constant time.
 * @throws {StorageError} when the key it was sealed with is gone: a fault of configuration, so the record is kept.
 */
export function codeMatches(keys: KeyRing, request: CodeRequest, code: string): boolean {
  const sealed = keys.find(KEY_PURPOSE, request.keyId);
  if (!sealed) throw new StorageError("A code names an unknown key: put its secret back into `secret`");
  return constantTimeEqual(hmacSha256(sealed.key, macInput(request, code)), request.mac);
}

/** The record as it rests. Its end is decided by the `expiresAt` inside. */
export function encodeCodeRequest({ key, mac, ...rest }: Omit<CodeRequest, "version">): NewRecord {
  return { ...key, value: encodeJson({ ...rest, mac: mac.toString("base64url") }), expiresAt: rest.expiresAt + KEPT };
}

/** @throws {StorageError} when the record does not parse: it is refused, never guessed at. */
export function decodeCodeRequest(stored: StoredRecord): CodeRequest {
  const rested = decodeJson(stored);
  if (!isRested(rested)) throw new StorageError("A stored code could not be read");
  const { partition, id, version } = stored;
  return { ...rested, key: { partition, id }, mac: Buffer.from(rested.mac, "base64url"), version };
}

interface Rested extends Omit<CodeRequest, "key" | "version" | "mac"> {
  readonly mac: string;
}

function isRested(value: unknown): value is Rested {
  const { mac, keyId, email, purpose, userId, expiresAt } = (value ?? {}) as Partial<Rested>;
  const isText = [mac, keyId, email, purpose].every((text) => typeof text === "string");
  return isText && (userId === null || typeof userId === "string") && Number.isInteger(expiresAt);
}
