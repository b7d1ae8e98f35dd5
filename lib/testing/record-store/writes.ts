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

/** What each kind of write does, alone. */
export function writeTests(test: DeclareTest): void {
  test("an inserted record is read back as it was written, at version 1, and nowhere else", async ({ store, clock }) => {
    const record = note("a", { expiresAt: clock.now() + HOUR * 1000 });
    const mark = person("a", { email: "a@x", handle: null, team: "red" }, { value: Buffer.from("{}") });

    assert.equal(await store.commit([insert(notes, record)]), true);
    assert.equal(await store.commit([insert(people, mark)]), true);

    assertRecord(await store.get(notes, record), record);
    assertRecord((await store.list(notes, "p"))[0], record);
    assertRecord(await store.get(people, mark), mark);
    assertRecord((await store.find(people, "email", "a@x"))[0], mark);
    assert.equal(await store.get(notes, note("b")), null);
    assert.equal(await store.get(notes, note("a", { partition: "q" })), null);
    assert.equal(await store.get(marks, record), null);
    assert.equal(await store.get(badges, mark), null);
    assert.deepEqual(await store.list(notes, "q"), []);
  });

  test("an insert over a live record fails, unless it repeats what is stored", async ({ store, clock }) => {
    const record = note("a", { expiresAt: clock.now() + HOUR * 1000 });
    await given(store, insert(notes, record));

    assert.equal(await store.commit([insert(notes, record)]), true);
    assert.equal(await store.commit([insert(notes, { ...record, value: Buffer.from("b") })]), false);
    assert.equal(await store.commit([insert(notes, { ...record, value: Buffer.from("a\0") })]), false);
    assert.equal(await store.commit([insert(notes, { ...record, expiresAt: null })]), false);
    assert.equal(await store.commit([insert(notes, { ...record, expiresAt: clock.now() + HOUR * 1000 + 1 })]), false);
    assertRecord(await store.get(notes, record), record);
  });

  test("an insert with lookups succeeds again only with the same lookups", async ({ store }) => {
    await given(store, insert(people, person("a", { email: "a", team: null })));

    assert.equal(await store.commit([insert(people, person("a", { email: "a", team: null }))]), true);
    assert.equal(await store.commit([insert(people, person("a", { email: "a" }))]), true);
    assert.equal(await store.commit([insert(people, person("a", { email: "b" }))]), false);
    assert.equal(await store.commit([insert(people, person("a", { email: "a", team: "red" }))]), false);
    assert.equal(await store.commit([insert(people, person("a"))]), false);
    assert.deepEqual(await store.find(people, "team", "red"), []);
  });

  test("an insert of what is stored fails once the record has moved on", async ({ store }) => {
    await given(store, insert(notes, note("a")));
    await given(store, replace(notes, note("a"), 1));

    assert.equal(await store.commit([insert(notes, note("a"))]), false);
  });

  test("a put writes in any case and raises the version; it and a replace leave the order as it was", async ({ store }) => {
    await given(store, put(notes, note("a")), insert(notes, note("b")), insert(notes, note("c")));

    await given(store, put(notes, note("a", { value: Buffer.from("2") })));
    await given(store, put(notes, note("a", { value: Buffer.from("3") })));
    await given(store, replace(notes, note("b", { value: Buffer.from("2") }), 1));

    assertRecord(await store.get(notes, note("a")), note("a", { value: Buffer.from("3") }), 3);
    assertRecord(await store.get(notes, note("b")), note("b", { value: Buffer.from("2") }), 2);
    assert.deepEqual(await listed(store), ["a", "b", "c"]);
  });

  test("a replace needs the version that is stored", async ({ store }) => {
    await given(store, insert(notes, note("a")));
    const next = note("a", { value: Buffer.from("next") });

    for (const wrong of [0, 2, -1]) assert.equal(await store.commit([replace(notes, next, wrong)]), false);
    assert.equal(await store.commit([replace(notes, note("absent"), 1)]), false);
    assert.equal(await store.commit([replace(notes, note("absent"), 0)]), false);
    assertRecord(await store.get(notes, note("a")), note("a"));

    assert.equal(await store.commit([replace(notes, next, 1)]), true);
    assert.equal(await store.commit([replace(notes, next, 1)]), false);
    assertRecord(await store.get(notes, next), next, 2);
  });

  test("a delete without a version always succeeds; with one, only over a live record at that version", async ({ store }) => {
    await given(store, insert(notes, note("a")));
    await given(store, replace(notes, note("a"), 1));

    assert.equal(await store.commit([remove(notes, note("a"), 1)]), false);
    assertRecord(await store.get(notes, note("a")), note("a"), 2);
    assert.equal(await store.commit([remove(notes, note("a"), 2)]), true);
    assert.equal(await store.get(notes, note("a")), null);
    assert.equal(await store.commit([remove(notes, note("a"), 2)]), false);
    assert.equal(await store.commit([remove(notes, note("a"))]), true);
    assert.equal(await store.commit([remove(people, person("never there"))]), true);
  });

  test("after a delete a record starts again, at version 1 and as the youngest", async ({ store }) => {
    await given(store, put(notes, note("a")), put(notes, note("a")), insert(notes, note("b")));

    await given(store, remove(notes, note("a")));
    await given(store, insert(notes, note("a")));

    assertRecord(await store.get(notes, note("a")), note("a"));
    assert.deepEqual(await listed(store), ["b", "a"]);
  });

  test("a clear removes a partition whole, and nothing else", async ({ store }) => {
    await given(store, insert(notes, note("a")), insert(notes, note("b")), insert(marks, note("a")));
    await given(store, insert(notes, note("a", { partition: "q" })));

    assert.equal(await store.commit([clear(notes, "p")]), true);
    assert.equal(await store.commit([clear(notes, "p")]), true);
    assert.equal(await store.commit([clear(notes, "never there")]), true);

    assert.deepEqual(await listed(store), []);
    assert.equal(await store.get(notes, note("a")), null);
    assert.deepEqual(await listed(store, marks), ["a"]);
    assert.deepEqual(await listed(store, notes, "q"), ["a"]);
  });

  test("a clear leaves the record it is told to keep, as it is", async ({ store, clock }) => {
    const kept = note("b", { expiresAt: clock.now() + HOUR * 1000 });
    await given(store, insert(notes, note("a")), insert(notes, kept), put(notes, kept), insert(notes, note("c")));

    assert.equal(await store.commit([clear(notes, "p", "b")]), true);
    assert.deepEqual(await listed(store), ["b"]);
    assertRecord(await store.get(notes, kept), kept, 2);

    assert.equal(await store.commit([clear(notes, "p", "absent")]), true);
    assert.deepEqual(await listed(store), []);
  });

  test("a take removes and returns", async ({ store }) => {
    await given(store, put(notes, note("a")), put(notes, note("a")), insert(notes, note("b")));
    await given(store, insert(people, person("a", { email: "a", team: "red" })));

    assertRecord(await store.take(notes, note("a")), note("a"), 2);
    assert.equal(await store.take(notes, note("a")), null);
    assert.deepEqual(await listed(store), ["b"]);
    assertRecord(await store.take(people, person("a")), person("a", { email: "a", team: "red" }));
    assert.deepEqual(await store.find(people, "team", "red"), []);
    assert.equal(await store.commit([insert(people, person("b", { email: "a" }))]), true);
  });

  test("a list is in the order of insertion, whatever the ids", async ({ store }) => {
    const order = ["m", "z", "a", "10", "9", "Z"];
    for (const id of order) await given(store, insert(notes, note(id)));

    assert.deepEqual(await listed(store), order);
  });

  test("nothing is shared with the caller: changed bytes change no record", async ({ store }) => {
    const value = Buffer.from("abc");
    await given(store, insert(notes, note("a", { value })));
    value.fill(0);

    const read = await store.get(notes, note("a"));
    assertRecord(read, note("a", { value: Buffer.from("abc") }));
    read?.value.fill(0);
    (await store.list(notes, "p"))[0]?.value.fill(0);

    assertRecord(await store.get(notes, note("a")), note("a", { value: Buffer.from("abc") }));
  });

  test("what could not be atomic on every backend is refused, and nothing is written", async ({ store }) => {
    await given(store, insert(notes, note("there")));
    const refused: Record<string, readonly Write[]> = {
      "two partitions": [insert(notes, note("a")), insert(notes, note("a", { partition: "q" }))],
      "a delete elsewhere": [insert(notes, note("a")), remove(notes, note("a", { partition: "q" }))],
      "a clear elsewhere": [insert(notes, note("a")), clear(notes, "q")],
      "both kinds": [insert(notes, note("a", { partition: "" })), insert(people, person("a"))],
      "an unknown lookup": [insert(people, person("a", { shoe: "44" }))],
      "lookups without a directory": [insert(notes, note("a", { lookups: { email: "a" } }))],
      "a directory key with a partition": [insert(people, person("a", {}, { partition: "p" }))],
      "a cap on a directory": [insert(people, person("a"), { max: 1 })],
    };

    for (const [what, writes] of Object.entries(refused)) await assert.rejects(store.commit(writes), { code: "config_error" }, what);
    await assert.rejects(store.find(people, "shoe", "44"), { code: "config_error" });
    await assert.rejects(store.find(notes, "email", "a"), { code: "config_error" });
    await assert.rejects(store.list(people, ""), { code: "config_error" });

    assert.deepEqual(await listed(store), ["there"]);
    assert.deepEqual(await listed(store, notes, "q"), []);
    assert.deepEqual(ids((await store.scan(people)).records), []);
  });
}
