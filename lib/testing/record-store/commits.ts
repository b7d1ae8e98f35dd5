import assert from "node:assert/strict";
import type { Write } from "../../storage/record-store.ts";
import {
  assertRecord,
  badges,
  clear,
  given,
  HOUR,
  ids,
  insert,
  listed,
  marks,
  note,
  notes,
  people,
  person,
  put,
  remove,
  replace,
  type DeclareTest,
} from "./samples.ts";

/** A commit of several writes: all or none, each seeing those before it. */
export function commitTests(test: DeclareTest): void {
  test("a commit of nothing succeeds", async ({ store }) => {
    assert.equal(await store.commit([]), true);
  });

  test("a commit in one partition applies every write, over several collections", async ({ store }) => {
    await given(store, insert(notes, note("a")), insert(notes, note("b")), insert(marks, note("m")));

    const done = await store.commit([
      insert(notes, note("c")),
      replace(notes, note("a", { value: Buffer.from("2") }), 1),
      remove(notes, note("b"), 1),
      clear(marks, "p"),
      put(marks, note("n")),
    ]);

    assert.equal(done, true);
    assert.deepEqual(await listed(store), ["a", "c"]);
    assertRecord(await store.get(notes, note("a")), note("a", { value: Buffer.from("2") }), 2);
    assert.deepEqual(await listed(store, marks), ["n"]);
  });

  test("a failing write last in a commit leaves a partition untouched", async ({ store, clock }) => {
    const gone = note("gone", { expiresAt: clock.now() + HOUR * 1000 });
    await given(store, insert(notes, note("a")), insert(notes, note("b")), insert(notes, gone), insert(marks, note("m")));
    clock.advance(HOUR);
    const good: readonly Write[] = [
      insert(notes, note("new")),
      put(notes, note("a", { value: Buffer.from("changed") })),
      remove(notes, note("b")),
      insert(marks, note("evicts"), { max: 1 }),
      clear(marks, "p"),
      put(marks, note("x")),
    ];
    const failing: Record<string, Write> = {
      "insert over another": insert(notes, note("a", { value: Buffer.from("other") })),
      "insert of what moved on": insert(notes, note("a")),
      "insert over a full cap": insert(notes, note("more"), { max: 2, over: "refuse" }),
      "replace at another version": replace(notes, note("a"), 1), // the put before it made it 2
      "replace of none": replace(notes, note("absent"), 1),
      "replace of an expired one": replace(notes, gone, 1),
      "replace of a deleted one": replace(notes, note("b"), 1),
      "delete at another version": remove(notes, note("a"), 7),
      "delete of none": remove(notes, note("absent"), 1),
      "delete of an expired one": remove(notes, gone, 1),
    };

    for (const [what, last] of Object.entries(failing)) {
      assert.equal(await store.commit([...good, last]), false, what);
      assert.deepEqual(await listed(store), ["a", "b"], what);
      assert.deepEqual(await listed(store, marks), ["m"], what);
      assertRecord(await store.get(notes, note("a")), note("a"));
      assertRecord(await store.get(notes, note("b")), note("b"));
    }
    assert.equal(await store.commit(good), true, "the good writes alone succeed");
  });

  test("a failing write last in a commit leaves a directory untouched, lookups and all", async ({ store }) => {
    const ann = person("ann", { email: "ann@x", team: "red" });
    const bob = person("bob", { email: "bob@x", handle: "bob", team: "red" });
    await given(store, insert(people, ann), insert(people, bob), insert(badges, person("1", { serial: "s1", owner: "ann" })));
    const good: readonly Write[] = [
      insert(people, person("new", { email: "new@x", team: "red" })),
      replace(people, person("ann", { email: "moved@x", team: "blue" }), 1),
      insert(people, person("heir", { email: "ann@x" })),
      remove(people, bob),
      put(badges, person("2", { serial: "s2", owner: "bob" })),
    ];
    const failing: Record<string, Write> = {
      "insert over another": insert(people, person("ann", { email: "other@x" })),
      "insert of a taken lookup": insert(badges, person("3", { serial: "s1" })),
      "insert of a lookup taken in this commit": insert(people, person("z", { email: "moved@x" })),
      "put of a taken lookup": put(badges, person("3", { serial: "s2" })),
      "replace with a taken lookup": replace(badges, person("1", { serial: "s2" }), 1),
      "replace at another version": replace(people, person("ann"), 1),
      "delete at another version": remove(badges, person("1"), 2),
      "delete of a deleted one": remove(people, bob, 1),
    };

    for (const [what, last] of Object.entries(failing)) {
      assert.equal(await store.commit([...good, last]), false, what);
      assertRecord(await store.get(people, ann), ann);
      assertRecord(await store.get(people, bob), bob);
      assert.deepEqual(ids(await store.find(people, "team", "red")), ["ann", "bob"], what);
      assert.deepEqual(await store.find(people, "team", "blue"), [], what);
      assert.deepEqual(ids(await store.find(people, "email", "ann@x")), ["ann"], what);
      assert.deepEqual(ids(await store.find(people, "handle", "bob")), ["bob"], what);
      for (const email of ["new@x", "moved@x"]) assert.deepEqual(await store.find(people, "email", email), [], what);
      assert.deepEqual(ids((await store.scan(badges)).records), ["1"], what);
    }
    assert.equal(await store.commit(good), true, "the good writes alone succeed");
    assert.deepEqual(ids(await store.find(people, "email", "ann@x")), ["heir"]);
    assert.deepEqual(ids(await store.find(people, "team", "blue")), ["ann"]);
  });

  test("a clear makes room for the inserts behind it: the same id, a full cap", async ({ store }) => {
    await given(store, put(notes, note("a")), put(notes, note("a")), insert(notes, note("b")));

    const done = await store.commit([
      clear(notes, "p"),
      insert(notes, note("a", { value: Buffer.from("new") }), { max: 1, over: "refuse" }),
    ]);

    assert.equal(done, true);
    assert.deepEqual(await listed(store), ["a"]);
    assertRecord(await store.get(notes, note("a")), note("a", { value: Buffer.from("new") }));
  });

  test("a clear that keeps a record and a replace of that record go together", async ({ store }) => {
    await given(store, insert(notes, note("a")), insert(notes, note("b")));
    const renewed = note("b", { value: Buffer.from("renewed") });

    assert.equal(await store.commit([clear(notes, "p", "b"), replace(notes, renewed, 2)]), false);
    assert.deepEqual(await listed(store), ["a", "b"]);
    assert.equal(await store.commit([clear(notes, "p", "b"), replace(notes, renewed, 1)]), true);

    assert.deepEqual(await listed(store), ["b"]);
    assertRecord(await store.get(notes, renewed), renewed, 2);
  });

  test("a clear takes what was written before it in the same commit", async ({ store }) => {
    assert.equal(await store.commit([insert(notes, note("a")), put(notes, note("b")), clear(notes, "p", "b")]), true);

    assert.deepEqual(await listed(store), ["b"]);
  });

  test("writes of one record in one commit build on each other", async ({ store }) => {
    await given(store, insert(notes, note("old")));

    const done = await store.commit([
      insert(notes, note("a")),
      replace(notes, note("a", { value: Buffer.from("2") }), 1),
      put(notes, note("a", { value: Buffer.from("3") })),
      remove(notes, note("old"), 1),
      insert(notes, note("old", { value: Buffer.from("again") })),
      insert(notes, note("brief")),
      remove(notes, note("brief"), 1),
    ]);

    assert.equal(done, true);
    assertRecord(await store.get(notes, note("a")), note("a", { value: Buffer.from("3") }), 3);
    assertRecord(await store.get(notes, note("old")), note("old", { value: Buffer.from("again") }));
    assert.deepEqual(await listed(store), ["a", "old"]);
  });

  test("a unique lookup given up in a commit can be claimed behind it, and not before", async ({ store }) => {
    await given(store, insert(people, person("a", { email: "one" })), insert(people, person("b", { email: "two" })));

    assert.equal(await store.commit([insert(people, person("c", { email: "one" })), remove(people, person("a"))]), false);
    assert.equal(await store.commit([remove(people, person("a")), insert(people, person("c", { email: "one" }))]), true);
    assert.equal(
      await store.commit([replace(people, person("b", { email: "three" }), 1), insert(people, person("d", { email: "two" }))]),
      true,
    );
    assert.equal(
      await store.commit([insert(people, person("e", { email: "four" })), insert(people, person("f", { email: "four" }))]),
      false,
    );

    for (const [email, id] of Object.entries({ one: "c", two: "d", three: "b" })) {
      assert.deepEqual(ids(await store.find(people, "email", email)), [id]);
    }
    assert.deepEqual(await store.find(people, "email", "four"), []);
  });

  test("the inserts of one commit count against one cap", async ({ store }) => {
    const capped = (id: string, over: "evict" | "refuse") => insert(notes, note(id), { max: 2, over });

    assert.equal(await store.commit([capped("a", "refuse"), capped("b", "refuse"), capped("c", "refuse")]), false);
    assert.deepEqual(await listed(store), []);
    assert.equal(await store.commit([capped("a", "evict"), capped("b", "evict"), capped("c", "evict")]), true);
    assert.deepEqual(await listed(store), ["b", "c"]);
  });
}
