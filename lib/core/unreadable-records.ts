import { StorageError } from "../errors.ts";
import type { Collection, StoredRecord } from "../storage/record-store.ts";
import type { Events } from "./events.ts";

/**
 * `decode`, but a record that does not parse is reported as `record.unreadable`: it is refused (503), never guessed at, and kept.
 * What the event tells names the collection, never the record's contents.
 * @throws {StorageError}
 */
export function reportingUnreadable<T, Rest extends unknown[]>(
  events: Events | null,
  { name }: Collection,
  decode: (record: StoredRecord, ...rest: Rest) => T,
): (record: StoredRecord, ...rest: Rest) => T {
  return (record, ...rest) => {
    try {
      return decode(record, ...rest);
    } catch (cause) {
      const error = cause instanceof StorageError ? cause : new StorageError("A stored record could not be read", { cause });
      events?.emit("record.unreadable", { collection: name, message: error.message });
      throw error;
    }
  };
}

/** Reports records that the store itself could not read, and left out of a page. */
export function reportUnreadable(events: Events, { name }: Collection, count: number): void {
  for (let told = 0; told < count; told += 1) {
    events.emit("record.unreadable", { collection: name, message: "A stored record could not be read" });
  }
}

/** What can be read of several records, for lists: the others were reported, and hide nothing but themselves. */
export function readable<T>(records: readonly StoredRecord[], decode: (record: StoredRecord) => T): T[] {
  return records.flatMap((record) => {
    try {
      return [decode(record)];
    } catch (error) {
      if (error instanceof StorageError) return [];
      throw error;
    }
  });
}
