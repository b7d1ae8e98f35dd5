import { assertOptions, assertTexts, resolveClock } from "../../check-options.ts";
import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import { assertStore, assertWithout, wrapperName } from "../../storage/check-store.ts";
import { partitionOf } from "../../storage/commit.ts";
import type { Change, Collection, RecordKey, RecordStore, StoredRecord } from "../../storage/record-store.ts";
import { kitCollections } from "../sql/collections.ts";
import { createEntries, placeOf, type Instant } from "./entries.ts";

/** Options of {@link cached}. */
export interface CachedOptions {
  /** The most records kept; the one used longest ago gives way. Default: 10,000. */
  max?: number | undefined;
  /** Seconds for which a record may be served after the read that fetched it began, up to 60. Default: 1. */
  maxAge?: number | undefined;
  /** Names of the partitioned collections of which records are kept. Default: sessions and API keys. */
  collections?: readonly string[] | undefined;
  /** Where the time comes from. Default: the machine's clock, and for ages also one that nobody can set back. */
  clock?: Clock | undefined;
}

/**
 * Keeps hot sessions and API keys in this process: a `get` of one read within `maxAge` costs no round trip.
 *
 * The bound is time alone: what was ended elsewhere is served for at most `maxAge` after the read began that fetched it, whatever happens to
 * notices. Those that `watch` brings only end it sooner: within milliseconds on a healthy store. A notice that comes while a record of
 * its partition is being read forbids keeping what that read brings, as it may be from before. Writes through this store, failed ones
 * too, drop what they touch before and after; while one is under way its partition is read from the store.
 *
 * Only `get` of existing records is served so: lists, finds, takes, counters, absent records and values over 16 KB are always asked for,
 * and directory collections too, as epochs must be read as they are. Reads at once are not joined: a later caller would be answered
 * from before it asked. `requireAuth({ live: true })` reads through the same cache. What is served from here is shared: records are frozen,
 * and so are the sessions read from them; nobody may write to a record's bytes.
 *
 * @throws {ConfigError} now rather than per request, when an option is out of bounds, or the store is encrypted or cached already.
 * @example encrypted(cached(redisStore({ client })), { keys, indexKey })
 */
