import assert from "node:assert/strict";
import type {
  ClearWrite,
  Collection,
  DeleteWrite,
  DirectoryCollection,
  InsertWrite,
  NewRecord,
  PartitionedCollection,
  PutWrite,
  RecordKey,
  RecordStore,
  ReplaceWrite,
  StoredRecord,
} from "../../storage/record-store.ts";
import type { TestClock } from "../clock.ts";

/** What each test of the suite is given: a store of its own, empty, and the clock it goes by. */
export interface StoreUnderTest {
  readonly store: RecordStore;
  readonly clock: TestClock;
}

/** Declares one test of the suite. */
export type DeclareTest = (name: string, body: (given: StoreUnderTest) => Promise<void>) => void;

export const notes: PartitionedCollection = { kind: "partitioned", name: "conformance_notes" };
export const marks: PartitionedCollection = { kind: "partitioned", name: "conformance_marks" };
export const people: DirectoryCollection = {
  kind: "directory",
  name: "conformance_people",
  lookups: { email: "unique", handle: "unique", team: "plain" },
};
export const badges: DirectoryCollection = { kind: "directory", name: "conformance_badges", lookups: { serial: "unique", owner: "plain" } };

/** An hour: no test may take this long, so that no backend's own expiry gets ahead of the test's clock. */
export const HOUR = 3600;

/** A record of {@link notes} or {@link marks}: in partition `p`, never expiring, its value its id, unless said otherwise. */
export function note(id: string, rest: Partial<NewRecord> = {}): NewRecord {
  return { partition: "p", id, value: Buffer.from(id), expiresAt: null, ...rest };
}

/** A record of {@link people} or {@link badges}. */
export function person(id: string, lookups: NewRecord["lookups"] = {}, rest: Partial<NewRecord> = {}): NewRecord {
  return { partition: "", id, value: Buffer.from(id), expiresAt: null, lookups, ...rest };
}

export function insert(into: Collection, record: NewRecord, cap: Pick<InsertWrite, "max" | "over"> = {}): InsertWrite {
  return { op: "insert", in: into, record, ...cap };
}

export function put(into: Collection, record: NewRecord): PutWrite {
  return { op: "put", in: into, record };
}

export function replace(into: Collection, record: NewRecord, ifVersion: number): ReplaceWrite {
  return { op: "replace", in: into, record, ifVersion };
}

export function remove(from: Collection, { partition, id }: RecordKey, ifVersion?: number): DeleteWrite {
  return { op: "delete", in: from, key: { partition, id }, ...(ifVersion === undefined ? {} : { ifVersion }) };
}

export function clear(from: PartitionedCollection, partition: string, keep?: string): ClearWrite {
  return { op: "clear", in: from, partition, ...(keep === undefined ? {} : { keep }) };
}

/** Writes that the test takes for granted. */
export async function given(store: RecordStore, ...writes: Parameters<RecordStore["commit"]>[0]): Promise<void> {
  assert.equal(await store.commit(writes), true, "the writes a test starts from must succeed");
}

/** Fails unless `actual` is `expected` at `version`, byte for byte. */
export function assertRecord(actual: StoredRecord | null | undefined, expected: NewRecord, version = 1): void {
  assert.ok(actual, `record ${JSON.stringify(expected.id)} is missing`);
  assert.deepEqual(plain(actual, actual.version), plain(expected, version));
}

/** A record without what may differ between two equal ones: the class of its bytes, lookups left out or `null`. */
function plain({ partition, id, value, expiresAt, lookups = {} }: NewRecord, version: number) {
  const named = Object.entries(lookups).filter(([, found]) => found !== null);
  return { partition, id, value: Buffer.from(value).toString("latin1"), expiresAt, lookups: Object.fromEntries(named), version };
}

export function ids(records: readonly RecordKey[]): string[] {
  return records.map(({ id }) => id);
}

/** Ids of a partition, oldest first. */
export async function listed(store: RecordStore, from: Collection = notes, partition = "p"): Promise<string[]> {
  return ids(await store.list(from, partition));
}

/** Runs `attempt` `times` times at once. */
export function race<T>(times: number, attempt: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => attempt(index)));
}

/** `count` names that sort as they count: `n000`, `n001`, ... */
export function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `n${String(index).padStart(3, "0")}`);
}
