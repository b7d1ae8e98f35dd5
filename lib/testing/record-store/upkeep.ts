import assert from "node:assert/strict";
import type { Collection, RecordStore, StoredRecord } from "../../storage/record-store.ts";
import { assertRecord, clear, given, HOUR, ids, insert, listed, names, note, notes, people, person, type DeclareTest } from "./samples.ts";

/** Scanning, sweeping and migrating. */
export function upkeepTests(test: DeclareTest): void {
  test("a scan pages through all live records of a collection, each once", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    const all = names(250);
    const place = (id: string) => ({ partition: `p${Number(id.slice(1)) % 50}` });
    for (const id of all) await given(store, insert(notes, note(id, place(id))));
    for (const id of all.slice(0, 30)) await given(store, insert(notes, note(`${id}-expired`, { ...place(id), expiresAt })));
    for (let start = 0; start < all.length; start += 50) {
      await given(store, ...all.slice(start, start + 50).map((id) => insert(people, person(id, { team: "red" }))));
    }
    await given(store, ...names(30).map((id) => insert(people, person(`${id}-expired`, {}, { expiresAt }))));
    clock.set(expiresAt);

    const { records: scannedNotes, pages: notePages } = await scanAll(store, notes, 50);
    const { records: scannedPeople, pages: peoplePages } = await scanAll(store, people, 50);

    assert.deepEqual(ids(scannedNotes).sort(), all);
    assert.deepEqual(ids(scannedPeople).sort(), all);
    assert.ok(notePages > 1 && peoplePages > 1, "it comes in pages");
    for (const record of scannedNotes) assertRecord(record, note(record.id, place(record.id)));
    for (const record of scannedPeople) assertRecord(record, person(record.id, { team: "red" }));
  });

  test("a scan of an empty collection ends at once", async ({ store }) => {
    assert.deepEqual(await store.scan(notes), { records: [], next: null });
    assert.deepEqual(await store.scan(people), { records: [], next: null });
  });

  test("a record that stays is shown by a scan during which others come and go", async ({ store }) => {
    const all = names(60);
    for (const id of all) await given(store, insert(notes, note(id, { partition: id })));
    const seen = new Set<string>();

    let after: string | null = null;
    let pages = 0;
    do {
      pages += 1;
      const page: { records: StoredRecord[]; next: string | null } = await store.scan(notes, {
        limit: 10,
        ...(after === null ? {} : { after }),
      });
      for (const { id } of page.records) seen.add(id);
      for (const id of all) if (Number(id.slice(1)) % 2 === 1 && seen.has(id)) await given(store, clear(notes, id));
      await given(store, insert(notes, note("come", { partition: `z${pages}` })));
      after = page.next;
    } while (after !== null && pages < 100);

    const stayed = all.filter((id) => Number(id.slice(1)) % 2 === 0);
    assert.deepEqual(
      stayed.filter((id) => !seen.has(id)),
      [],
    );
  });

  test("sweeps remove what has expired, say how much of which collection, and touch nothing live", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    for (const id of names(20)) await given(store, insert(notes, note(id, { partition: id, expiresAt })));
    for (const id of names(10)) await given(store, insert(notes, note(`${id}-live`, { partition: id })));
    await given(store, ...names(10).map((id) => insert(people, person(id, { email: id, team: "red" }, { expiresAt }))));
    await given(
      store,
      ...names(5).map((id) => insert(people, person(`${id}-live`, { email: `${id}-live`, team: "red" }, { expiresAt: expiresAt + 1 }))),
    );
    await store.count("ends", { by: 1, window: HOUR, now: clock.now() });
    await store.count("goes on", { by: 1, window: 2 * HOUR, now: clock.now() });
    assert.deepEqual(await sweepAll(store, 3), {}, "nothing has expired yet");
    clock.set(expiresAt);

    const removed = await sweepAll(store, 20);

    assert.equal(removed[notes.name], 20);
    assert.equal(removed[people.name], 10);
    for (const id of names(10)) assert.deepEqual(await listed(store, notes, id), [`${id}-live`]);
    assert.deepEqual(
      ids(await store.find(people, "team", "red")),
      names(5).map((id) => `${id}-live`),
    );
    assert.deepEqual(ids(await store.find(people, "email", "n001-live")), ["n001-live"]);
    assert.equal(await store.commit([insert(people, person("thief", { email: "n001-live" }))]), false);
    assert.equal((await store.count("goes on", { by: 1, window: HOUR, now: clock.now() })).count, 2);
    assert.equal((await store.count("ends", { by: 1, window: HOUR, now: clock.now() })).count, 1);
  });

  test("a sweep stops at about its limit", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    for (const id of names(60)) await given(store, insert(notes, note(id, { partition: id, expiresAt })));
    clock.set(expiresAt);

    const first = total(await store.sweep({ limit: 10 }));
    const others = total(await sweepAll(store, 40));

    assert.ok(first <= 30, `${first} removed at a limit of 10`);
    assert.equal(first + others, 60);
  });

  test("racing sweeps and inserts lose no record", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    for (const id of names(10)) await given(store, insert(notes, note(id, { expiresAt })));
    await given(store, ...names(10).map((id) => insert(people, person(id, { email: id }, { expiresAt }))));
    clock.set(expiresAt);

    const fresh = names(10).flatMap((id) => [
      store.commit([insert(notes, note(id))]),
      store.commit([insert(people, person(`${id}-new`, { email: id }))]),
    ]);
    const done = await Promise.all([store.sweep(), ...fresh, store.sweep()]);

    assert.deepEqual(done.slice(1, -1), Array(20).fill(true));
    assert.deepEqual((await listed(store)).sort(), names(10));
    for (const id of names(10)) assert.deepEqual(ids(await store.find(people, "email", id)), [`${id}-new`]);
  });

  test("a migration can be repeated, and several at once do no harm", async ({ store }) => {
    await given(store, insert(notes, note("a")));

    await Promise.all([store.migrate(), store.migrate(), store.migrate()]);

    assertRecord(await store.get(notes, note("a")), note("a"));
  });
}

async function scanAll(store: RecordStore, from: Collection, limit: number): Promise<{ records: StoredRecord[]; pages: number }> {
  const records: StoredRecord[] = [];
  let after: string | undefined;
  for (let pages = 1; ; pages++) {
    assert.ok(pages < 2000, "a scan ends");
    const page = await store.scan(from, { limit, ...(after === undefined ? {} : { after }) });
    records.push(...page.records);
    if (page.next === null) return { records, pages };
    after = page.next;
  }
}

/** Sweeps `calls` times and adds up what went: a backend may go through its records in several calls. */
async function sweepAll(store: RecordStore, calls: number): Promise<Record<string, number>> {
  const removed: Record<string, number> = {};
  for (let call = 0; call < calls; call++) {
    for (const [name, count] of Object.entries(await store.sweep())) if (count > 0) removed[name] = (removed[name] ?? 0) + count;
  }
  return removed;
}

function total(removed: Readonly<Record<string, number>>): number {
  return Object.values(removed).reduce((sum, count) => sum + count, 0);
}
