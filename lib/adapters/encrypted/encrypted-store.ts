import { assertOptions } from "../../check-options.ts";
import { ConfigError, StorageError } from "../../errors.ts";
import { assertStore, assertWithout, wrapperName } from "../../storage/check-store.ts";
import { assertCommit } from "../../storage/commit.ts";
import { MIGRATION_PENDING } from "../../storage/finding.ts";
import type { Collection, NewRecord, RecordKey, RecordStore, StoredRecord, Write } from "../../storage/record-store.ts";
import { digestOf, readableOnly, warnOnce } from "../../storage/refused-records.ts";
import { createEnvelopes, explain, sameLookups, type Flaw, type UnreadableRecord } from "./envelope.ts";
import { createIndexMarks, INDEX_MARK } from "./index-mark.ts";
import { inspectKeys } from "./inspect-keys.ts";
import { resolveKeys, type StoreKeys } from "./keys.ts";
import { checkKeys, reencrypt, type KeyUse, type ReencryptOptions, type ReencryptReport } from "./reencrypt.ts";

/** Options of {@link encrypted}. */
export interface EncryptedOptions extends StoreKeys {
  /** Hears of every record that is refused. Default: a process warning, once a collection and flaw. */
  onUnreadable?: ((record: UnreadableRecord) => void) | undefined;
}

/** A store that seals what it keeps, and what an operator does about its keys. */
export interface EncryptedStore extends RecordStore {
  /** {@link reencrypt} of what this wraps, under this store's keys. Keys in a file are read again. */
  reencrypt(options?: Omit<ReencryptOptions, keyof StoreKeys>): Promise<ReencryptReport>;
  /** {@link checkKeys} of what this wraps, with this store's keys. */
  checkKeys(options?: Pick<ReencryptOptions, "collections">): Promise<readonly KeyUse[]>;
}

/**
 * Seals what a store keeps: values by AES-256-GCM, each bound to its collection, key, expiry, envelope version and key id, so that none
 * opens in another place; lookups become keyed hashes. Partitions and ids pass through: they are tags and random ids. Names in the KV
 * collection are readable, and so are expiries, sizes and counters.
 *
 * Rotate by putting a new secret first; `reencrypt` then rewrites what rests under the old one, and `checkKeys` says when it can go.
 * A record that does not open is refused with a {@link StorageError} (503), by a scan left out and counted; it is reported, and kept. A key may see 2^32 writes of a
 * collection, so rotate before: at 100 a second, within a year. Who can write to the store may still put an older value of a record back.
 *
 * Costs no round trips, but for one more before a `take`, one a process and directory collection, and two when a commit with inserts
 * fails: the same record sealed twice differs, so it looks whether one was a repetition. In order are gets, finds, lists and commits.
 *
 * @param store any, `routed` and `cached` ones too: this wrapper goes around them.
 * @throws {ConfigError} when a key is missing or under 32 bytes, or in a file that others may read.
 * @example encrypted(redisStore({ client }), { keys: [process.env.STORE_KEY_NEW, process.env.STORE_KEY], indexKey: process.env.STORE_INDEX_KEY })
 */
