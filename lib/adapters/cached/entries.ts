import type { RecordKey, StoredRecord } from "../../storage/record-store.ts";

/** A moment by two clocks, in ms. */
export interface Instant {
  readonly at: number;
  readonly tick: number;
}

/** A record as it was read, and when that read began. */
export interface Entry {
  readonly record: StoredRecord;
  readonly readAt: Instant;
}

interface Placed extends Entry {
  readonly place: string;
}

/** The entries of a cache, of which the one used longest ago gives way. They are dropped by partition. */
export interface Entries {
  get(collection: string, key: RecordKey): Entry | undefined;
  set(collection: string, entry: Entry): void;
  drop(collection: string, partition: string): void;
  clear(): void;
}

/** @param max entries, at least 1. */
export function createEntries(max: number): Entries {
  /** In the order of their last use. */
  const entries = new Map<string, Placed>();
  /** What is cached of each partition. */
  const places = new Map<string, Set<string>>();

  const remove = (name: string, place: string) => {
    entries.delete(name);
    const names = places.get(place);
    names?.delete(name);
    if (names?.size === 0) places.delete(place);
  };

  return {
    get(collection, key) {
      const name = nameOf(collection, key);
      const entry = entries.get(name);
      if (!entry) return undefined;
      entries.delete(name);
      entries.set(name, entry);
      return entry;
    },

    set(collection, entry) {
      const name = nameOf(collection, entry.record);
      const place = placeOf(collection, entry.record.partition);
      entries.delete(name);
      entries.set(name, { ...entry, place });
      const names = places.get(place);
      if (names) names.add(name);
      else places.set(place, new Set([name]));
      if (entries.size <= max) return;
      for (const [oldest, { place: left }] of entries) return remove(oldest, left);
    },

    drop(collection, partition) {
      const place = placeOf(collection, partition);
      for (const name of places.get(place) ?? []) entries.delete(name);
      places.delete(place);
    },

    clear() {
      entries.clear();
      places.clear();
    },
  };
}

/** Names a partition of a collection. Lengths go before texts, as texts may hold any separator. */
export function placeOf(collection: string, partition: string): string {
  return `${collection.length}:${collection}${partition}`;
}

function nameOf(collection: string, { partition, id }: RecordKey): string {
  return `${collection.length}:${partition.length}:${collection}${partition}${id}`;
}
