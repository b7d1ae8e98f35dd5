import { assertFlag, assertOptions } from "../../check-options.ts";
import { ConfigError } from "../../errors.ts";
import { assertStore, assertWithout } from "../../storage/check-store.ts";
import { digestOf } from "../../storage/refused-records.ts";
import type { Collection, DirectoryCollection, NewRecord, RecordStore, Scanned, StoredRecord } from "../../storage/record-store.ts";
import { kitCollections } from "../sql/collections.ts";
import { createEnvelopes, sameLookups, sealedUnder, type Envelopes, type Flaw, type UnreadableRecord } from "./envelope.ts";
import { INDEX_MARK, markOf } from "./index-mark.ts";
import { keyIds, resolveKeyIds, resolveKeys, type StoreKeys } from "./keys.ts";

/** Options of {@link reencrypt}. */
export interface ReencryptOptions extends StoreKeys {
  /** What to go through. Default: the collections of `createAuth`; where others are kept too, give all of them, or a key may go that they need. */
  collections?: readonly Collection[] | undefined;
  /** Writes nothing, and says what it would. Default: false. */
  dryRun?: boolean | undefined;
  /**
   * Hashes lookups anew, under an `indexKey` that was changed. Stop the application before: until this has finished, nothing is found
   * and, from their next start, processes refuse to. Default: false, which reports records of another index key as `moved_lookups`.
   */
  reindex?: boolean | undefined;
  /** Seals what was written before encryption was switched on. Stop the application before. Default: false, which reports it as `malformed`. */
  sealPlaintext?: boolean | undefined;
  /** Goes on where a report's `next` says, instead of at the beginning. */
  from?: string | undefined;
  /** Stops after the record at hand. */
  signal?: AbortSignal | undefined;
  /** Called after each page of some 100 records. */
  onProgress?: ((report: ReencryptReport) => void) | undefined;
}

/** What {@link reencrypt} did: `scanned` = `current` + `rewritten` + `vanished` + `failed`. */
export interface ReencryptReport {
  readonly scanned: number;
  /** Rest under the first key already. */
  readonly current: number;
  /** In a dry run: that would be. */
  readonly rewritten: number;
  /** Removed by others meanwhile. */
  readonly vanished: number;
  /** Could not be opened, and were left as they are. */
  readonly failed: number;
  /** The first 1,000 of them. */
  readonly unreadable: readonly UnreadableRecord[];
  /** Whether it came to the end. What it did is kept: the next run goes over it without writing. */
  readonly finished: boolean;
  /** What another run is given as `from` to go on from here; `null` at the end. Some hundred records may be gone over again. */
  readonly next: string | null;
}

/** How many records rest under one key. */
export interface KeyUse {
  /** `null`: records that are not sealed, or that the store underneath cannot read, so that any key may be theirs. */
  readonly keyId: string | null;
  /** Its place in `keys`, the sealing one being 0; `null`: none of them, so those records cannot be read. */
  readonly position: number | null;
  readonly records: number;
}

/**
 * Rewrites what does not rest under the first of `keys`, a page at a time, while the application runs: each record is replaced only if
 * nobody else did meanwhile, keeps its expiry and place, and its watchers are not told. Safe to stop and to run again, and several at once.
 * One bad record does not end the run. Costs one write a record that is not current.
 *
 * First give every process the new key (first or not), or some could not read what this writes.
 *
 * @param store what `encrypted` wraps, not its result.
 * @throws {ConfigError} for an option at fault. @throws {StorageError} when the store is away: run it again.
 * @example await reencrypt(redisStore({ client }), { keys: [next, previous], indexKey })
 */