export function encrypted(store: RecordStore, options: EncryptedOptions): EncryptedStore {
  assertStore("encrypted", store);
  assertWithout("encrypted", store, "encrypted", "this store is encrypted already");
  assertOptions("encrypted", options, ["keys", "indexKey", "onUnreadable"]);
  const { onUnreadable = warnOnce(), keys, indexKey } = options;
  if (typeof onUnreadable !== "function") throw new ConfigError("encrypted.onUnreadable", "give a function");
  const envelopes = createEnvelopes(resolveKeys("encrypted", options));
  const marks = createIndexMarks(store, envelopes);

  const refuse = (from: Collection, key: RecordKey, flaw: Flaw, keyId: string | null): StorageError => {
    onUnreadable({ collection: from.name, record: digestOf(key), flaw, keyId });
    return new StorageError("A stored record could not be opened", { cause: explain(flaw, keyId) });
  };

  const open = (from: Collection, stored: StoredRecord): StoredRecord => {
    const opened = envelopes.open(from, stored);
    if ("flaw" in opened) throw refuse(from, stored, opened.flaw, opened.keyId);
    return opened.record;
  };

  /** Seals every record, and one that a commit writes twice alike only once, as the second would not be the same otherwise. */
  const sealAll = (writes: readonly Write[]): Write[] => {
    const done = new Map<string, { readonly plain: NewRecord; readonly sealed: NewRecord }>();
    return writes.map((write) => {
      if (!("record" in write)) return write;
      const { in: into, record: plain } = write;
      const place = JSON.stringify([into.name, plain.partition, plain.id]);
      const twin = done.get(place);
      const sealed = twin && isSameRecord(twin.plain, plain) ? twin.sealed : envelopes.seal(into, plain);
      done.set(place, { plain, sealed });
      return { ...write, record: sealed };
    });
  };

  /** The same writes, with the very bytes that are stored in every insert that repeats them; `null` when that changes nothing. */
  const asStored = async (writes: readonly Write[], sealed: readonly Write[]): Promise<Write[] | null> => {
    let changed = false;
    const repeated = await Promise.all(
      sealed.map(async (write, position) => {
        const plain = writes[position];
        if (write.op !== "insert" || plain?.op !== "insert") return write;
        const stored = await store.get(write.in, write.record);
        const known = stored && open(write.in, stored);
        if (!known || known.version !== 1 || !isSameRecord(known, plain.record)) return write;
        if (Buffer.compare(stored.value, write.record.value) === 0) return write;
        changed = true;
        return { ...write, record: { ...write.record, value: stored.value } };
      }),
    );
    return changed ? repeated : null;
  };

  return {
    name: wrapperName("encrypted", store),
    persistent: store.persistent,
    keepsExpired: store.keepsExpired,
    ordered: store.ordered,

    async get(from, key) {
      const stored = await store.get(from, key);
      return stored && open(from, stored);
    },

    async list(from, partition) {
      return (await store.list(from, partition)).map((stored) => open(from, stored));
    },

    async find(from, lookup, value, page) {
      if (from.kind !== "directory" || !from.lookups[lookup]) throw new ConfigError("find", `"${from.name}" has no lookup "${lookup}"`);
      const unchecked = marks.check(from);
      if (unchecked) await unchecked;
      const found = await store.find(from, lookup, envelopes.hashLookup(from, lookup, value), page);
      return found.map((stored) => {
        const record = open(from, stored);
        // An index that leads to somebody else's record.
        if (record.lookups[lookup] !== value) throw refuse(from, stored, "moved_lookups", null);
        return record;
      });
    },

    async take(from, key) {
      const stored = await store.get(from, key);
      if (!stored) return null;
      open(from, stored); // what cannot be read is not removed
      const taken = await store.take(from, key);
      return taken && open(from, taken);
    },

    async commit(writes) {
      assertCommit(writes);
      for (const { in: into } of writes) {
        const unchecked = into.kind === "directory" && Object.keys(into.lookups).length > 0 ? marks.check(into) : null;
        if (unchecked) await unchecked;
      }
      let sealed: Write[] | null = sealAll(writes);
      for (let attempts = 0; sealed && attempts < ATTEMPTS; attempts++) {
        if (await store.commit(sealed)) return true;
        sealed = await asStored(writes, sealed);
      }
      return false;
    },

    count: async (counter, change) => store.count(counter, change),

    async scan(from, page) {
      const { records, ...rest } = await store.scan(from, page);
      const own = from.kind === "directory" ? records.filter(({ id }) => id !== INDEX_MARK) : records;
      return readableOnly({ ...rest, records: own }, (stored) => open(from, stored));
    },

    sweep: async (options) => store.sweep(options),
    watch: async (onChange) => store.watch(onChange),
    migrate: async () => store.migrate(),
    async inspect() {
      const findings = (await store.inspect?.()) ?? [];
      if (findings.some(({ code }) => code === MIGRATION_PENDING)) return findings; // there may be nothing yet to look into
      return [...findings, ...(await inspectKeys(store, keys, envelopes))];
    },
    reencrypt: (own = {}) => reencrypt(store, { ...own, keys, indexKey }),
    checkKeys: (own = {}) => checkKeys(store, { ...own, keys }),
    close: async () => store.close(),
  };
}

/** How often an insert is compared with what is stored, when that is removed and inserted again in between. */
const ATTEMPTS = 5;

/** Of two records at one place. */
function isSameRecord(left: NewRecord, right: NewRecord): boolean {
  return left.expiresAt === right.expiresAt && Buffer.compare(left.value, right.value) === 0 && sameLookups(left.lookups, right.lookups);
}
