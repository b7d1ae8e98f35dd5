import { sha256 } from "../crypto/hash.ts";
import { StorageError } from "../errors.ts";
import type { RecordKey, Scanned, StoredRecord } from "./record-store.ts";

/** Tells a record from others in reports without naming it, as ids may be secret. */
export function digestOf({ partition, id }: RecordKey): string {
  return sha256(JSON.stringify([partition, id]))
    .toString("hex")
    .slice(0, 16);
}

/** A page of a scan with what `read` makes of its records: those that it refuses are left out, and counted. */
export function readableOnly({ records, next, unreadable = 0 }: Scanned, read: (record: StoredRecord) => StoredRecord): Scanned {
  const readable = records.flatMap((record) => {
    try {
      return [read(record)];
    } catch (error) {
      if (error instanceof StorageError) return [];
      throw error;
    }
  });
  const refused = unreadable + records.length - readable.length;
  return { records: readable, next, ...(refused === 0 ? {} : { unreadable: refused }) };
}

/** A stored record that is not what was written, without its name: ids may be secret. */
interface Refused {
  readonly collection: string;
  readonly record: string;
  readonly flaw: string;
  /** The key that it asks for, where it tells. */
  readonly keyId?: string | null;
}

/** What hears of refused records where the application does not: warns the process, once for each collection and flaw. */
export function warnOnce(): (refused: Refused) => void {
  const told = new Set<string>();
  return ({ collection, record, flaw, keyId = null }) => {
    const kind = `${collection} ${flaw}`;
    if (told.has(kind)) return;
    told.add(kind);
    process.emitWarning(`latchkey: record ${record} of "${collection}" is refused (${flaw}${keyId === null ? "" : `, key ${keyId}`})`);
  };
}
