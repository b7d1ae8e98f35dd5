import assert from "node:assert/strict";
import { assertRecord, given, HOUR, insert, listed, marks, note, notes, put, race, remove, type DeclareTest } from "./samples.ts";

/** How many live records a partition may hold. */
export function capTests(test: DeclareTest): void {
  test("an insert at the cap evicts the oldest, though it was written to since", async ({ store }) => {
    for (const id of ["a", "b", "c"]) await given(store, insert(notes, note(id), { max: 3 }));
    await given(store, put(notes, note("a")));

    assert.equal(await store.commit([insert(notes, note("d"), { max: 3 })]), true);

    assert.deepEqual(await listed(store), ["b", "c", "d"]);
    assert.equal(await store.get(notes, note("a")), null);
  });

  test("an insert refused at the cap leaves everything as it was", async ({ store }) => {
    for (const id of ["a", "b"]) await given(store, insert(notes, note(id), { max: 2, over: "refuse" }));

    assert.equal(await store.commit([insert(notes, note("c"), { max: 2, over: "refuse" })]), false);
    assert.deepEqual(await listed(store), ["a", "b"]);

    await given(store, remove(notes, note("a")));
    assert.equal(await store.commit([insert(notes, note("c"), { max: 2, over: "refuse" })]), true);
    assert.deepEqual(await listed(store), ["b", "c"]);
  });

  test("a cap lowered below what is there takes effect at the next insert", async ({ store }) => {
    for (const id of ["a", "b", "c", "d"]) await given(store, insert(notes, note(id)));

    assert.equal(await store.commit([insert(notes, note("e"), { max: 2, over: "refuse" })]), false);
    assert.equal(await store.commit([insert(notes, note("e"), { max: 2 })]), true);

    assert.deepEqual(await listed(store), ["d", "e"]);
  });

  test("an insert repeated at the cap succeeds and evicts nothing", async ({ store }) => {
    for (const id of ["a", "b"]) await given(store, insert(notes, note(id), { max: 2 }));

    assert.equal(await store.commit([insert(notes, note("b"), { max: 2 })]), true);
    assert.equal(await store.commit([insert(notes, note("a"), { max: 2, over: "refuse" })]), true);
    assert.equal(await store.commit([insert(notes, note("a", { value: Buffer.from("other") }), { max: 2 })]), false);

    assert.deepEqual(await listed(store), ["a", "b"]);
  });

  test("expired records, other partitions and other collections do not count", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    await given(
      store,
      insert(notes, note("old", { expiresAt })),
      insert(notes, note("older", { expiresAt })),
      insert(notes, note("a")),
      insert(marks, note("m")),
    );
    await given(store, insert(notes, note("b", { partition: "q" })));
    clock.set(expiresAt);

    assert.equal(await store.commit([insert(notes, note("c"), { max: 2, over: "refuse" })]), true);
    assert.equal(await store.commit([insert(notes, note("d"), { max: 2, over: "refuse" })]), false);

    assert.deepEqual(await listed(store), ["a", "c"]);
  });

  test("a cap of 5 under 20 racing inserts is 5, and what was there before is gone", async ({ store }) => {
    for (const id of ["old1", "old2", "old3", "old4", "old5"]) await given(store, insert(notes, note(id)));

    const done = await race(20, (index) => store.commit([insert(notes, note(`new${index}`), { max: 5 })]));

    assert.deepEqual(done, Array(20).fill(true));
    const left = await listed(store);
    assert.equal(left.length, 5);
    assert.ok(left.every((id) => id.startsWith("new")));
    assertRecord(await store.get(notes, note(left[0] ?? "")), note(left[0] ?? ""));
  });

  test("a cap of 5 lets exactly 5 of 20 racing inserts in when it refuses", async ({ store }) => {
    const done = await race(20, (index) => store.commit([insert(notes, note(`n${index}`), { max: 5, over: "refuse" })]));

    assert.equal(done.filter(Boolean).length, 5);
    const admitted = done.flatMap((admittedHere, index) => (admittedHere ? [`n${index}`] : []));
    assert.deepEqual((await listed(store)).sort(), admitted.sort());
  });
}
