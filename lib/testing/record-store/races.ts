import assert from "node:assert/strict";
import {
  assertRecord,
  clear,
  given,
  insert,
  listed,
  note,
  notes,
  people,
  person,
  put,
  race,
  remove,
  replace,
  type DeclareTest,
} from "./samples.ts";

/** Callers at once: what may happen once happens once, and what ended stays ended. */
export function raceTests(test: DeclareTest): void {
  test("rule 1: of 10 racing takers one gets the record", async ({ store }) => {
    await given(store, insert(notes, note("a")));
    await given(store, insert(people, person("a", { email: "a" })));

    for (const [from, record] of [[notes, note("a")] as const, [people, person("a", { email: "a" })] as const]) {
      const taken = (await race(10, () => store.take(from, record))).filter((found) => found !== null);
      assert.equal(taken.length, 1);
      assertRecord(taken[0], record);
      assert.equal(await store.get(from, record), null);
    }
  });

  test("of 10 racing takes and deletes by version one gets the record", async ({ store }) => {
    await given(store, insert(notes, note("a")));

    const won = await race(10, async (index) =>
      index % 2 === 0 ? (await store.take(notes, note("a"))) !== null : store.commit([remove(notes, note("a"), 1)]),
    );

    assert.equal(won.filter(Boolean).length, 1);
  });

  test("of 20 racing replaces at one version one succeeds, and its value stays", async ({ store }) => {
    await given(store, insert(notes, note("a")));
    const written = (index: number) => note("a", { value: Buffer.from(`by ${index}`) });

    const done = await race(20, (index) => store.commit([replace(notes, written(index), 1)]));

    assert.equal(done.filter(Boolean).length, 1);
    assertRecord(await store.get(notes, note("a")), written(done.indexOf(true)), 2);
  });

  test("of 20 racing inserts of one record with different values one succeeds", async ({ store }) => {
    const written = (index: number) => note("a", { value: Buffer.from(`by ${index}`) });

    const done = await race(20, (index) => store.commit([insert(notes, written(index))]));

    assert.equal(done.filter(Boolean).length, 1);
    assertRecord(await store.get(notes, note("a")), written(done.indexOf(true)));
  });

  test("20 racing puts are all counted in the version", async ({ store }) => {
    await race(20, () => store.commit([put(notes, note("a"))]));

    assert.equal((await store.get(notes, note("a")))?.version, 20);
  });

  test("rule 8: a replace that races an ending never brings the record back", async ({ store }) => {
    const endings = {
      clear: () => store.commit([clear(notes, "p")]),
      "clear but another": () => store.commit([clear(notes, "p", "other")]),
      delete: () => store.commit([remove(notes, note("a"))]),
      take: () => store.take(notes, note("a")),
    };
    for (const [name, end] of Object.entries(endings)) {
      for (let round = 0; round < 10; round++) {
        await given(store, put(notes, note("a")), remove(notes, note("a")), insert(notes, note("a")));
        const rewrite = () => store.commit([replace(notes, note("a", { value: Buffer.from("late") }), 1)]);
        await Promise.all(round % 2 === 0 ? [rewrite(), end(), rewrite()] : [end(), rewrite()]);

        assert.equal(await store.get(notes, note("a")), null, name);
        assert.equal(await rewrite(), false, name);
        assert.deepEqual(await listed(store), [], name);
      }
    }
  });

  test("of racing commits that each need two records, in either order, one gets both and the others neither", async ({ store }) => {
    await given(store, insert(notes, note("a")), insert(notes, note("b")));

    const done = await race(10, (index) => {
      const value = Buffer.from(`by ${index}`);
      const writes = [replace(notes, note("a", { value }), 1), replace(notes, note("b", { value }), 1)];
      return store.commit(index % 2 === 0 ? writes : writes.reverse());
    });

    assert.equal(done.filter(Boolean).length, 1);
    const value = Buffer.from(`by ${done.indexOf(true)}`);
    assertRecord(await store.get(notes, note("a")), note("a", { value }), 2);
    assertRecord(await store.get(notes, note("b")), note("b", { value }), 2);
  });

  test("a commit is seen whole or not at all", async ({ store }) => {
    await given(store, insert(notes, note("a", { value: Buffer.from("0") })), insert(notes, note("b", { value: Buffer.from("0") })));

    const seen: string[][] = [];
    await race(20, async (index) => {
      const value = Buffer.from(String(index));
      if (index % 2 === 0) return void (await store.commit([put(notes, note("a", { value })), put(notes, note("b", { value }))]));
      for (let reads = 0; reads < 5; reads++)
        seen.push((await store.list(notes, "p")).map((record) => Buffer.from(record.value).toString()));
    });

    assert.equal(seen.length, 50);
    for (const [a, b] of seen) assert.equal(a, b);
  });

  test("when it says that it is ordered, a read started behind a write sees it", async ({ store }) => {
    if (!store.ordered) return; // it promises nothing
    const writing = store.commit([insert(notes, note("a"))]);
    const reading = store.get(notes, note("a"));
    const removing = store.commit([remove(notes, note("a"), 1)]);
    const readingAgain = store.get(notes, note("a"));

    assert.deepEqual([await writing, await removing], [true, true]);
    assertRecord(await reading, note("a"));
    assert.equal(await readingAgain, null);
  });

  test("when it says that it is ordered, a read started behind an insert under a cap sees it, and not what gave way", async ({ store }) => {
    if (!store.ordered) return; // it promises nothing
    const inserting = ["a", "b", "c"].map((id) => store.commit([insert(notes, note(id), { max: 2 })]));
    const reading = [store.get(notes, note("a")), store.get(notes, note("c"))] as const;
    const refusing = store.commit([insert(notes, note("d"), { max: 2, over: "refuse" })]);
    const readingAgain = store.get(notes, note("d"));

    assert.deepEqual(await Promise.all([...inserting, refusing]), [true, true, true, false]);
    assert.equal(await reading[0], null);
    assertRecord(await reading[1], note("c"));
    assert.equal(await readingAgain, null);
  });
}
