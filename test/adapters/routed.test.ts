import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { accountCollection } from "../../lib/core/account-record.ts";
import { userCollection } from "../../lib/core/user-directory.ts";
import { StorageError } from "../../lib/errors.ts";
import { directoryCollection, partitionedCollection } from "../../lib/storage/collection.ts";
import type { Change, Collection, NewRecord, RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock, recordStoreConformance } from "../../lib/testing/index.ts";
import { startApp } from "../support/app.ts";

recordStoreConformance(
  "routed(memory, memory)",
  async ({ clock }) => routed({ directory: memoryStore({ clock }), ephemeral: memoryStore({ clock }) }),
  { describe, it },
);

recordStoreConformance(
  "routed(memory)",
  async ({ clock }) => {
    const store = memoryStore({ clock });
    return routed({ directory: store, ephemeral: store });
  },
  { describe, it },
);

const notes = partitionedCollection("notes");
const keys = partitionedCollection("keys");
const people = directoryCollection("people", { email: "unique" });

const record = (id: string, partition = "p"): NewRecord => ({ partition, id, value: Buffer.from(id), expiresAt: null });
const insert = (into: Collection, id: string) => ({
  op: "insert" as const,
  in: into,
  record: record(id, into.kind === "directory" ? "" : "p"),
});

function open() {
  const clock = createTestClock();
  const [directory, ephemeral, third] = [memoryStore({ clock }), memoryStore({ clock }), memoryStore({ clock })];
  return { clock, directory, ephemeral, third, store: routed({ directory, ephemeral, collections: { keys: third } }) };
}

