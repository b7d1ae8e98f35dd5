import assert from "node:assert/strict";
import type { Change, RecordStore } from "../../storage/record-store.ts";
import { clear, given, insert, note, notes, people, person, put, remove, replace, type DeclareTest } from "./samples.ts";

/** What watchers are told, and what not. */
export function watchTests(test: DeclareTest): void {
  const change = (id: string | null, keep?: string): Change => ({
    collection: notes.name,
    partition: "p",
    id,
    ...(keep === undefined ? {} : { keep }),
  });

  test("watchers are told of removals and of changes of rights, in the order they happened", async ({ store }) => {
    for (const id of ["a", "b", "c", "d", "e"]) await given(store, insert(notes, note(id)));
    const heard = await listen(store);

    await given(store, remove(notes, note("a")));
    await given(store, remove(notes, note("b"), 1));
    await store.take(notes, note("c"));
    await given(store, put(notes, note("d")));
    await given(store, replace(notes, note("d"), 2));
    await given(store, insert(notes, note("f"), { max: 2 })); // of d, e and f it evicts d
    await given(store, clear(notes, "p", "e"));
    await given(store, clear(notes, "p"));

    assert.deepEqual(await heard(), [
      change("a"),
      change("b"),
      change("c"),
      change("d"),
      change("d"),
      change("d"),
      change(null, "e"),
      change(null),
    ]);
  });

  test("watchers are told of a directory's changes, and of each write of a commit", async ({ store }) => {
    const person1: Change = { collection: people.name, partition: "", id: "a" };
    await given(store, insert(people, person("a", { email: "a" })), insert(people, person("b")));
    const heard = await listen(store);

    await given(store, replace(people, person("a", { email: "b" }), 1), remove(people, person("b")));
    await store.take(people, person("a"));

    assert.deepEqual(await heard(), [person1, { ...person1, id: "b" }, person1]);
  });

  test("watchers are not told of inserts, of quiet writes, or of what failed", async ({ store }) => {
    const heard = await listen(store);

    await given(store, insert(notes, note("a")));
    await given(store, insert(notes, note("a")));
    await given(store, { ...replace(notes, note("a"), 1), quiet: true });
    await given(store, { ...put(notes, note("a")), quiet: true });
    assert.equal(await store.commit([put(notes, note("a")), replace(notes, note("a"), 1)]), false);
    assert.equal(await store.commit([remove(notes, note("a"), 1)]), false);
    assert.equal(await store.commit([clear(notes, "p"), remove(notes, note("a"), 3)]), false);
    assert.equal(await store.take(notes, note("absent")), null);

    assert.deepEqual(await heard(), []);
  });

  test("names are told as they are, whatever their bytes", async ({ store }) => {
    const odd = [
      ["a b", "c:d"],
      ["{}", "\0"],
      ["é\n", '"'],
    ] as const;
    const heard = await listen(store);

    for (const [partition, id] of odd) await given(store, put(notes, note(id, { partition })));

    assert.deepEqual(
      await heard(),
      odd.map(([partition, id]) => ({ collection: notes.name, partition, id })),
    );
  });

  test("every watcher is told, and a closed one hears nothing more", async ({ store }) => {
    const early: Change[] = [];
    const watch = await store.watch((told) => early.push(told));
    const heard = await listen(store);
    await given(store, put(notes, note("a")));
    await eventually(() => early.length === 1);

    await watch.close();
    await given(store, put(notes, note("b")));

    assert.deepEqual(await heard(), [change("a"), change("b")]);
    assert.deepEqual(early, [change("a")]);
  });
}

/** Watches, and resolves to a function that waits until all that was announced so far has arrived, and gives it. */
async function listen(store: RecordStore): Promise<() => Promise<Change[]>> {
  const heard: Change[] = [];
  const isMarker = ({ partition }: Change) => partition === "end of the test";
  await store.watch((change) => heard.push(change));
  return async () => {
    await given(store, put(notes, note("marker", { partition: "end of the test" })));
    await eventually(() => heard.some(isMarker));
    return heard
      .filter((change) => !isMarker(change))
      .map(({ collection, partition, id, keep }) => ({ collection, partition, id, ...(keep === undefined ? {} : { keep }) }));
  };
}

/** Waits up to 5 s of real time: announcements may travel. */
async function eventually(done: () => boolean): Promise<void> {
  for (let waited = 0; !done(); waited += 10) {
    assert.ok(waited < 5000, "an announcement arrives within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
