import assert from "node:assert/strict";
import {
  assertRecord,
  badges,
  given,
  HOUR,
  ids,
  insert,
  names,
  people,
  person,
  put,
  race,
  remove,
  replace,
  type DeclareTest,
} from "./samples.ts";

/** How directory records are found, and what unique lookups forbid. */
export function lookupTests(test: DeclareTest): void {
  test("records are found by each of their lookups, whole, and by no other value or collection", async ({ store }) => {
    const ann = person("ann", { email: "ann@x", handle: "ann", team: "red" });
    await given(
      store,
      insert(people, ann),
      insert(people, person("bob", { team: "red" })),
      insert(badges, person("b", { owner: "red", serial: "ann" })),
    );

    for (const [lookup, value] of Object.entries({ email: "ann@x", handle: "ann" })) {
      const found = await store.find(people, lookup, value);
      assert.equal(found.length, 1);
      assertRecord(found[0], ann);
    }
    assert.deepEqual(ids(await store.find(people, "team", "red")), ["ann", "bob"]);
    assert.deepEqual(await store.find(people, "email", "ann"), []);
    assert.deepEqual(await store.find(people, "team", "re"), []);
    assert.deepEqual(await store.find(people, "team", "null"), []);
    assert.deepEqual(await store.find(badges, "serial", "ann@x"), []);
  });

  test("a unique lookup names one record: neither insert, put nor replace can take it", async ({ store }) => {
    await given(store, insert(people, person("a", { email: "a" })), insert(people, person("b", { email: "b" })));

    assert.equal(await store.commit([insert(people, person("c", { email: "a" }))]), false);
    assert.equal(await store.commit([put(people, person("c", { email: "a" }))]), false);
    assert.equal(await store.commit([put(people, person("b", { email: "a" }))]), false);
    assert.equal(await store.commit([replace(people, person("b", { email: "a" }), 1)]), false);

    assert.deepEqual(ids(await store.find(people, "email", "a")), ["a"]);
    assertRecord(await store.get(people, person("b")), person("b", { email: "b" }));
    assert.equal(await store.get(people, person("c")), null);
  });

  test("one value may stand in different unique lookups, and a missing one clashes with none", async ({ store }) => {
    assert.equal(await store.commit([insert(people, person("a", { email: "x" }))]), true);
    assert.equal(await store.commit([insert(people, person("b", { handle: "x", email: null }))]), true);
    assert.equal(await store.commit([insert(people, person("c", { email: null }))]), true);
    assert.equal(await store.commit([insert(people, person("d"))]), true);
    assert.equal(await store.commit([insert(badges, person("a", { serial: "x" }))]), true);
  });

  test("a replace and a put move lookups: the old values find nothing and are free, the new ones find it", async ({ store }) => {
    await given(
      store,
      insert(people, person("a", { email: "a1", handle: "h", team: "red" })),
      insert(people, person("b", { team: "red" })),
    );

    await given(store, replace(people, person("a", { email: "a2", team: "blue" }), 1));

    assert.deepEqual(await store.find(people, "email", "a1"), []);
    assert.deepEqual(await store.find(people, "handle", "h"), []);
    assert.deepEqual(ids(await store.find(people, "team", "red")), ["b"]);
    assertRecord((await store.find(people, "email", "a2"))[0], person("a", { email: "a2", team: "blue" }), 2);
    assert.deepEqual(ids(await store.find(people, "team", "blue")), ["a"]);
    assert.equal(await store.commit([insert(people, person("c", { email: "a1", handle: "h" }))]), true);

    await given(store, put(people, person("a", { email: "a3", team: "red" })));
    assert.deepEqual(await store.find(people, "email", "a2"), []);
    assert.deepEqual(ids(await store.find(people, "team", "red")), ["a", "b"]);
    assert.deepEqual(await store.find(people, "team", "blue"), []);
  });

  test("a write that keeps its lookups is no clash with itself", async ({ store }) => {
    const ann = person("ann", { email: "ann", team: "red" });
    await given(store, insert(people, ann));

    assert.equal(await store.commit([replace(people, ann, 1)]), true);
    assert.equal(await store.commit([put(people, ann)]), true);

    assertRecord((await store.find(people, "email", "ann"))[0], ann, 3);
    assertRecord((await store.find(people, "team", "red"))[0], ann, 3);
  });

  test("a delete frees the lookups", async ({ store }) => {
    await given(store, insert(people, person("a", { email: "a", team: "red" })));
    await given(store, remove(people, person("a")));

    assert.deepEqual(await store.find(people, "email", "a"), []);
    assert.deepEqual(await store.find(people, "team", "red"), []);
    assert.equal(await store.commit([insert(people, person("b", { email: "a" }))]), true);
  });

  test("find answers in the order of the ids' bytes", async ({ store }) => {
    // UTF-16 order, and that of most collations, differs for each neighbouring pair somewhere in this list.
    const ordered = ["!", "10", "9", "B", "Z", "_", "a", "a ", "a!", "aa", "b", "\u00e9", "\uffee", "\u{1f600}"];
    for (const id of [...ordered].reverse()) await given(store, insert(people, person(id, { team: "red" })));

    assert.deepEqual(ids(await store.find(people, "team", "red")), ordered);
    assert.deepEqual(ids(await store.find(people, "team", "red", { after: "a" })), ordered.slice(7));
    assert.deepEqual(ids(await store.find(people, "team", "red", { after: "\uffee" })), ["\u{1f600}"]);
  });

  test("find answers 100 at a time unless told, and continues behind an id, stored or not", async ({ store }) => {
    const all = names(120);
    await given(store, ...all.map((id) => insert(people, person(id, { team: "red" }))));

    assert.deepEqual(ids(await store.find(people, "team", "red")), all.slice(0, 100));
    assert.deepEqual(ids(await store.find(people, "team", "red", { after: "n099" })), all.slice(100));
    assert.deepEqual(ids(await store.find(people, "team", "red", { limit: 3, after: "n041" })), ["n042", "n043", "n044"]);
    assert.deepEqual(ids(await store.find(people, "team", "red", { limit: 1, after: "n0415" })), ["n042"]);
    assert.deepEqual(await store.find(people, "team", "red", { after: "n119" }), []);
  });

  test("a page that find answers is full as long as live records follow, however many expired lie between", async ({ store, clock }) => {
    const expiresAt = clock.now() + HOUR * 1000;
    const all = names(40);
    const expiring = (index: number) => (index < 25 || index % 2 === 1 ? expiresAt : null);
    await given(store, ...all.map((id, index) => insert(people, person(id, { team: "red" }, { expiresAt: expiring(index) }))));
    clock.set(expiresAt);

    const first = ids(await store.find(people, "team", "red", { limit: 5 }));
    const second = ids(await store.find(people, "team", "red", { limit: 5, after: first.at(-1) ?? "" }));

    assert.deepEqual(first, ["n026", "n028", "n030", "n032", "n034"]);
    assert.deepEqual(second, ["n036", "n038"]);
  });

  test("of 20 racing inserts of one unique lookup one succeeds", async ({ store }) => {
    const done = await race(20, (index) => store.commit([insert(people, person(`p${index}`, { email: "same", team: "red" }))]));

    assert.equal(done.filter(Boolean).length, 1);
    const [winner] = await store.find(people, "email", "same");
    assert.equal(winner?.id, `p${done.indexOf(true)}`);
    assert.deepEqual(ids(await store.find(people, "team", "red")), [winner?.id]);
  });

  test("of 20 racing claims of one lookup by records that are there one succeeds", async ({ store }) => {
    await given(store, ...names(20).map((id) => insert(people, person(id, { email: id }))));

    const done = await race(20, (index) => {
      const id = names(20)[index] ?? "";
      return store.commit([replace(people, person(id, { email: "same" }), 1)]);
    });

    assert.equal(done.filter(Boolean).length, 1);
    assert.deepEqual(ids(await store.find(people, "email", "same")), [names(20)[done.indexOf(true)]]);
  });
}