describe("routed stores", () => {
  it("keep what has lookups in one store, the rest and counters in the other, and exceptions where they were sent", async () => {
    const { store, directory, ephemeral, third, clock } = open();

    for (const [into, id] of [[people, "a"] as const, [notes, "b"] as const, [keys, "c"] as const]) await store.commit([insert(into, id)]);
    await store.count("tries", { by: 1, window: 60, now: clock.now() });

    const places = (where: RecordStore) =>
      Promise.all([where.get(people, record("a", "")), where.get(notes, record("b")), where.get(keys, record("c"))]);
    expect((await places(directory)).map(Boolean)).toEqual([true, false, false]);
    expect((await places(ephemeral)).map(Boolean)).toEqual([false, true, false]);
    expect((await places(third)).map(Boolean)).toEqual([false, false, true]);
    expect((await places(store)).map(Boolean)).toEqual([true, true, true]);
    expect((await ephemeral.count("tries", { by: 1, window: 60, now: clock.now() })).count).toBe(2);
  });

  it("refuse a commit over two stores, naming what to route alike, and write nothing", async () => {
    const { store } = open();

    const commit = store.commit([insert(notes, "a"), insert(keys, "a")]);

    await expect(commit).rejects.toMatchObject({
      code: "config_error",
      option: "routed.collections",
      message: expect.stringMatching(/"notes" is in memory and "keys" in memory: route them alike/),
    });
    expect(await store.list(notes, "p")).toEqual([]);
  });

  it("refuse at start to take one directory collection from the others, and any other at its first use", async () => {
    const directory = memoryStore();
    for (const { name } of [userCollection, accountCollection]) {
      expect(() => routed({ directory, ephemeral: directory, collections: { [name]: memoryStore() } })).toThrow(
        new RegExp(`routed.collections.${name}: .* has lookups`),
      );
    }
    const store = routed({ directory, ephemeral: directory, collections: { people: memoryStore() } });
    await expect(store.commit([insert(people, "a")])).rejects.toMatchObject({ option: "routed.collections.people" });
    await expect(store.get(people, record("a", ""))).rejects.toMatchObject({ option: "routed.collections.people" });
  });

  it.each([
    [{ directory: memoryStore() }, "routed.ephemeral: give a store"],
    [{ directory: {}, ephemeral: memoryStore() }, "routed.directory: lacks get()"],
    [{ directory: memoryStore(), ephemeral: memoryStore(), collections: { keys: 7 } }, "routed.collections.keys: give a store"],
    [{ directory: memoryStore(), ephemeral: memoryStore(), routes: {} }, "routed.routes: unknown option"],
    [{ directory: memoryStore(), ephemeral: named("encrypted(redis)") }, "routed.ephemeral: put encrypted() around routed()"],
    [{ directory: named("routed(a, b)"), ephemeral: memoryStore() }, "routed.directory: list all stores in one routed()"],
  ])("refuse %o", (options, message) => {
    expect(() => routed(options as never)).toThrow(message);
  });

  it("are what all their stores are: persistent together, ordered only alone", () => {
    const durable: RecordStore = { ...memoryStore(), name: "durable", persistent: true };

    const both = routed({ directory: durable, ephemeral: memoryStore() });
    const one = routed({ directory: durable, ephemeral: durable });

    expect([both.name, both.persistent, both.ordered]).toEqual(["routed(durable, memory)", false, false]);
    expect([one.name, one.persistent, one.ordered]).toEqual(["routed(durable)", true, true]);
  });

  it("sweep, when asked for what is kept, those alone that keep what expired", async () => {
    const swept: string[] = [];
    const store = (name: string, keepsExpired: boolean): RecordStore => ({
      ...memoryStore(),
      ...{ name, keepsExpired },
      sweep: async ({ limit } = {}) => (swept.push(`${name} ${limit}`), {}),
    });
    const both = routed({ directory: store("sql", true), ephemeral: store("redis", false) });

    await both.sweep({ limit: 100, kept: true });
    await both.sweep({ limit: 100 });

    expect(swept).toEqual(["sql 100", "sql 50", "redis 50"]);
    expect(both.keepsExpired).toBe(true);
    expect(routed({ directory: store("redis", false), ephemeral: store("redis too", false) }).keepsExpired).toBe(false);
  });

  it("tell of changes in every store, until the watch is closed", async () => {
    const { store } = open();
    const heard: Change[] = [];
    const watch = await store.watch((change) => heard.push(change));
    for (const into of [people, notes, keys]) await store.commit([insert(into, "a")]);

    for (const into of [people, notes, keys]) await store.take(into, record("a", into === people ? "" : "p"));
    await watch.close();
    await store.commit([{ op: "put", in: notes, record: record("b") }]);

    expect(heard.map(({ collection, id }) => `${collection} ${id}`)).toEqual(["people a", "notes a", "keys a"]);
  });

  it("watch all stores or none", async () => {
    const { directory, ephemeral } = open();
    const heard: Change[] = [];
    const deaf: RecordStore = { ...ephemeral, watch: () => Promise.reject(new StorageError()) };

    await expect(routed({ directory, ephemeral: deaf }).watch((change) => heard.push(change))).rejects.toThrow(StorageError);
    await directory.commit([{ op: "put", in: people, record: record("a", "") }]);

    expect(heard).toEqual([]);
  });

  it("sweep every store within one limit and add up what went", async () => {
    const { store, clock } = open();
    const expiresAt = clock.now() + 1000;
    for (const into of [people, notes, keys]) {
      for (let index = 0; index < 10; index++) {
        const { record: fresh } = insert(into, `r${index}`);
        await store.commit([{ op: "insert", in: into, record: { ...fresh, expiresAt } }]);
      }
    }
    await store.count("tries", { by: 1, window: 1, now: clock.now() });
    clock.advance(1);

    expect(await store.sweep({ limit: 9 })).toEqual({ people: 3, notes: 3, keys: 3 });
    expect(await store.sweep()).toEqual({ people: 7, notes: 7, keys: 7, counters: 1 });
  });

  it("do upkeep in the other stores though one fails, and then say so", async () => {
    const { directory, ephemeral, clock } = open();
    const done: string[] = [];
    const failing: RecordStore = { ...directory, sweep: () => Promise.reject(new StorageError("directory is away")) };
    const noting: RecordStore = {
      ...ephemeral,
      migrate: async () => void done.push("migrate"),
      close: async () => void done.push("close"),
    };
    const store = routed({ directory: failing, ephemeral: noting });
    await store.commit([{ op: "insert", in: notes, record: { ...record("a"), expiresAt: clock.now() } }]);

    await expect(store.sweep()).rejects.toThrow("directory is away");
    await store.migrate();
    await store.close();

    expect(await ephemeral.sweep()).toEqual({});
    expect(done).toEqual(["migrate", "close"]);
  });

  it("carry the kit: a person signs in, is served, and signs out everywhere", async () => {
    const { store, clock, directory, ephemeral } = open();
    const app = await startApp({ store, clock });
    try {
      const user = await app.auth.users.create({ email: "ann@example.com" });
      const { token } = await app.auth.sessions.create({ userId: user.id });
      expect((await app.auth.sessions.resolve(token)).session?.userId).toBe(user.id);
      expect((await directory.find(userCollection, "email", "ann@example.com")).length).toBe(1);
      expect(await ephemeral.find(userCollection, "email", "ann@example.com")).toEqual([]);

      await app.auth.sessions.revokeAll(user.id);

      expect((await app.auth.sessions.resolve(token)).session ?? null).toBeNull();
    } finally {
      await app.close();
    }
  });
});

function named(name: string): RecordStore {
  return { ...memoryStore(), name };
}