export async function reencrypt(store: RecordStore, options: ReencryptOptions): Promise<ReencryptReport> {
  assertOptions("reencrypt", options, OPTIONS);
  const {
    collections = kitCollections,
    dryRun = false,
    reindex = false,
    sealPlaintext = false,
    from,
    signal,
    onProgress = () => {},
  } = options;
  assertTarget("reencrypt", store, collections);
  for (const [name, flag] of Object.entries({ dryRun, reindex, sealPlaintext })) assertFlag(`reencrypt.${name}`, flag);
  const keys = resolveKeys("reencrypt", options);
  const envelopes = createEnvelopes(keys);
  const [currentId] = keyIds(keys.values);
  const rehash = reindex || sealPlaintext;
  const unreadable: UnreadableRecord[] = [];
  const counts = { scanned: 0, current: 0, rewritten: 0, vanished: 0, failed: 0 };
  const report = (next: string | null): ReencryptReport => ({ ...counts, unreadable: [...unreadable], finished: next === null, next });
  const start = resolveStart(from, collections);

  /** What a record should rest as; `null` when it does. */
  const renew = (from: Collection, stored: StoredRecord): NewRecord | Flaw | null => {
    const keyId = sealedUnder(stored.value);
    if (keyId === null) return sealPlaintext ? envelopes.seal(from, stored) : "malformed";
    const opened = envelopes.open(from, stored, rehash ? "any index" : "this index");
    if ("flaw" in opened) return opened.flaw;
    const fresh = envelopes.seal(from, opened.record);
    return keyId === currentId && sameLookups(fresh.lookups, stored.lookups) ? null : fresh;
  };

  const rewrite = async (from: Collection, found: StoredRecord): Promise<keyof typeof counts> => {
    for (let stored: StoredRecord | null = found; stored; stored = await store.get(from, found)) {
      const fresh = renew(from, stored);
      if (fresh === null) return "current";
      if (typeof fresh === "string") {
        const seen = { collection: from.name, record: digestOf(stored), flaw: fresh, keyId: sealedUnder(stored.value) };
        if (unreadable.length < MAX_LISTED) unreadable.push(seen);
        return "failed";
      }
      if (dryRun) return "rewritten";
      if (await store.commit([{ op: "replace", in: from, record: fresh, ifVersion: stored.version, quiet: true }])) return "rewritten";
    }
    return "vanished";
  };

  for (const [position, from] of collections.entries()) {
    if (position < start.position) continue;
    let at = position === start.position ? start.after : null;
    const indexed = rehash && !dryRun && from.kind === "directory" && Object.keys(from.lookups).length > 0 ? from : null;
    if (indexed) await mark(store, envelopes, indexed, markOf());
    for await (const { records, next, unreadable: damaged = 0 } of pages(store, from, at)) {
      counts.scanned += damaged;
      counts.failed += damaged;
      for (const stored of records) {
        if (signal?.aborted) return report(cursorOf(from, at));
        const isMark = from.kind === "directory" && stored.id === INDEX_MARK;
        if (isMark && rehash) continue;
        counts.scanned += 1;
        counts[await rewrite(from, stored)] += 1;
      }
      if (next !== null) onProgress(report(cursorOf(from, (at = next))));
    }
    if (indexed) await mark(store, envelopes, indexed, markOf(envelopes.indexFingerprint));
    const following = collections[position + 1];
    if (following) onProgress(report(cursorOf(following, null)));
  }
  return report(null);
}

/**
 * Counts which keys records rest under: one of `keys` that the answer does not name may be dropped, unless it also names `null`. Opens and
 * writes nothing.
 * @throws {ConfigError} for an option at fault.
 */
export async function checkKeys(store: RecordStore, options: Pick<ReencryptOptions, "keys" | "collections">): Promise<readonly KeyUse[]> {
  assertOptions("checkKeys", options, ["keys", "collections"]);
  const { keys, collections = kitCollections } = options;
  assertTarget("checkKeys", store, collections);
  const ids = resolveKeyIds("checkKeys", keys);
  const records = new Map<string | null, number>();
  for (const from of collections) {
    for await (const page of pages(store, from)) {
      const count = (keyId: string | null, more: number) => records.set(keyId, (records.get(keyId) ?? 0) + more);
      for (const { value } of page.records) count(sealedUnder(value), 1);
      if (page.unreadable) count(null, page.unreadable);
    }
  }
  return [...records].map(([keyId, count]) => {
    const position = keyId === null ? -1 : ids.indexOf(keyId);
    return { keyId, position: position < 0 ? null : position, records: count };
  });
}

/** Of unreadable records, so that a report has an end. */
const MAX_LISTED = 1000;

const OPTIONS = ["keys", "indexKey", "collections", "dryRun", "reindex", "sealPlaintext", "from", "signal", "onProgress"];

function assertTarget(where: string, store: RecordStore, collections: readonly Collection[]): void {
  assertStore(where, store);
  assertWithout(where, store, "encrypted", "give the store that encrypted() wraps");
  if (!Array.isArray(collections) || collections.length === 0) throw new ConfigError(`${where}.collections`, "give a list of collections");
}

function cursorOf({ name }: Collection, after: string | null): string {
  return `${name}:${after ?? ""}`;
}

function resolveStart(from: string | undefined, collections: readonly Collection[]): { position: number; after: string | null } {
  if (from === undefined) return { position: 0, after: null };
  const [name, after] = typeof from === "string" ? (/^(\w+):(.*)$/s.exec(from)?.slice(1) ?? []) : [];
  const position = collections.findIndex((each) => each.name === name);
  if (position < 0) throw new ConfigError("reencrypt.from", "give the `next` of a report on these collections");
  return { position, after: after || null };
}

async function* pages(store: RecordStore, from: Collection, start: string | null = null): AsyncGenerator<Scanned> {
  let after = start;
  do {
    const page: Scanned = await store.scan(from, after === null ? {} : { after });
    yield page;
    after = page.next;
  } while (after !== null);
}

async function mark(store: RecordStore, envelopes: Envelopes, from: DirectoryCollection, record: NewRecord): Promise<void> {
  await store.commit([{ op: "put", in: from, record: envelopes.seal(from, record) }]);
}
