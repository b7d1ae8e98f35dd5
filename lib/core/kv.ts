import type { Clock } from "../clock.ts";
import { randomBytes } from "node:crypto";
import { constantTimeEqual } from "../crypto/hash.ts";
import { RequestError, StorageError } from "../errors.ts";
import { directoryCollection, directoryKey } from "../storage/collection.ts";
import type { NewRecord, RecordStore, StoredRecord, Write } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { reportingUnreadable } from "./unreadable-records.ts";

/** Bytes, or text that is kept as UTF-8. */
export type KvValue = Uint8Array | string;

/** How long an entry lives. */
export interface KvLife {
  /** Seconds, to the millisecond; 0 is over at once. Default: for ever, also for an entry that had an end before. */
  readonly ttl?: number | undefined;
}

/** One entry of {@link Kv.setMany}. */
export interface KvEntry extends KvLife {
  readonly key: string;
  readonly value: KvValue;
}

/** One page of names. */
export interface KvPage {
  /** At most this many, up to 1000. Default: 100. */
  readonly limit?: number | undefined;
  /** Continue behind this name: the `next` of the page before. */
  readonly after?: string | undefined;
}

/**
 * The application's own small things beside ours: bytes under a name, with an end or without.
 *
 * Names are 1 to 512 bytes of UTF-8, compared byte by byte. They can be read in the store, also in an encrypted one: never put a secret
 * into a name. An entry is gone for every call from the millisecond of its end on. All entries are in one partition, so what is done to
 * several is done to all or none of them. Every call throws {@link RequestError} `invalid_key`, `invalid_value`, `invalid_ttl`,
 * `invalid_page` or `too_many_keys` before it touches the store, and {@link StorageError} when the store cannot answer.
 */
export interface Kv {
  /** Writes value and end over whatever was there. One write. */
  set(key: string, value: KvValue, life?: KvLife): Promise<void>;
  /** The bytes, or `null`; `.toString()` gives text back. One read. */
  get(key: string): Promise<Buffer | null>;
  /** Removes an entry; one that is not there is no matter. One write. */
  delete(key: string): Promise<void>;
  /** Removes and returns: of any number of callers, in all processes, one gets the value and the others `null`. For what may be used once. */
  take(key: string): Promise<Buffer | null>;
  /**
   * Writes `next` if the value is still `expected`, atomically: of any number of callers with the same `expected` one succeeds.
   * `null` as `expected` means that nothing is there, as `next` that nothing shall be. One read and one write.
   * @returns whether it was written.
   */
  compareAndSet(key: string, expected: KvValue | null, next: KvValue | null, life?: KvLife): Promise<boolean>;
  /** Whole seconds an entry has left: 0 in its last second. `null` when it has no end, or is not there. One read. */
  ttl(key: string): Promise<number | null>;
  /**
   * Names of live entries that begin with `prefix`, in the order of their bytes. No character of the prefix means anything but itself; `""`
   * lists all. Costs as much as reading the page's entries, and one read more, however many others there are.
   */
  list(prefix: string, page?: KvPage): Promise<{ keys: string[]; next: string | null }>;
  /** Values in the order of the keys, `null` for those not there. Up to 1000 reads at once, not one moment's picture. */
  getMany(keys: readonly string[]): Promise<(Buffer | null)[]>;
  /** Writes up to 1000 entries, all or none; of one key given twice the last. @returns how many there are now. One write. */
  setMany(entries: readonly KvEntry[]): Promise<{ set: number }>;
  /** Removes up to 1000 entries, all or none. @returns how many were there just before. A read each, at once, then one write. */
  deleteMany(keys: readonly string[]): Promise<{ deleted: number }>;
}

export interface KvParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  /** Where an entry that cannot be read is reported. Default: nowhere. */
  readonly events?: Events | null;
}

/** A directory with one lookup that all entries share: what it finds is in the order of names, and begins behind any of them. */
export const kvCollection = directoryCollection("kv", { all: "plain" });

const ALL = "*";
const MAX_KEY_BYTES = 512;
const MAX_MANY = 1000;
/** Far more than contention on one entry makes likely. */
const MAX_ATTEMPTS = 100;

