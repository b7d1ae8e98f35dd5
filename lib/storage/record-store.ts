import type { Finding } from "./finding.ts";

/**
 * The storage port: what every backend offers, atomic in the same places.
 *
 * Semantics that all backends share, and that `recordStoreConformance` checks:
 * - a record is absent once `now >= expiresAt` by the store's clock (the kit's, never the server's), for every read,
 *   and its place is free for every insert; a backend's own expiry only tidies up;
 * - keys, lookups and values are compared byte by byte: NUL, case and trailing spaces distinguish;
 * - every write may run late or twice without harm.
 */
export interface RecordStore {
  /** What it is, for messages and logs: `memory`, `redis`, ... */
  readonly name: string;
  /** Whether records outlive the process. */
  readonly persistent: boolean;
  /** Whether operations started in order take effect in that order, so that an insert and the read that checks it need one wait, not two. */
  readonly ordered: boolean;
  /** Whether expired records take room until they are swept: `createAuth` does so now and then where they do. Redis drops them itself. */
  readonly keepsExpired: boolean;

  /** One live record, or `null`. One round trip. */
  get(from: Collection, key: RecordKey): Promise<StoredRecord | null>;
  /** A live record that `get` would give just now without asking anybody, for callers that need not wait then; `null`: ask. Left out: nothing is held. */
  held?(from: Collection, key: RecordKey): StoredRecord | null;
  /** Live records of one partition of a partitioned collection, oldest first. One round trip. */
  list(from: Collection, partition: string): Promise<StoredRecord[]>;
  /** Live records of a directory collection whose `lookup` equals `value`, in the order of their ids' bytes. A page under its limit is the last. */
  find(from: Collection, lookup: string, value: string, page?: Page): Promise<StoredRecord[]>;
  /** Removes and returns a live record. Of any number of concurrent callers one gets the record, the others `null`. */
  take(from: Collection, key: RecordKey): Promise<StoredRecord | null>;
  /**
   * Applies every write, or none and resolves to `false`: a key or unique lookup is taken, a cap is full (`over: "refuse"`),
   * or a version moved on. All writes go to one partition of partitioned collections, or all to directory collections.
   *
   * @throws {ConfigError} when the writes cross partitions, or mix the two kinds of collection.
   */
  commit(writes: readonly Write[]): Promise<boolean>;
  /**
   * Adds `by` within a window that starts at the first count and is never extended; -1 gives a reservation back, never below zero
   * and never opening a window. Resolves to the count after it, and the instant (Unix ms) at which the window ends.
   */
  count(counter: string, change: CountChange): Promise<{ count: number; resetAt: number }>;
  /**
   * Live records of a whole collection, a page at a time, in no order; for operators: the cost of all pages is O(all). Never blocks other
   * callers. One that cannot be read hides nothing but itself: it is left out, and counted.
   */
  scan(from: Collection, page?: Page): Promise<Scanned>;
  /** Removes up to about `limit` (1000) expired records and counters, and says how many went, by collection name. */
  sweep(options?: SweepOptions): Promise<Readonly<Record<string, number>>>;
  /** Calls `onChange` for removals (evictions too) and for puts and replaces that are not `quiet`, made by any process on this store; inserts are not told. Resolves once it listens. */
  watch(onChange: (change: Change) => void): Promise<{ close(): Promise<void> }>;
  /** Makes the schema, where the backend has one. Idempotent, and safe when several processes start at once. */
  migrate(): Promise<void>;
  /**
   * What an operator should know: a server that may drop records, a clock that is off, migrations that are due. A few cheap reads, no
   * writes; rejects when the store is away. Optional: a store that has nothing to say leaves it out.
   */
  inspect?(): Promise<readonly Finding[]>;
  /** Ends what the store itself opened: timers, subscribers. Never the client that the application passed. */
  close(): Promise<void>;
}

/**
 * Where records of one kind live. A *partitioned* collection is read by partition alone and spreads over a cluster;
 * a *directory* collection has lookups, and one commit may span several of its records.
 */
