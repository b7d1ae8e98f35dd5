import { randomBytes } from "node:crypto";
import { StorageError } from "../errors.ts";
import { decodeJson, directoryCollection, directoryKey, encodeJson } from "../storage/collection.ts";
import type { NewRecord, StoredRecord } from "../storage/record-store.ts";
import type { AuthEvent } from "./events.ts";

/** An event as it was kept. It serialises, and never carries a secret. */
export type AuditEntry = AuthEvent & { /** Its place: entries sort by it, the newest first. */ readonly id: string };

/** Found by user, by tenant, and all of them by a value that they share: each list is in the order of ids. */
export const auditCollection = directoryCollection("audit", { all: "plain", tenantId: "plain", userId: "plain" });

export const ALL_ENTRIES = "*";

/** Of the milliseconds until the end of this scale, so that the bytes of later ids come first: twelve hexadecimal digits. */
const END = 0xffff_ffff_ffff;

/** Every id of an event before `at` (Unix ms) sorts behind this, all others before it. */
export function auditPlace(at: number): string {
  return (END - at + 1).toString(16).padStart(12, "0");
}

/** `turn` counts the events of this process: of one millisecond the later comes first. */
export function createAuditId(at: number, turn: number): string {
  const order = (0xffff - (turn % 0x10000)).toString(16).padStart(4, "0");
  return `${(END - at).toString(16).padStart(12, "0")}${order}${randomBytes(8).toString("hex")}`;
}

/** As it rests. */
export function encodeAuditEntry({ id, ...event }: AuditEntry, expiresAt: number): NewRecord {
  const { tenantId, userId } = event;
  return { ...directoryKey(id), value: encodeJson(event), expiresAt, lookups: { all: ALL_ENTRIES, tenantId, userId } };
}

/** @throws {StorageError} when the record does not parse. */
export function decodeAuditEntry(stored: StoredRecord): AuditEntry {
  const event = decodeJson(stored) as Partial<AuthEvent> | null;
  if (typeof event?.type !== "string" || !Number.isInteger(event.at)) throw new StorageError("A stored audit entry could not be read");
  return { id: stored.id, ...event } as AuditEntry;
}
