import assert from "node:assert/strict";
import {
  assertRecord,
  given,
  HOUR,
  ids,
  insert,
  listed,
  note,
  notes,
  people,
  person,
  put,
  remove,
  replace,
  type DeclareTest,
} from "./samples.ts";

/** A record is absent from the very millisecond it expires at, for every operation. */
export function expiryTests(test: DeclareTest): void {
  test("a record is there until the millisecond before it expires, and absent from then on", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    await given(
      store,
      insert(notes, note("short", { expiresAt })),
      insert(notes, note("long", { expiresAt: expiresAt + 1 })),
      insert(notes, note("endless")),
    );
    clock.set(expiresAt - 1);
    assertRecord(await store.get(notes, note("short")), note("short", { expiresAt }));
    assert.deepEqual(await listed(store), ["short", "long", "endless"]);

    clock.set(expiresAt);

    assert.equal(await store.get(notes, note("short")), null);
    assert.deepEqual(await listed(store), ["long", "endless"]);
    clock.set(expiresAt + 1);
    assert.deepEqual(await listed(store), ["endless"]);
  });

  test("a record that never expires is there ten years later", async ({ store, clock }) => {
    await given(store, insert(notes, note("a")));
    await given(store, insert(people, person("a", { email: "a" })));

    clock.advance(10 * 365 * 24 * HOUR);

    assertRecord(await store.get(notes, note("a")), note("a"));
    assert.deepEqual(ids(await store.find(people, "email", "a")), ["a"]);
  });

  test("an expired record is neither found by a lookup, nor taken, nor shown by a scan", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    await given(
      store,
      insert(people, person("a", { email: "a", team: "red" }, { expiresAt })),
      insert(people, person("b", { email: "b", team: "red" })),
    );

    clock.set(expiresAt);

    assert.equal(await store.get(people, person("a")), null);
    assert.deepEqual(await store.find(people, "email", "a"), []);
    assert.deepEqual(ids(await store.find(people, "team", "red")), ["b"]);
    assert.equal(await store.take(people, person("a")), null);
    assert.deepEqual(ids((await store.scan(people)).records), ["b"]);
  });

  test("an expired record's place is free: an insert and a put start again at version 1, as the youngest", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    await given(
      store,
      put(notes, note("a", { expiresAt })),
      put(notes, note("a", { expiresAt })),
      insert(notes, note("b", { expiresAt })),
      insert(notes, note("c")),
    );
    clock.set(expiresAt);

    assert.equal(await store.commit([insert(notes, note("a", { value: Buffer.from("new") }))]), true);
    assert.equal(await store.commit([put(notes, note("b"))]), true);

    assertRecord(await store.get(notes, note("a")), note("a", { value: Buffer.from("new") }));
    assertRecord(await store.get(notes, note("b")), note("b"));
    assert.deepEqual(await listed(store), ["c", "a", "b"]);
  });

  test("an expired record can be neither replaced nor deleted by version, and deleting it without one succeeds", async ({
    store,
    clock,
  }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    await given(store, insert(notes, note("a", { expiresAt })));
    await given(store, insert(people, person("a", {}, { expiresAt })));
    clock.set(expiresAt);

    for (const [from, record] of [[notes, note("a")] as const, [people, person("a")] as const]) {
      assert.equal(await store.commit([replace(from, record, 1)]), false);
      assert.equal(await store.commit([remove(from, record, 1)]), false);
      assert.equal(await store.commit([remove(from, record)]), true);
      assert.equal(await store.get(from, record), null);
    }
  });

  test("a record that is written when already expired is never seen", async ({ store, clock }) => {
    assert.equal(await store.commit([insert(notes, note("a", { expiresAt: clock.now() }))]), true);
    assert.equal(await store.commit([insert(people, person("a", { email: "a" }, { expiresAt: clock.now() - 1000 }))]), true);

    assert.equal(await store.get(notes, note("a")), null);
    assert.deepEqual(await listed(store), []);
    assert.deepEqual(await store.find(people, "email", "a"), []);
    assert.equal(await store.commit([insert(people, person("b", { email: "a" }))]), true);
  });

  test("a write may lengthen and shorten a life, also to and from endless", async ({ store, clock }) => {
    const soon = clock.now() + HOUR * 1000;
    await given(
      store,
      insert(notes, note("a", { expiresAt: soon })),
      insert(notes, note("b")),
      insert(notes, note("c", { expiresAt: soon })),
    );
    await given(
      store,
      replace(notes, note("a", { expiresAt: soon + HOUR * 1000 }), 1),
      put(notes, note("b", { expiresAt: soon })),
      replace(notes, note("c"), 1),
    );

    clock.set(soon);

    assert.deepEqual(await listed(store), ["a", "c"]);
    clock.set(soon + HOUR * 1000);
    assert.deepEqual(await listed(store), ["c"]);
  });

  test("a unique lookup is free once its record has expired, and what befalls the old record leaves it with the new one", async ({
    store,
    clock,
  }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    const old = (id: string) => insert(people, person(id, { email: `mail-${id}`, team: "red" }, { expiresAt }));
    const successor = (id: string) => insert(people, person(`new-${id}`, { email: `mail-${id}` }));
    const all = ["deleted", "put", "taken", "swept", "inserted"];
    await given(store, ...all.map(old));
    clock.set(expiresAt);
    for (const id of all) assert.equal(await store.commit([successor(id)]), true, `the lookup of ${id} is free`);

    await store.commit([remove(people, person("deleted"))]);
    assert.equal(await store.commit([put(people, person("put", { email: "other-put", team: "blue" }))]), true);
    assert.equal(await store.take(people, person("taken")), null);
    assert.equal(await store.commit([insert(people, person("inserted", { email: "other-inserted", team: "blue" }))]), true);
    for (let calls = 0; calls < 5; calls++) await store.sweep();

    for (const id of all) {
      assert.deepEqual(ids(await store.find(people, "email", `mail-${id}`)), [`new-${id}`]);
      assert.equal(await store.commit([insert(people, person("thief", { email: `mail-${id}` }))]), false);
    }
    assert.deepEqual(ids(await store.find(people, "team", "blue")), ["inserted", "put"]);
    assert.deepEqual(await store.find(people, "team", "red"), []);
  });
}
