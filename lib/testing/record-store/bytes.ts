import assert from "node:assert/strict";
import {
  assertRecord,
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
  remove,
  type DeclareTest,
} from "./samples.ts";

/** Names that some backend might trim, fold, normalise, cut short, split or take for a pattern. No two are alike. */
const awkward = [
  ..."a|A|a |a  | a|a\t|a\n|a\0|a\0b|a\0c|\0|ä|a\u0308|Ä|ß|ss|ı|i|İ|\u{1f600}|\u{1f601}|\ufeffa|\u200ba".split("|"),
  ..."{}|{a}|{a}b|}a{|:|a:b|a:|:a|*|a*|?|[a]|%|a%|_|a_b|'|\"|\\|a\\|a\\0|/|../a|,|;|--|$1|#|null|undefined|__proto__|constructor|0|-1|1e3".split(
    "|",
  ),
  "x".repeat(300),
  `${"x".repeat(299)}y`,
];

/** Keys, lookups and values are bytes: what differs in one of them is not the same. */
export function byteTests(test: DeclareTest): void {
  test("ids are compared byte by byte", async ({ store }) => {
    for (const id of awkward) assert.equal(await store.commit([insert(notes, note(id))]), true, JSON.stringify(id));
    await given(store, ...awkward.map((id) => insert(people, person(id))));

    for (const id of awkward) {
      assertRecord(await store.get(notes, note(id)), note(id));
      assertRecord(await store.get(people, person(id)), person(id));
    }
    assert.deepEqual(await listed(store), awkward);
    assert.equal(await store.commit([remove(notes, note("a"))]), true);
    assert.deepEqual(await listed(store), awkward.slice(1));
  });

  test("partitions are compared byte by byte, and each may be written whole in one commit", async ({ store }) => {
    for (const partition of awkward) {
      const own = note("same", { partition, value: Buffer.from(partition) });
      assert.equal(await store.commit([insert(notes, own), insert(marks, own)]), true, JSON.stringify(partition));
    }
    for (const partition of awkward) {
      const own = note("same", { partition, value: Buffer.from(partition) });
      assertRecord((await store.list(notes, partition))[0], own);
      assertRecord(await store.get(marks, own), own);
    }

    await given(store, clear(notes, "a"));
    await given(store, clear(notes, "*"));

    const left = await Promise.all(awkward.map((partition) => store.list(notes, partition)));
    assert.deepEqual(
      left.map(({ length }) => length),
      awkward.map((partition) => (partition === "a" || partition === "*" ? 0 : 1)),
    );
  });

  test("a partition and an id do not run into each other", async ({ store }) => {
    const pairs = [
      ["a", "b:c"],
      ["a:b", "c"],
      ["a", "b\0c"],
      ["a\0b", "c"],
      ["a}", "{b"],
    ] as const;
    for (const [partition, id] of pairs) assert.equal(await store.commit([insert(notes, note(id, { partition }))]), true);

    for (const [partition, id] of pairs) assertRecord(await store.get(notes, { partition, id }), note(id, { partition }));
    assert.deepEqual(await listed(store, notes, "a"), ["b:c", "b\0c"]);
  });

  test("lookups are compared byte by byte, unique and plain", async ({ store }) => {
    for (const value of awkward) {
      const named = person(`of ${value}`, { email: value, team: value });
      assert.equal(await store.commit([insert(people, named)]), true, JSON.stringify(value));
    }

    for (const value of awkward) {
      const named = person(`of ${value}`, { email: value, team: value });
      assert.deepEqual(ids(await store.find(people, "email", value)), [named.id]);
      const found = await store.find(people, "team", value);
      assert.equal(found.length, 1);
      assertRecord(found[0], named);
      assert.equal(await store.commit([insert(people, person("thief", { email: value }))]), false);
    }
  });

  test("counters are told apart byte by byte", async ({ store, clock }) => {
    for (const counter of awkward) {
      const { count } = await store.count(counter, { by: 1, window: HOUR, now: clock.now() });
      assert.equal(count, 1, JSON.stringify(counter));
    }
  });

  test("values are any bytes: none, all 256 of them, text that is not UTF-8, and 64 KB", async ({ store }) => {
    const values = {
      none: Buffer.alloc(0),
      all: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
      nul: Buffer.from([0]),
      broken: Buffer.from([0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80]),
      long: Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 31 + (index >> 8)) % 256)),
    };
    for (const [id, value] of Object.entries(values)) {
      await given(store, insert(notes, note(id, { value })));
      await given(store, insert(people, person(id, { email: id }, { value })));
    }

    for (const [id, value] of Object.entries(values)) {
      assertRecord(await store.get(notes, note(id)), note(id, { value }));
      assertRecord((await store.find(people, "email", id))[0], person(id, { email: id }, { value }));
      assertRecord(await store.take(people, person(id)), person(id, { email: id }, { value }));
    }
    assert.deepEqual(await listed(store), Object.keys(values));
  });

  test("a value is a view: the bytes around it in its buffer are not stored", async ({ store }) => {
    const whole = new Uint8Array([1, 2, 3, 4, 5]);
    await given(store, insert(notes, note("a", { value: whole.subarray(1, 4) })));

    assertRecord(await store.get(notes, note("a")), note("a", { value: Buffer.from([2, 3, 4]) }));
  });
}
