import { systemClock, type Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import { assertCommit } from "../../storage/commit.ts";
import type { Change, Collection, InsertWrite, NewRecord, RecordStore, StoredRecord, Write } from "../../storage/record-store.ts";

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock;
}

/** A record with what only the store needs: its place in the order of insertion. */
interface Entry {
  readonly record: StoredRecord;
  readonly order: number;
}

/**
 * Keeps records in this process: for development, tests and single-process tools. Nothing survives a restart, so
 * `createAuth` refuses it in production. There is no `await` between a check and its write, so every operation is atomic.
 *
 * @example createAuth({ store: memoryStore() });
 */
export function memoryStore({ clock = systemClock }: MemoryStoreOptions = {}): RecordStore {
  const collections = new Map<string, Map<string, Map<string, Entry>>>();
  const counters = new Map<string, { count: number; resetAt: number }>();
  const watchers = new Set<(change: Change) => void>();
  let nextOrder = 0;

  const partitionOf = (from: Collection, partition: string) => collections.get(from.name)?.get(partition);

  const live = (entry: Entry | undefined, now: number) => (entry && !isExpired(entry.record, now) ? entry.record : null);

  const read = (from: Collection, partition: string, id: string) => live(partitionOf(from, partition)?.get(id), clock.now());

  const allLive = (from: Collection) => {
    const now = clock.now();
    const records: StoredRecord[] = [];
    for (const partition of collections.get(from.name)?.values() ?? []) {
      for (const { record } of partition.values()) if (!isExpired(record, now)) records.push(record);
    }
    return records;
  };

  const remove = (from: Collection, partition: string, id: string) => {
    const entries = partitionOf(from, partition);
    entries?.delete(id);
    if (entries?.size === 0) collections.get(from.name)?.delete(partition);
  };

  const write = (into: Collection, record: NewRecord, version: number, order: number) => {
    let partitions = collections.get(into.name);
    if (!partitions) collections.set(into.name, (partitions = new Map()));
    let entries = partitions.get(record.partition);
    if (!entries) partitions.set(record.partition, (entries = new Map()));
    entries.set(record.id, { record: stored(record, version), order });
  };

  /** Whether a unique lookup of `record` already names another live record. */
  const lookupTaken = (into: Collection, record: NewRecord) => {
    if (into.kind !== "directory") return false;
    const unique = Object.entries(record.lookups ?? {}).filter(([name, value]) => value !== null && into.lookups[name] === "unique");
    if (unique.length === 0) return false;
    return allLive(into).some((other) => other.id !== record.id && unique.some(([name, value]) => other.lookups[name] === value));
  };

  const liveIn = (into: Collection, partition: string) => {
    const now = clock.now();
    return [...(partitionOf(into, partition)?.values() ?? [])].filter(({ record }) => !isExpired(record, now));
  };

  /** Changes what is stored and says what to announce, or `null` when the write must not happen. */
  const apply = (change: Write): Change[] | null => {
    if (change.op === "clear") {
      const entries = partitionOf(change.in, change.partition);
      for (const id of [...(entries?.keys() ?? [])]) if (id !== change.keep) remove(change.in, change.partition, id);
      return [
        { collection: change.in.name, partition: change.partition, id: null, ...(change.keep === undefined ? {} : { keep: change.keep }) },
      ];
    }
    const { partition, id } = change.op === "delete" ? change.key : change.record;
    const current = read(change.in, partition, id);
    const told: Change[] = [{ collection: change.in.name, partition, id }];

    if (change.op === "delete") {
      if (change.ifVersion !== undefined && current?.version !== change.ifVersion) return null;
      remove(change.in, partition, id);
      return told;
    }
    if (change.op === "insert") return insert(change, current);
    if (change.op === "replace" && current?.version !== change.ifVersion) return null;
    if (lookupTaken(change.in, change.record)) return null;
    const order = current ? (partitionOf(change.in, partition)?.get(id)?.order ?? nextOrder++) : nextOrder++;
    write(change.in, change.record, (current?.version ?? 0) + 1, order);
    return change.quiet ? [] : told;
  };

  const insert = ({ in: into, record, max, over = "evict" }: InsertWrite, current: StoredRecord | null): Change[] | null => {
    if (current) return sameRecord(current, record) ? [] : null;
    if (lookupTaken(into, record)) return null;
    const told: Change[] = [];
    if (max !== undefined) {
      const others = liveIn(into, record.partition).sort((a, b) => a.order - b.order);
      const excess = others.length + 1 - max;
      if (excess > 0 && over === "refuse") return null;
      for (const { record: oldest } of others.slice(0, Math.max(0, excess))) {
        remove(into, oldest.partition, oldest.id);
        told.push({ collection: into.name, partition: oldest.partition, id: oldest.id });
      }
    }
    write(into, record, 1, nextOrder++);
    return told;
  };

  /** Copies of the partitions that `writes` touch, to go back to when one of them fails. */
  const snapshot = (writes: readonly Write[]) =>
    writes.map(({ in: into, ...write }) => {
      const partition = "record" in write ? write.record.partition : "key" in write ? write.key.partition : write.partition;
      const entries = partitionOf(into, partition);
      return { name: into.name, partition, entries: entries && new Map(entries) };
    });

  return {
    name: "memory",
    persistent: false,
    ordered: true,

    async get(from, { partition, id }) {
      return read(from, partition, id);
    },

    async list(from, partition) {
      if (from.kind !== "partitioned") throw new ConfigError("list", `"${from.name}" is a directory: use find`);
      return liveIn(from, partition)
        .sort((a, b) => a.order - b.order)
        .map(({ record }) => record);
    },

    async find(from, lookup, value, { limit = 100, after } = {}) {
      if (from.kind !== "directory" || !from.lookups[lookup]) throw new ConfigError("find", `"${from.name}" has no lookup "${lookup}"`);
      return allLive(from)
        .filter((record) => record.lookups[lookup] === value && (after === undefined || compareBytes(record.id, after) > 0))
        .sort((a, b) => compareBytes(a.id, b.id))
        .slice(0, limit);
    },

    async take(from, { partition, id }) {
      const record = read(from, partition, id);
      if (!record) return null;
      remove(from, partition, id);
      announce([{ collection: from.name, partition, id }]);
      return record;
    },

    async commit(writes) {
      assertCommit(writes);
      const before = writes.length > 1 ? snapshot(writes) : [];
      const told: Change[] = [];
      for (const write of writes) {
        const changes = apply(write);
        if (!changes) {
          for (const { name, partition, entries } of before) {
            if (entries) collections.get(name)?.set(partition, entries);
            else collections.get(name)?.delete(partition);
          }
          return false;
        }
        told.push(...changes);
      }
      announce(told);
      return true;
    },

    async count(counter, { by, window, now }) {
      const current = counters.get(counter);
      const open = current && now < current.resetAt ? current : null;
      if (!open && by < 0) return { count: 0, resetAt: now };
      const next = { count: Math.max(0, (open?.count ?? 0) + by), resetAt: open?.resetAt ?? now + window * 1000 };
      counters.set(counter, next);
      return { ...next };
    },

    async scan(from, { limit = 100, after } = {}) {
      const start = after === undefined ? 0 : Number(after);
      const records = allLive(from).sort((a, b) => compareBytes(a.partition, b.partition) || compareBytes(a.id, b.id));
      const page = records.slice(start, start + limit);
      return { records: page, next: start + limit < records.length ? String(start + limit) : null };
    },

    async sweep({ limit = 1000 } = {}) {
      const now = clock.now();
      const counts: Record<string, number> = {};
      let left = limit;
      const tally = (name: string) => {
        counts[name] = (counts[name] ?? 0) + 1;
        left -= 1;
      };
      for (const [name, partitions] of collections) {
        for (const [partition, entries] of partitions) {
          for (const [id, { record }] of entries) {
            if (left <= 0) return counts;
            if (!isExpired(record, now)) continue;
            entries.delete(id);
            tally(name);
          }
          if (entries.size === 0) partitions.delete(partition);
        }
      }
      for (const [counter, { resetAt }] of counters) {
        if (left <= 0) return counts;
        if (now < resetAt) continue;
        counters.delete(counter);
        tally("counters");
      }
      return counts;
    },

    async watch(onChange) {
      watchers.add(onChange);
      return { close: async () => void watchers.delete(onChange) };
    },

    async migrate() {},

    async close() {
      watchers.clear();
    },
  };

  function announce(changes: readonly Change[]) {
    for (const change of changes) for (const watcher of watchers) watcher(change);
  }
}

function isExpired(record: { readonly expiresAt: number | null }, now: number): boolean {
  return record.expiresAt !== null && now >= record.expiresAt;
}

/** A copy, so that neither side can change what the other holds. */
function stored({ partition, id, value, expiresAt, lookups }: NewRecord, version: number): StoredRecord {
  return Object.freeze({ partition, id, value: Buffer.from(value), expiresAt, lookups: Object.freeze({ ...lookups }), version });
}

function sameRecord(current: StoredRecord, record: NewRecord): boolean {
  const names = new Set([...Object.keys(current.lookups), ...Object.keys(record.lookups ?? {})]);
  return (
    current.version === 1 &&
    current.expiresAt === record.expiresAt &&
    Buffer.compare(current.value, record.value) === 0 &&
    [...names].every((name) => (current.lookups[name] ?? null) === (record.lookups?.[name] ?? null))
  );
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
