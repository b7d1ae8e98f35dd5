import { StorageError } from "../errors.ts";
import type { DirectoryCollection, PartitionedCollection, RecordKey, StoredRecord } from "./record-store.ts";

/** Declares a collection that is read by partition and has no lookups. */
export function partitionedCollection(name: string): PartitionedCollection {
  return { kind: "partitioned", name };
}

/** Declares a collection whose records are found by unique or plain lookups. */
export function directoryCollection(name: string, lookups: DirectoryCollection["lookups"] = {}): DirectoryCollection {
  return { kind: "directory", name, lookups };
}

/** The key of a directory record: it has no partition. */
export function directoryKey(id: string): RecordKey {
  return { partition: "", id };
}

/** A value as it rests: JSON in UTF-8. */
export function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/**
 * A stored value, read back.
 * @throws {StorageError} when it does not parse: such a record is refused and reported, never guessed at.
 */
export function decodeJson(record: StoredRecord): unknown {
  const { value } = record;
  try {
    return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString());
  } catch (cause) {
    throw new StorageError("A stored record could not be read", { cause });
  }
}