export function cached(store: RecordStore, options: CachedOptions = {}): RecordStore {
  assertStore("cached", store);
  assertWithout("cached", store, "encrypted", "put encrypted() around cached(), so that what is kept is sealed too");
  assertWithout("cached", store, "cached", "this store is cached already, and ages would add up");
  const { max, maxAge, names, clock, ticks } = resolveCachedOptions(options);
  const entries = createEntries(max);
  /** Reads under way, by partition; one that is spoilt keeps nothing. */
  const reads = new Map<string, Set<{ spoilt: boolean }>>();
  /** How many of our writes are under way, by partition. */
  const writes = new Map<string, number>();
  let listening: Promise<{ close(): Promise<void> } | null> | null = null;
  let failedAt: Instant = { at: -Infinity, tick: -Infinity };
  let closed = false;

  const drop = (collection: string, partition: string) => {
    entries.drop(collection, partition);
    for (const read of reads.get(placeOf(collection, partition)) ?? []) read.spoilt = true;
  };

  const hear = ({ collection, partition }: Change) => {
    if (names.has(collection)) drop(collection, partition);
  };

  /** Not waited for: what is read before it listens is kept no longer than anything else. */
  const listen = () => {
    if (listening || closed || isWithin(LISTEN_AGAIN, failedAt, now())) return;
    listening = store.watch(hear).then(forgetAll, () => {
      listening = null;
      failedAt = now();
      return null;
    });
  };

  /** What was read before it listened may have changed unheard. */
  const forgetAll = <T>(watch: T): T => {
    entries.clear();
    for (const underWay of reads.values()) for (const read of underWay) read.spoilt = true;
    return watch;
  };

  const now = (): Instant => ({ at: clock.now(), tick: ticks() });

  const isFresh = ({ expiresAt }: StoredRecord, readAt: Instant) => {
    const instant = now();
    return isWithin(maxAge, readAt, instant) && (expiresAt === null || instant.at < expiresAt);
  };

  const read = async (from: Collection, key: RecordKey, readAt: Instant) => {
    const place = placeOf(from.name, key.partition);
    const own = { spoilt: false };
    const underWay = reads.get(place) ?? new Set();
    reads.set(place, underWay.add(own));
    try {
      const record = await store.get(from, key);
      for (const other of underWay) {
        if (other === own) break;
        other.spoilt = true; // it began before, and must not replace what is newer
      }
      const keep = record && !own.spoilt && !closed && !writes.has(place) && record.value.length <= MAX_VALUE;
      if (keep && isFresh(record, readAt)) entries.set(from.name, { record: kept(record), readAt });
      return record;
    } finally {
      underWay.delete(own);
      if (underWay.size === 0) reads.delete(place);
    }
  };

  const held = (from: Collection, key: RecordKey): StoredRecord | null => {
    const entry = names.has(from.name) ? entries.get(from.name, key) : undefined;
    return entry && isFresh(entry.record, entry.readAt) ? entry.record : null;
  };

  /** Does a write of ours to one partition, around which nothing of it is served or kept. */
  const writing = async <T>(collections: readonly string[], partition: string, write: () => Promise<T>): Promise<T> => {
    const touched = collections.filter((name) => names.has(name));
    for (const name of touched) {
      const place = placeOf(name, partition);
      writes.set(place, (writes.get(place) ?? 0) + 1);
      drop(name, partition);
    }
    try {
      return await write();
    } finally {
      for (const name of touched) {
        const place = placeOf(name, partition);
        const left = (writes.get(place) ?? 1) - 1;
        if (left === 0) writes.delete(place);
        else writes.set(place, left);
        drop(name, partition);
      }
    }
  };

  return {
    name: wrapperName("cached", store),
    persistent: store.persistent,
    keepsExpired: store.keepsExpired,
    ordered: store.ordered,

    async get(from, key) {
      if (from.kind !== "partitioned" || !names.has(from.name)) return store.get(from, key);
      listen();
      return held(from, key) ?? read(from, key, now());
    },

    held,

    take: async (from, key) => writing([from.name], key.partition, () => store.take(from, key)),

    async commit(all) {
      const [first] = all;
      if (!first || first.in.kind === "directory") return store.commit(all);
      return writing([...new Set(all.map((write) => write.in.name))], partitionOf(first), () => store.commit(all));
    },

    async watch(onChange) {
      return store.watch((change) => {
        hear(change); // before anybody acts on it
        onChange(change);
      });
    },

    async close() {
      closed = true;
      entries.clear();
      await (await listening)?.close();
      await store.close();
    },

    list: async (from, partition) => store.list(from, partition),
    find: async (from, ...rest) => store.find(from, ...rest),
    count: async (counter, change) => store.count(counter, change),
    scan: async (from, page) => store.scan(from, page),
    sweep: async (options) => store.sweep(options),
    migrate: async () => store.migrate(),
    inspect: async () => (await store.inspect?.()) ?? [],
  };
}

/** Longer ones are rare, and ten thousand of them would be felt. */
const MAX_VALUE = 16 * 1024;
/** How long after a failed `watch` the next is tried, ms. */
const LISTEN_AGAIN = 1000;
/** As long as a lost ending may go unnoticed elsewhere, seconds. */
const LONGEST = 60;

function resolveCachedOptions(options: CachedOptions) {
  assertOptions("cached", options, ["max", "maxAge", "collections", "clock"]);
  const { max = 10_000, maxAge = 1, collections = ["s", "api_keys"] } = options;
  if (!Number.isSafeInteger(max) || max < 1) throw new ConfigError("cached.max", "give a whole number of records, 1 or more");
  if (typeof maxAge !== "number" || !(maxAge > 0 && maxAge <= LONGEST))
    throw new ConfigError("cached.maxAge", `give seconds, above 0 and up to ${LONGEST}: for so long an ended session may go on`);
  assertTexts("cached.collections", collections);
  const directory = kitCollections.find(({ kind, name }) => kind === "directory" && collections.includes(name));
  if (directory) throw new ConfigError("cached.collections", `"${directory.name}" is a directory: those are always read as they are`);
  const clock = resolveClock("cached.clock", options.clock);
  const ticks = options.clock ? () => 0 : () => performance.now();
  return { max, maxAge: maxAge * 1000, names: new Set(collections), clock, ticks };
}

/** Whether less than `span` ms have passed since `start`, by both clocks: one may be set back, the other stands still in a suspended machine. */
function isWithin(span: number, start: Instant, end: Instant): boolean {
  const age = end.at - start.at;
  return age >= 0 && age < span && end.tick - start.tick < span;
}

/** A record that shares nothing with its original. It is handed out again and again, and frozen to say so: what is made of it may be kept with it. */
function kept(record: StoredRecord): StoredRecord {
  return Object.freeze({ ...record, value: Buffer.from(record.value) });
}
