import { systemClock, type Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import { assertCommit } from "../../storage/commit.ts";
import type {
  Change,
  Collection,
  DeleteWrite,
  InsertWrite,
  NewRecord,
  PutWrite,
  RecordStore,
  ReplaceWrite,
  StoredRecord,
  Write,
} from "../../storage/record-store.ts";
import { createTable, type Entry, type Table } from "./table.ts";

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock;
}

/** What a write did: what to tell watchers, and how to take it back. `null` when it must not happen. */
type Effect = { readonly told: readonly Change[]; readonly undo: readonly (() => void)[] } | null;

/**
 * Keeps records in this process: for development, tests and single-process tools. Nothing survives a restart, so
 * `createAuth` refuses it in production. There is no `await` between a check and its write, so every operation is atomic.
 *
 * @example createAuth({ store: memoryStore() });
 */
export function memoryStore({ clock = systemClock }: MemoryStoreOptions = {}): RecordStore {
  const tables = new Map<string, Table>();
  const counters = new Map<string, { count: number; resetAt: number }>();
  const watchers = new Set<(change: Change) => void>();
  let nextOrder = 0;

  const tableOf = ({ name }: Collection) => {
    let table = tables.get(name);
    if (!table) tables.set(name, (table = createTable()));
    return table;
  };

  const live = (entries: Iterable<Entry>) => {
    const now = clock.now();
    return [...entries].filter(({ record }) => !isExpired(record, now));
  };

  const read = (from: Collection, partition: string, id: string) => {
    const entry = tableOf(from).get(partition, id);
    return entry && !isExpired(entry.record, clock.now()) ? entry : null;
  };

  /** Whether a unique lookup of `record` names another live record. */
  const lookupTaken = (into: Collection, { id, lookups = {} }: NewRecord) =>
    into.kind === "directory" &&
    Object.entries(lookups).some(
      ([lookup, value]) =>
        value !== null &&
        into.lookups[lookup] === "unique" &&
        live(tableOf(into).named(lookup, value)).some(({ record }) => record.id !== id),
    );

  const apply = (write: Write): Effect => {
    switch (write.op) {
      case "insert":
        return insert(write);
      case "put":
      case "replace":
        return overwrite(write);
      case "delete":
        return remove(write);
      case "clear": {
        const { in: from, partition, keep } = write;
        const told = { collection: from.name, partition, id: null, ...(keep === undefined ? {} : { keep }) };
        return { told: [told], undo: [tableOf(from).clear(partition, keep)] };
      }
    }
  };

  const insert = ({ in: into, record, max = Infinity, over = "evict" }: InsertWrite): Effect => {
    const current = read(into, record.partition, record.id);
    if (current) return isRepeated(current.record, record) ? { told: [], undo: [] } : null;
    if (lookupTaken(into, record)) return null;
    const table = tableOf(into);
    const others = max === Infinity ? [] : live(table.inPartition(record.partition)).sort(byOrder);
    const evicted = others.slice(0, Math.max(0, others.length + 1 - max)).map((entry) => entry.record);
    if (evicted.length > 0 && over === "refuse") return null;
    return {
      told: evicted.map(({ partition, id }) => ({ collection: into.name, partition, id })),
      undo: [
        ...evicted.map(({ partition, id }) => table.remove(partition, id)),
        table.set({ record: stored(record, 1), order: nextOrder++ }),
      ],
    };
  };

  const overwrite = (write: PutWrite | ReplaceWrite): Effect => {
    const { in: into, record, quiet } = write;
    const current = read(into, record.partition, record.id);
    if (write.op === "replace" && current?.record.version !== write.ifVersion) return null;
    if (lookupTaken(into, record)) return null;
    const entry = { record: stored(record, (current?.record.version ?? 0) + 1), order: current?.order ?? nextOrder++ };
    const told = { collection: into.name, partition: record.partition, id: record.id };
    return { told: quiet ? [] : [told], undo: [tableOf(into).set(entry)] };
  };

  const remove = ({ in: from, key: { partition, id }, ifVersion }: DeleteWrite): Effect => {
    if (ifVersion !== undefined && read(from, partition, id)?.record.version !== ifVersion) return null;
    return { told: [{ collection: from.name, partition, id }], undo: [tableOf(from).remove(partition, id)] };
  };

  const announce = (changes: readonly Change[]) => {
    for (const change of changes) for (const watcher of watchers) watcher(change);
  };

  return {
    name: "memory",
    persistent: false,
    keepsExpired: true,
    ordered: true,

    async get(from, { partition, id }) {
      const entry = read(from, partition, id);
      return entry && copy(entry.record);
    },

    async list(from, partition) {
      if (from.kind !== "partitioned") throw new ConfigError("list", `"${from.name}" is a directory: use find`);
      return live(tableOf(from).inPartition(partition))
        .sort(byOrder)
        .map(({ record }) => copy(record));
    },

    async find(from, lookup, value, { limit = 100, after } = {}) {
      if (from.kind !== "directory" || !from.lookups[lookup]) throw new ConfigError("find", `"${from.name}" has no lookup "${lookup}"`);
      return live(tableOf(from).named(lookup, value))
        .filter(({ record }) => after === undefined || compareBytes(record.id, after) > 0)
        .sort((a, b) => compareBytes(a.record.id, b.record.id))
        .slice(0, limit)
        .map(({ record }) => copy(record));
    },

    async take(from, { partition, id }) {
      const entry = read(from, partition, id);
      if (!entry) return null;
      tableOf(from).remove(partition, id);
      announce([{ collection: from.name, partition, id }]);
      return copy(entry.record);
    },

    async commit(writes) {
      assertCommit(writes);
      const effects: Exclude<Effect, null>[] = [];
      for (const write of writes) {
        const effect = apply(write);
        if (!effect) {
          for (const undo of effects.flatMap((earlier) => earlier.undo).reverse()) undo();
          return false;
        }
        effects.push(effect);
      }
      announce(effects.flatMap(({ told }) => told));
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
      if (after !== undefined && !/^\d{1,16}$/.test(after)) throw new ConfigError("scan", "`after` must be the `next` of the page before");
      // In the order of insertion, so that a page can start behind a record that is gone since.
      const rest = live(tableOf(from).all())
        .filter(({ order }) => after === undefined || order > Number(after))
        .sort(byOrder);
      const page = rest.slice(0, limit);
      return { records: page.map(({ record }) => copy(record)), next: rest.length > limit ? String(page.at(-1)?.order) : null };
    },

    async sweep({ limit = 1000 } = {}) {
      const now = clock.now();
      const removed: Record<string, number> = {};
      let left = limit;
      const tally = (name: string) => {
        removed[name] = (removed[name] ?? 0) + 1;
        left -= 1;
      };
      for (const [name, table] of tables) {
        for (const { record } of table.all()) {
          if (left <= 0) return removed;
          if (!isExpired(record, now)) continue;
          table.remove(record.partition, record.id);
          tally(name);
        }
      }
      for (const [counter, { resetAt }] of counters) {
        if (left <= 0) return removed;
        if (now < resetAt) continue;
        counters.delete(counter);
        tally("counters");
      }
      return removed;
    },

    async watch(onChange) {
      const watcher = (change: Change) => onChange(change); // one per call, though a function may watch twice
      watchers.add(watcher);
      return { close: async () => void watchers.delete(watcher) };
    },

    async migrate() {},

    async close() {
      watchers.clear();
    },
  };
}

function isExpired(record: StoredRecord, now: number): boolean {
  return record.expiresAt !== null && now >= record.expiresAt;
}

/** A record as the store keeps it: shared with no caller. */
function stored({ partition, id, value, expiresAt, lookups }: NewRecord, version: number): StoredRecord {
  return { partition, id, value: Buffer.from(value), expiresAt, lookups: Object.freeze({ ...lookups }), version };
}

/** A record as a caller gets it, who may do with its bytes as they like. */
function copy(record: StoredRecord): StoredRecord {
  return { ...record, value: Buffer.from(record.value) };
}

/** Whether inserting `record` only repeats how `current` was inserted. */
function isRepeated(current: StoredRecord, { value, expiresAt, lookups = {} }: NewRecord): boolean {
  const names = [...Object.keys(current.lookups), ...Object.keys(lookups)];
  return (
    current.version === 1 &&
    current.expiresAt === expiresAt &&
    Buffer.compare(current.value, value) === 0 &&
    names.every((name) => (current.lookups[name] ?? null) === (lookups[name] ?? null))
  );
}

function byOrder(a: Entry, b: Entry): number {
  return a.order - b.order;
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
