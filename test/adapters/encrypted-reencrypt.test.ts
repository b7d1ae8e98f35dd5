import { describe, expect, it } from "vitest";
import { checkKeys, encrypted, reencrypt, type ReencryptOptions, type ReencryptReport } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { ConfigError, StorageError } from "../../lib/errors.ts";
import { directoryCollection, directoryKey, partitionedCollection } from "../../lib/storage/collection.ts";
import type { Change, NewRecord, RecordStore, StoredRecord } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/index.ts";

const [OLD, NEW] = ["the old key for tests, of 32 bytes", "the new key for tests, of 32 bytes"];
const [INDEX_KEY, NEW_INDEX_KEY] = ["an index key for tests, of 32 bytes", "another index key, of 32 bytes or more"];
const notes = partitionedCollection("notes");
const people = directoryCollection("people", { email: "unique", team: "plain" });
const collections = [notes, people];
const rotation = { keys: [NEW, OLD], indexKey: INDEX_KEY, collections };

const note = (id: string): NewRecord => ({ partition: `p${id}`, id, value: Buffer.from(`text of ${id}`), expiresAt: null });
const person = (id: string): NewRecord => ({
  ...directoryKey(id),
  value: Buffer.from(`text of ${id}`),
  expiresAt: null,
  lookups: { email: `${id}@example.com`, team: "red" },
});
const ids = Array.from({ length: 150 }, (_, index) => `r${String(index).padStart(3, "0")}`);

async function filled(keys: string | null = OLD) {
  const clock = createTestClock();
  const inner = memoryStore({ clock });
  const store = keys === null ? inner : encrypted(inner, { keys, indexKey: INDEX_KEY });
  const expiresAt = clock.now() + 60_000;
  for (const id of ids) await store.commit([{ op: "insert", in: notes, record: { ...note(id), expiresAt } }]);
  for (const id of ids) await store.commit([{ op: "insert", in: people, record: person(id) }]);
  return { clock, inner, expiresAt };
}

async function assertWhole(store: RecordStore) {
  for (const id of ids) {
    expect(Buffer.from((await store.get(notes, note(id)))?.value ?? []).toString()).toBe(`text of ${id}`);
    const [found] = await store.find(people, "email", `${id}@example.com`);
    expect([found?.id, Buffer.from(found?.value ?? []).toString()]).toEqual([id, `text of ${id}`]);
  }
  expect((await store.find(people, "team", "red", { limit: 200 })).map(({ id }) => id)).toEqual(ids);
}

const total = ({ current, rewritten, vanished, failed }: ReencryptReport) => current + rewritten + vanished + failed;
const withKeys = (inner: RecordStore, keys: string | string[], indexKey = INDEX_KEY) =>
  encrypted(inner, { keys, indexKey, onUnreadable: () => {} });

