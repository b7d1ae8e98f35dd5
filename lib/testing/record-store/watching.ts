import assert from "node:assert/strict";
import type { Change, Collection, RecordStore } from "../../storage/record-store.ts";
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
    const heard = await listen(store, [[people, ""]]);

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
    const heard = await listen(
      store,
      odd.map(([partition]) => [notes, partition]),
    );

    for (const [partition, id] of odd) await given(store, put(notes, note(id, { partition })));

    const told = new Set((await heard()).map((change) => JSON.stringify(change)));
    assert.deepEqual(told, new Set(odd.map(([partition, id]) => JSON.stringify({ collection: notes.name, partition, id }))));
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

/**
 * Watches, and resolves to a function that waits until all that was announced so far of these partitions has arrived, and gives it.
 * Changes of one partition are told in order; of several, a cluster's nodes tell theirs as they come.
 */
async function listen(store: RecordStore, places: readonly Place[] = [[notes, "p"]]): Promise<() => Promise<Change[]>> {
  const heard: Change[] = [];
  const isMarker = ({ id }: Change) => id === MARKER;
  await store.watch((change) => heard.push(change));
  return async () => {
    for (const [into, partition] of places)
      await given(store, put(into, { partition, id: MARKER, value: Buffer.alloc(1), expiresAt: null }));
    await eventually(() => heard.filter(isMarker).length === places.length);
    return heard
      .filter((change) => !isMarker(change))
      .map(({ collection, partition, id, keep }) => ({ collection, partition, id, ...(keep === undefined ? {} : { keep }) }));
  };
}

type Place = readonly [Collection, partition: string];

const MARKER = "end of the test";

/** Waits up to 5 s of real time: announcements may travel. */
async function eventually(done: () => boolean): Promise<void> {
  for (let waited = 0; !done(); waited += 10) {
    assert.ok(waited < 5000, "an announcement arrives within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