export type Collection = PartitionedCollection | DirectoryCollection;

export interface PartitionedCollection {
  readonly kind: "partitioned";
  readonly name: string;
}

export interface DirectoryCollection {
  readonly kind: "directory";
  readonly name: string;
  readonly lookups: Readonly<Record<string, "unique" | "plain">>;
}

/** Names one record. In a directory collection `partition` is always `""`. */
export interface RecordKey {
  readonly partition: string;
  readonly id: string;
}

/** A record as it is written. */
export interface NewRecord extends RecordKey {
  /** Opaque to the store. */
  readonly value: Uint8Array;
  /** Unix ms from which on the record is absent; `null`: never. */
  readonly expiresAt: number | null;
  /** The values it may be found by; `null` or left out: not found by that lookup. Directory collections only. */
  readonly lookups?: Readonly<Record<string, string | null>>;
}

/** A record as it was read. */
export interface StoredRecord extends NewRecord {
  /** 1 when inserted, one more with every put or replace. */
  readonly version: number;
  readonly lookups: Readonly<Record<string, string | null>>;
}

/** One change of a {@link RecordStore.commit}. */
export type Write = InsertWrite | PutWrite | ReplaceWrite | DeleteWrite | ClearWrite;

/** Adds a record whose key and unique lookups are free. Inserting what is already stored, byte for byte at version 1, succeeds again. */
export interface InsertWrite {
  readonly op: "insert";
  readonly in: Collection;
  readonly record: NewRecord;
  /** The most live records its partition may hold afterwards. Partitioned collections only. */
  readonly max?: number;
  /** What gives way at the cap: the oldest inserted (`evict`, the default), or this insert (`refuse`). */
  readonly over?: "evict" | "refuse";
}

/** Writes a record whether or not one is there. */
export interface PutWrite {
  readonly op: "put";
  readonly in: Collection;
  readonly record: NewRecord;
  readonly quiet?: true;
}

/** Writes a record over a live one whose version is still `ifVersion`. */
export interface ReplaceWrite {
  readonly op: "replace";
  readonly in: Collection;
  readonly record: NewRecord;
  readonly ifVersion: number;
  /** Activity, not a change of rights: watchers are not told. */
  readonly quiet?: true;
}

/** Removes a record. Without `ifVersion` it always succeeds; with it, only over a live record at that version. */
export interface DeleteWrite {
  readonly op: "delete";
  readonly in: Collection;
  readonly key: RecordKey;
  readonly ifVersion?: number;
}

/** Removes all records of a partition but `keep`. The same time for one record and for ten thousand. */
export interface ClearWrite {
  readonly op: "clear";
  readonly in: PartitionedCollection;
  readonly partition: string;
  /** The id of a record left in place. */
  readonly keep?: string;
}

export interface CountChange {
  readonly by: 1 | -1;
  /** Length of the window in seconds. */
  readonly window: number;
  /** The kit's clock, Unix ms. */
  readonly now: number;
}

/** A page of {@link RecordStore.scan}. */
export interface Scanned {
  readonly records: StoredRecord[];
  readonly next: string | null;
  /** How many records of the page could not be read: damaged, or of another key. Left out: none. */
  readonly unreadable?: number;
}

export interface SweepOptions {
  readonly limit?: number;
  /** Of several stores behind this one, only those that {@link RecordStore.keepsExpired}; a store that is one may leave it unread. */
  readonly kept?: true;
}

export interface Page {
  /** At most this many. Default 100. */
  readonly limit?: number;
  /** Continue behind this: the last id for `find`, the `next` of the answer before for `scan`. */
  readonly after?: string;
}

/** What {@link RecordStore.watch} tells: a record, or with `id: null` a whole partition but `keep`, was removed or had its rights changed. */
export interface Change {
  readonly collection: string;
  readonly partition: string;
  readonly id: string | null;
  readonly keep?: string;
}