describe("reencrypt", () => {
  it("moves everything under the first key, so that the old one can go, and keeps expiries", async () => {
    const { inner, expiresAt } = await filled();

    const report = await reencrypt(inner, rotation);

    expect(report).toMatchObject({ scanned: 301, rewritten: 301, current: 0, failed: 0, finished: true }); // one is the index key's mark
    await assertWhole(withKeys(inner, NEW));
    expect((await inner.get(notes, note("r000")))?.expiresAt).toBe(expiresAt);
    expect(await reencrypt(inner, rotation)).toMatchObject({ scanned: 301, rewritten: 0, current: 301 });
  });

  it("says in a dry run what it would do, and writes nothing", async () => {
    const { inner } = await filled();
    const frozen: RecordStore = { ...inner, commit: () => Promise.reject(new Error("a dry run writes")) };

    const report = await reencrypt(frozen, { ...rotation, dryRun: true });

    expect(report).toMatchObject({ scanned: 301, rewritten: 301, finished: true });
    await assertWhole(withKeys(inner, OLD));
  });

  it("goes on where it was interrupted, by a signal or by a store that failed, and the application reads all the while", async () => {
    const { inner } = await filled();
    const reader = withKeys(inner, [NEW, OLD]);
    const stop = new AbortController();
    const seen: number[] = [];

    const first = await reencrypt(inner, {
      ...rotation,
      signal: stop.signal,
      onProgress: ({ scanned }) => {
        seen.push(scanned);
        stop.abort();
      },
    });
    await assertWhole(reader);
    let writes = 0;
    const failing: RecordStore = {
      ...inner,
      commit: (all) => ((writes += 1) > 60 ? Promise.reject(new StorageError()) : inner.commit(all)),
    };
    await expect(reencrypt(failing, rotation)).rejects.toThrow(StorageError);
    await assertWhole(reader);
    const last = await reencrypt(inner, rotation);

    expect(first).toMatchObject({ scanned: 100, rewritten: 100, finished: false });
    expect(seen).toEqual([100]);
    expect(last).toMatchObject({ scanned: 301, current: 160, rewritten: 141, finished: true });
    await assertWhole(withKeys(inner, NEW));
  });

  it("loses no write of the application, and brings nothing back that it removed", async () => {
    const { inner } = await filled();
    const app = withKeys(inner, [NEW, OLD]);
    const changed = { ...note("r001"), value: Buffer.from("changed meanwhile") };
    const meddling: RecordStore = {
      ...inner,
      // Between its read and its write of each record, that record is changed or removed.
      commit: async (writes) => {
        const [write] = writes;
        if (write?.op === "replace" && write.record.id === "r001" && write.ifVersion === 1)
          await app.commit([{ op: "put", in: notes, record: changed }]);
        if (write?.op === "replace" && write.record.id === "r002") await app.take(write.in, write.record);
        return inner.commit(writes);
      },
    };

    const report = await reencrypt(meddling, { ...rotation, collections: [notes] });

    expect(report).toMatchObject({ scanned: 150, rewritten: 148, current: 1, vanished: 1 });
    const reader = withKeys(inner, NEW);
    expect(Buffer.from((await reader.get(notes, changed))?.value ?? []).toString()).toBe("changed meanwhile");
    expect(await reader.get(notes, note("r002"))).toBeNull();
  });

  it("may run several times at once", async () => {
    const { inner } = await filled();

    const reports = await Promise.all([reencrypt(inner, rotation), reencrypt(inner, rotation), reencrypt(inner, rotation)]);

    for (const report of reports) expect(report).toMatchObject({ scanned: 301, failed: 0, vanished: 0, finished: true });
    expect(reports.reduce((sum, { rewritten }) => sum + rewritten, 0)).toBe(301);
    await assertWhole(withKeys(inner, NEW));
  });

  it("tells watchers nothing: no right has changed", async () => {
    const { inner } = await filled();
    const heard: Change[] = [];
    await inner.watch((change) => heard.push(change));

    await reencrypt(inner, rotation);

    expect(heard).toEqual([]);
  });

  it("rule 49: passes by what it cannot open, says so without naming it, and leaves it as it is", async () => {
    const { inner } = await filled();
    const stored = (await inner.get(notes, note("r001"))) as StoredRecord;
    await withKeys(inner, "a key that nobody knows any more, alas").commit([{ op: "put", in: notes, record: note("r002") }]);
    const lost = (await inner.get(notes, note("r002"))) as StoredRecord;
    await inner.commit([{ op: "put", in: notes, record: { ...note("r001"), value: Buffer.from("in the clear") } }]);
    await inner.commit([{ op: "put", in: notes, record: { ...stored, id: "moved" } }]);

    for (const dryRun of [true, false]) {
      const report = await reencrypt(inner, { ...rotation, dryRun });
      expect(report.failed).toBe(3);
      expect(total(report)).toBe(report.scanned);
      expect(report.unreadable.map(({ flaw }) => flaw).sort()).toEqual(["malformed", "not_authentic", "unknown_key"]);
      expect(JSON.stringify(report)).not.toMatch(/r00\d|moved/);
    }
    expect(Buffer.from((await inner.get(notes, note("r001")))?.value ?? []).toString()).toBe("in the clear");
    expect((await inner.get(notes, note("r002")))?.value).toEqual(lost.value);
  });

  it("hashes lookups anew, and keeps everybody out until it has finished", async () => {
    const { inner } = await filled();
    const options = { ...rotation, keys: OLD, indexKey: NEW_INDEX_KEY, reindex: true };
    const stop = new AbortController();
    const open = (indexKey: string) => withKeys(inner, OLD, indexKey).find(people, "email", "r000@example.com");

    await expect(open(NEW_INDEX_KEY)).rejects.toThrow(StorageError);
    await reencrypt(inner, { ...options, collections: [people], signal: stop.signal, onProgress: () => stop.abort() });
    for (const indexKey of [INDEX_KEY, NEW_INDEX_KEY]) {
      await expect(open(indexKey)).rejects.toMatchObject({
        status: 503,
        cause: { message: expect.stringContaining("let reencrypt finish") },
      });
    }
    const report = await reencrypt(inner, options);

    expect(report).toMatchObject({ failed: 0, finished: true });
    await expect(open(INDEX_KEY)).rejects.toThrow(StorageError);
    await assertWhole(withKeys(inner, OLD, NEW_INDEX_KEY));
  });

  it("without `reindex` refuses lookups of another index key rather than touch them", async () => {
    const { inner } = await filled();

    const report = await reencrypt(inner, { ...rotation, indexKey: NEW_INDEX_KEY, collections: [people] });

    expect(report).toMatchObject({ scanned: 151, failed: 150, rewritten: 1 });
    await assertWhole(withKeys(inner, [NEW, OLD]));
  });

  it("seals a store that was kept in the clear, and nobody is found before it has", async () => {
    const { inner } = await filled(null);
    const options = { keys: NEW, indexKey: INDEX_KEY, collections, sealPlaintext: true };
    const stop = new AbortController();
    const store = withKeys(inner, NEW);

    await expect(store.find(people, "email", "r000@example.com")).rejects.toThrow(StorageError);
    await reencrypt(inner, { ...options, collections: [people], signal: stop.signal, onProgress: () => stop.abort() });
    await expect(withKeys(inner, NEW).find(people, "email", "r149@example.com")).rejects.toThrow(StorageError);
    const report = await reencrypt(inner, options);

    expect(report).toMatchObject({ scanned: 300, failed: 0, finished: true });
    await assertWhole(withKeys(inner, NEW));
    expect(await reencrypt(inner, options)).toMatchObject({ current: 300, rewritten: 0 });
  });

  it("checks which keys are still needed", async () => {
    const { inner } = await filled();
    await withKeys(inner, "a key that nobody knows any more, alas").commit([{ op: "put", in: notes, record: note("r002") }]);
    await inner.commit([{ op: "put", in: notes, record: note("r001") }]);
    const check = async (keys: string[]) =>
      (await checkKeys(inner, { keys, collections })).map(({ position, records }) => `${records} under ${position}`).sort();

    expect(await check([NEW, OLD])).toEqual(["1 under null", "1 under null", "299 under 1"]);
    await reencrypt(inner, { ...rotation, sealPlaintext: true });
    expect(await check([NEW, OLD])).toEqual(["1 under null", "300 under 0"]);
    expect((await checkKeys(inner, { keys: NEW, collections })).map(({ keyId }) => keyId)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^[\w-]{8}$/)]),
    );
  });

  it("names nothing as unneeded for good while the store underneath leaves out what it cannot read", async () => {
    const { inner } = await filled();
    await reencrypt(inner, rotation);
    const scan = inner.scan;
    inner.scan = async (from, page) => ({ ...(await scan(from, page)), unreadable: 1 });

    const uses = await checkKeys(inner, { keys: [NEW, OLD], collections });
    expect(uses.map(({ keyId, position }) => [keyId === null, position])).toContainEqual([true, null]);
    const { failed, scanned, current } = await reencrypt(inner, rotation);
    expect([failed > 0, failed]).toEqual([true, scanned - current]);
  });

  it.each<[Partial<Record<keyof ReencryptOptions, unknown>>, string]>([
    [{ keys: undefined }, "reencrypt.keys: is missing"],
    [{ indexKey: "short" }, "reencrypt.indexKey: each secret needs at least 32 bytes"],
    [{ collections: [] }, "reencrypt.collections: give a list"],
    [{ dryRun: "false" }, "reencrypt.dryRun: give true or false"],
    [{ dryrun: true } as never, 'did you mean "dryRun"?'],
  ])("refuses %o before it touches anything", async (options, message) => {
    const store: RecordStore = { ...memoryStore(), scan: () => Promise.reject(new Error("touched")) };
    const run = reencrypt(store, { ...rotation, ...options } as ReencryptOptions);
    await expect(run).rejects.toThrow(ConfigError);
    await expect(run).rejects.toThrow(message);
  });

  it("refuses the wrapper in place of what it wraps", async () => {
    const store = withKeys(memoryStore(), OLD);
    await expect(reencrypt(store, rotation)).rejects.toThrow("reencrypt: give the store that encrypted() wraps");
    await expect(checkKeys(store, { keys: OLD })).rejects.toThrow("checkKeys: give the store that encrypted() wraps");
  });
});
