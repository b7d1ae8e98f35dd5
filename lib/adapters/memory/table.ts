import type { StoredRecord } from "../../storage/record-store.ts";

/** A record with what only the store needs: its place in the order of insertion. */
export interface Entry {
  readonly record: StoredRecord;
  readonly order: number;
}

/**
 * The entries of one collection: by partition and id, and by the values of their lookups, so that neither a find nor a
 * check of uniqueness goes through all of them. It knows nothing of time: expired entries are entries.
 * Each change returns the function that takes it back; several are taken back in reverse.
 */
export interface Table {
  get(partition: string, id: string): Entry | undefined;
  /** Entries of one partition, in no order. */
  inPartition(partition: string): Iterable<Entry>;
  /** Entries of the whole collection, in no order. */
  all(): Iterable<Entry>;
  /** Entries of partition `""` whose `lookup` is `value`, in no order. */
  named(lookup: string, value: string): Iterable<Entry>;
  set(entry: Entry): () => void;
  remove(partition: string, id: string): () => void;
  /** Removes a partition but `keep`, in the same time whatever its size. For records without lookups. */
  clear(partition: string, keep: string | undefined): () => void;
}

export function createTable(): Table {
  const partitions = new Map<string, Map<string, Entry>>();
  /** lookup -> value -> ids; an id stands here exactly while its entry has that value. */
  const index = new Map<string, Map<string, Set<string>>>();

  /** Puts `entry`, or nothing, where the entry of that key is. */
  const write = (partition: string, id: string, entry: Entry | undefined) => {
    const entries = partitions.get(partition) ?? new Map<string, Entry>();
    const before = entries.get(id);
    if (before) for (const [lookup, value] of Object.entries(before.record.lookups)) unindex(lookup, value, id);
    if (entry) entries.set(id, entry);
    else entries.delete(id);
    if (entry) for (const [lookup, value] of Object.entries(entry.record.lookups)) reindex(lookup, value, id);
    if (entries.size > 0) partitions.set(partition, entries);
    else partitions.delete(partition);
    return before;
  };

  const reindex = (lookup: string, value: string | null, id: string) => {
    if (value === null) return;
    const values = index.get(lookup) ?? new Map<string, Set<string>>();
    index.set(lookup, values);
    const ids = values.get(value);
    if (ids) ids.add(id);
    else values.set(value, new Set([id]));
  };

  const unindex = (lookup: string, value: string | null, id: string) => {
    if (value === null) return;
    const values = index.get(lookup);
    const ids = values?.get(value);
    ids?.delete(id);
    if (ids?.size === 0) values?.delete(value);
  };

  return {
    get: (partition, id) => partitions.get(partition)?.get(id),

    inPartition: (partition) => partitions.get(partition)?.values() ?? [],

    *all() {
      for (const entries of partitions.values()) yield* entries.values();
    },

    *named(lookup, value) {
      for (const id of index.get(lookup)?.get(value) ?? []) {
        const entry = partitions.get("")?.get(id);
        if (entry) yield entry;
      }
    },

    set(entry) {
      const { partition, id } = entry.record;
      const before = write(partition, id, entry);
      return () => void write(partition, id, before);
    },

    remove(partition, id) {
      const before = write(partition, id, undefined);
      return () => void (before && write(partition, id, before));
    },

    clear(partition, keep) {
      const before = partitions.get(partition);
      const kept = keep === undefined ? undefined : before?.get(keep);
      if (kept) partitions.set(partition, new Map([[kept.record.id, kept]]));
      else partitions.delete(partition);
      return () => void (before && partitions.set(partition, before));
    },
  };
}