/** The key-value data of one `createAuth`. */
export function createKv({ store, clock, events = null }: KvParts): Kv {
  const valueOf = reportingUnreadable(events, kvCollection, decode);

  const read = (key: string) => store.get(kvCollection, directoryKey(key));

  const record = (key: string, value: KvValue, { ttl }: KvLife, nonce: Buffer | null = null): NewRecord => ({
    ...directoryKey(checkedKey(key)),
    value: encode(checkedValue(value), nonce),
    expiresAt: ttl === undefined ? null : clock.now() + Math.round(checkedTtl(ttl) * 1000),
    lookups: { all: ALL },
  });

  const put = (written: NewRecord): Write => ({ op: "put", in: kvCollection, record: written });
  const removal = (key: string): Write => ({ op: "delete", in: kvCollection, key: directoryKey(key) });

  return {
    async set(key, value, life = {}) {
      await store.commit([put(record(key, value, life))]);
    },

    async get(key) {
      const stored = await read(checkedKey(key));
      return stored && valueOf(stored);
    },

    async delete(key) {
      await store.commit([removal(checkedKey(key))]);
    },

    async take(key) {
      const stored = await store.take(kvCollection, directoryKey(checkedKey(key)));
      return stored && valueOf(stored);
    },

    async compareAndSet(key, expected, next, life = {}) {
      const wanted = expected === null ? null : bytesOf(checkedValue(expected));
      // Tells what this call wrote from the same value written by another.
      const written = next === null ? null : record(key, next, life, randomBytes(NONCE));
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const stored = await read(checkedKey(key));
        // A first try whose answer was lost on the way.
        if (attempt > 0 && stored && written && Buffer.compare(stored.value, written.value) === 0) return true;
        if (!isExpected(stored && valueOf(stored), wanted)) return false;
        if (!stored && !written) return true;
        if (await store.commit([swap(key, stored, written)])) return true;
      }
      throw new StorageError("An entry is changing too fast");
    },

    async ttl(key) {
      const end = (await read(checkedKey(key)))?.expiresAt ?? null;
      return end === null ? null : Math.max(0, Math.floor((end - clock.now()) / 1000));
    },

    async list(prefix, { limit = 100, after } = {}) {
      if (!isName(prefix, 0)) throw invalidKey("A prefix");
      assertPage(limit, after);
      const behind = after !== undefined && compareBytes(after, prefix) >= 0 ? after : null;
      // What a name is behind does not include the name itself: the one that is the prefix and no more is asked for.
      const [exact, found] = await Promise.all([
        behind === null && prefix !== "" ? read(prefix) : null,
        store.find(kvCollection, "all", ALL, { limit: limit + 1, ...((behind ?? prefix) === "" ? {} : { after: behind ?? prefix }) }),
      ]);
      const keys = [...(exact ? [prefix] : []), ...found.map(({ id }) => id).filter((id) => id.startsWith(prefix))];
      return { keys: keys.slice(0, limit), next: keys.length > limit ? (keys[limit - 1] ?? null) : null };
    },

    async getMany(keys) {
      const stored = await Promise.all(checkedMany(keys).map((key) => read(checkedKey(key))));
      return stored.map((each) => each && valueOf(each));
    },

    async setMany(entries) {
      const records = new Map(checkedMany(entries).map((entry) => [entry.key, record(entry.key, entry.value, entry)]));
      await store.commit([...records.values()].sort(byId).map(put));
      return { set: records.size };
    },

    async deleteMany(keys) {
      const unique = [...new Set(checkedMany(keys).map(checkedKey))].sort(compareBytes);
      const stored = await Promise.all(unique.map(read));
      await store.commit(unique.map(removal));
      return { deleted: stored.filter(Boolean).length };
    },
  };
}

/** The change from what was read to what shall be, if nobody else made one. */
function swap(key: string, stored: StoredRecord | null, written: NewRecord | null): Write {
  if (stored === null) return { op: "insert", in: kvCollection, record: written as NewRecord };
  const { version: ifVersion } = stored;
  return written === null
    ? { op: "delete", in: kvCollection, key: directoryKey(key), ifVersion }
    : { op: "replace", in: kvCollection, record: written, ifVersion };
}

/** As it rests: the length of a nonce (0 or 12), the nonce, the value. */
const NONCE = 12;

function encode(value: KvValue, nonce: Buffer | null): Buffer {
  return Buffer.concat([Buffer.from([nonce?.length ?? 0]), nonce ?? Buffer.alloc(0), bytesOf(value)]);
}

/** @throws {StorageError} when the record does not parse: it is refused, never guessed at. */
function decode({ value }: StoredRecord): Buffer {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const start = 1 + (bytes[0] ?? -1);
  if ((start !== 1 && start !== 1 + NONCE) || bytes.length < start) throw new StorageError("A stored entry could not be read");
  return bytes.subarray(start);
}

function isExpected(current: Buffer | null, expected: Buffer | null): boolean {
  return current === null || expected === null ? current === expected : constantTimeEqual(current, expected);
}

function bytesOf(value: KvValue): Buffer {
  return typeof value === "string" ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Whether text is well-formed and of an allowed length: what is not would be stored as another name. */
function isName(name: unknown, min: number): name is string {
  return typeof name === "string" && !/\p{Cs}/u.test(name) && Buffer.byteLength(name) >= min && Buffer.byteLength(name) <= MAX_KEY_BYTES;
}

function checkedKey(key: string): string {
  if (!isName(key, 1)) throw invalidKey("A key");
  return key;
}

function invalidKey(what: string): RequestError {
  return new RequestError(`${what} is text of up to ${MAX_KEY_BYTES} bytes`, "invalid_key");
}

function checkedValue(value: KvValue): KvValue {
  if (typeof value === "string" ? /\p{Cs}/u.test(value) : !(value instanceof Uint8Array)) {
    throw new RequestError("A value is bytes or well-formed text", "invalid_value");
  }
  return value;
}

function checkedTtl(ttl: number): number {
  if (typeof ttl !== "number" || !(ttl >= 0 && ttl <= MAX_TTL)) throw new RequestError("ttl is seconds from 0", "invalid_ttl");
  return ttl;
}

/** A hundred years: instants stay far from where arithmetic loses milliseconds. */
const MAX_TTL = 100 * 365 * 86_400;

function checkedMany<T>(items: readonly T[]): readonly T[] {
  if (items.length > MAX_MANY) throw new RequestError(`At most ${MAX_MANY} at once`, "too_many_keys");
  return items;
}

function assertPage(limit: number, after: string | undefined): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_MANY && (after === undefined || isName(after, 0))) return;
  throw new RequestError(`A page is 1 to ${MAX_MANY} names behind one`, "invalid_page");
}

/** Bulk writes go in one order, so that no two wait for each other. */
function byId(a: NewRecord, b: NewRecord): number {
  return compareBytes(a.id, b.id);
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
