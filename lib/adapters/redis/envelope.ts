import { StorageError } from "../../errors.ts";
import type { DirectoryCollection, NewRecord, RecordKey, StoredRecord } from "../../storage/record-store.ts";
import { lookupSuffix, parseLookupSuffix } from "./keys.ts";

/**
 * How records rest, integers big-endian; the scripts know the same layout:
 * - in a partition: format 1, version (4 bytes), expiry in Unix ms or 0 (6), place in the order of insertion (7), the value;
 * - in a directory: format 2, version (4), expiry (6), names of lookups that are `null` (2-byte length, JSON),
 *   the others (4-byte length; each `u` or `p`, 4-byte length, the end of its key), the value.
 */
const FORMAT = { partition: 1, directory: 2 } as const;
const PARTITION_HEADER = 18;
const DIRECTORY_HEADER = 11;

const NO_LOOKUPS: StoredRecord["lookups"] = Object.freeze({});

/** What of a record in a partition decides whether it counts, and where it stands. */
export interface Placed {
  readonly record: StoredRecord;
  readonly order: number;
}

/** @throws {StorageError} for bytes that are no record: refused and reported, never guessed at. */
export function readPartitionRecord({ partition, id }: RecordKey, bytes: Buffer): StoredRecord {
  if (bytes.length < PARTITION_HEADER || bytes[0] !== FORMAT.partition) throw unreadable();
  return {
    partition,
    id,
    value: bytes.subarray(PARTITION_HEADER),
    expiresAt: bytes.readUIntBE(5, 6) || null,
    lookups: NO_LOOKUPS,
    version: bytes.readUInt32BE(1),
  };
}

/** As {@link readPartitionRecord}, with its place in the order of insertion. */
export function readPlacedRecord(key: RecordKey, bytes: Buffer): Placed {
  const record = readPartitionRecord(key, bytes);
  return { record, order: bytes.readUInt8(11) * 2 ** 48 + bytes.readUIntBE(12, 6) };
}

/** @throws {StorageError} for bytes that are no record. */
export function readDirectoryRecord(id: string, bytes: Buffer): StoredRecord {
  if (bytes[0] !== FORMAT.directory) throw unreadable();
  try {
    const lookups: Record<string, string | null> = {};
    let at = DIRECTORY_HEADER;
    const take = (length: number) => {
      if (at + length > bytes.length) throw unreadable();
      return bytes.subarray(at, (at += length));
    };
    const absent = take(take(2).readUInt16BE()).toString();
    const end = take(4).readUInt32BE() + at;
    while (at < end) {
      take(1);
      const { lookup, value } = parseLookupSuffix(take(take(4).readUInt32BE()).toString());
      lookups[lookup] = value;
    }
    if (absent) for (const lookup of JSON.parse(absent) as string[]) lookups[lookup] = null;
    const expiresAt = bytes.readUIntBE(5, 6) || null;
    return { partition: "", id, value: bytes.subarray(end), expiresAt, lookups, version: bytes.readUInt32BE(1) };
  } catch (cause) {
    throw unreadable(cause);
  }
}

/** What follows the header of a directory record: its lookups and its value. */
export function directoryTail({ lookups: declared }: DirectoryCollection, { lookups = {}, value }: NewRecord): Buffer {
  const parts: Buffer[] = [];
  const absent: string[] = [];
  for (const lookup of Object.keys(lookups).sort()) {
    const named = lookups[lookup];
    if (named === null || named === undefined) absent.push(lookup);
    else {
      const suffix = Buffer.from(lookupSuffix(lookup, named));
      parts.push(Buffer.from(declared[lookup] === "unique" ? "u" : "p"), uint(4, suffix.length), suffix);
    }
  }
  const nulls = absent.length === 0 ? Buffer.alloc(0) : Buffer.from(JSON.stringify(absent));
  const names = Buffer.concat(parts);
  return Buffer.concat([uint(2, nulls.length), nulls, uint(4, names.length), names, value]);
}

export function isExpired({ expiresAt }: StoredRecord, now: number): boolean {
  return expiresAt !== null && now >= expiresAt;
}

function uint(size: 2 | 4, value: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

function unreadable(cause?: unknown): StorageError {
  return new StorageError("A stored record could not be read", { cause });
}
