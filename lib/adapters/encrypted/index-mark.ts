import { constantTimeEqual } from "../../crypto/hash.ts";
import { ConfigError, StorageError } from "../../errors.ts";
import { directoryKey } from "../../storage/collection.ts";
import type { DirectoryCollection, NewRecord, RecordStore, Scanned, StoredRecord, Write } from "../../storage/record-store.ts";
import { explain, type Envelopes } from "./envelope.ts";

/**
 * Each directory collection has a record that tells which index key its lookups are hashed under. Under another key every lookup would
 * find nothing and every unique value be free: people would sign up a second time. So a store whose mark differs is not used at all.
 */
export const INDEX_MARK = ".index-key";

/** Says that {@link reencrypt} has hashed some of the lookups anew, and not yet all: nobody may use them. */
const UNFINISHED = Buffer.alloc(16);

/** Makes sure, once a process and collection, that lookups were hashed under this index key. */
export interface IndexMarks {
  /** What to wait for before a collection's lookups are used; `null` when it is known to be fine. */
  check(collection: DirectoryCollection): Promise<void> | null;
}

export function createIndexMarks(store: RecordStore, envelopes: Envelopes): IndexMarks {
  const known = new Set<string>();

  const compare = async (collection: DirectoryCollection) => {
    const write: Write = { op: "insert", in: collection, record: envelopes.seal(collection, markOf(envelopes.indexFingerprint)) };
    let stored = await store.get(collection, directoryKey(INDEX_MARK));
    if (!stored) {
      await assertOurs(store, collection, envelopes);
      if (!(await store.commit([write]))) stored = await store.get(collection, directoryKey(INDEX_MARK));
    }
    if (stored) assertMark(collection, stored, envelopes);
    known.add(collection.name);
  };

  return { check: (collection) => (known.has(collection.name) ? null : compare(collection)) };
}

/** The mark of a finished or unfinished index, not yet sealed. */
export function markOf(fingerprint: Uint8Array = UNFINISHED): NewRecord {
  return { ...directoryKey(INDEX_MARK), value: fingerprint, expiresAt: null, lookups: {} };
}

/** Without a mark the collection is new, or older than its encryption: then its records would not be found either. */
async function assertOurs(store: RecordStore, collection: DirectoryCollection, envelopes: Envelopes): Promise<void> {
  let after: string | null = null;
  do {
    const page: Scanned = await store.scan(collection, after === null ? {} : { after });
    for (const record of page.records) {
      const opened = record.id === INDEX_MARK ? null : envelopes.open(collection, record);
      if (opened && "flaw" in opened) {
        const cause = explain(opened.flaw, opened.keyId);
        const fix = `"${collection.name}" has records that are not of this store: reencrypt seals them with \`sealPlaintext\``;
        throw new StorageError(undefined, { cause: new ConfigError("encrypted", fix, cause) });
      }
    }
    if (page.records.length > 0) return;
    // Not new either: what is there nobody can read, as under another key of signatures.
    if (page.unreadable) throw new StorageError("The stored records could not be read");
    after = page.next;
  } while (after !== null);
}

/** @throws {StorageError} when lookups were hashed under another index key, or are being hashed anew; its cause says what to do. */
export function assertMark(collection: DirectoryCollection, stored: StoredRecord, envelopes: Envelopes): void {
  const opened = envelopes.open(collection, stored);
  if ("flaw" in opened) throw new StorageError(undefined, { cause: explain(opened.flaw, opened.keyId) });
  const { value } = opened.record;
  if (constantTimeEqual(value, envelopes.indexFingerprint)) return;
  const fix = constantTimeEqual(value, UNFINISHED)
    ? `lookups of "${collection.name}" are being hashed anew: let reencrypt finish`
    : `lookups of "${collection.name}" were hashed under another key: put it back, or reencrypt with \`reindex\``;
  throw new StorageError(undefined, { cause: new ConfigError("encrypted.indexKey", fix) });
}
