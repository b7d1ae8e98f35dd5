import { describe, expect, it, vi } from "vitest";
import { cached, type CachedOptions } from "../../lib/adapters/cached/index.ts";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { apiKeyCollection } from "../../lib/core/api-key-record.ts";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { StorageError } from "../../lib/errors.ts";
import { directoryCollection, directoryKey, partitionedCollection } from "../../lib/storage/collection.ts";
import type { NewRecord, RecordStore, Write } from "../../lib/storage/record-store.ts";
import { createTestClock, recordStoreConformance, type TestClock } from "../../lib/testing/index.ts";
import { startApp } from "../support/app.ts";
import { requireAuth } from "../../lib/index.ts";
import { counting, createTestKit, TEST_SECRET } from "../support/kit.ts";

const SUITE = { collections: ["conformance_notes", "conformance_marks"] };

// Rule 11: the contract suite, races included, through the wrapper, which keeps what the suite reads.
recordStoreConformance("cached(memory)", async ({ clock }) => cached(memoryStore({ clock }), { clock, ...SUITE }), { describe, it });

recordStoreConformance(
  "encrypted(cached(routed(memory)))",
  async ({ clock }) => {
    const inner = routed({ directory: memoryStore({ clock }), ephemeral: memoryStore({ clock }) });
    const keys = { keys: "a key for tests, of 32 bytes or more", indexKey: "an index key for tests, of 32 bytes" };
    return encrypted(cached(inner, { clock, ...SUITE }), keys);
  },
  { describe, it },
);

const notes = partitionedCollection("notes");
const others = partitionedCollection("others");
const people = directoryCollection("people");

const note = (id: string, value = id): NewRecord => ({ partition: "p", id, value: Buffer.from(value), expiresAt: null });
const put = (record: NewRecord): Write => ({ op: "put", in: notes, record });
const drop = (id: string): Write => ({ op: "delete", in: notes, key: note(id) });
const text = (record: { value: Uint8Array } | null) => record && Buffer.from(record.value).toString();

/** A cache over a store that others write to as well; it listens already. */
async function open(options: CachedOptions = {}, wrap: (inner: RecordStore) => RecordStore = (inner) => inner) {
  const clock = createTestClock();
  const inner = memoryStore({ clock });
  const { store: counted, calls } = counting(wrap(inner));
  const store = cached(counted, { collections: ["notes"], clock, ...options });
  await store.get(notes, note("that it listens"));
  const before = calls["get"] ?? 0;
  return { clock, inner, store, reads: () => (calls["get"] ?? 0) - before };
}

/** A store whose notices come only when the test lets them. */
function deaf(inner: RecordStore): RecordStore {
  return { ...inner, watch: async () => ({ close: async () => {} }) };
}

/** Steps that the test lets happen, in its own order. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

describe("a cached store", () => {
  it("answers a second get without asking the store, up to maxAge after the first began", async () => {
    const { store, inner, clock, reads } = await open({}, deaf);
    await inner.commit([put(note("a", "old"))]);
    await store.get(notes, note("a"));
    await inner.commit([put(note("a", "new"))]);

    clock.advance(0.999);
    expect(text(await store.get(notes, note("a")))).toBe("old");
    expect(reads()).toBe(1);
    clock.advance(0.001);
    expect(text(await store.get(notes, note("a")))).toBe("new");
    expect(reads()).toBe(2);
  });

  it("counts age from the start of a read, however long that takes, and from no later hit", async () => {
    const arrived = gate();
    const { store, inner, clock, reads } = await open({}, (memory) => ({
      ...deaf(memory),
      get: async (from, key) => {
        const record = await memory.get(from, key);
        if (key.id === "a") await arrived.opened;
        return record;
      },
    }));
    await inner.commit([put(note("a", "old"))]);
    const reading = store.get(notes, note("a"));
    clock.advance(0.6);
    arrived.open();
    await reading;
    await inner.commit([drop("a")]);

    for (const step of [0.1, 0.2]) {
      clock.advance(step);
      expect(text(await store.get(notes, note("a")))).toBe("old");
    }
    expect(reads()).toBe(1);
    clock.advance(0.1);
    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("keeps nothing that took longer than maxAge to read, and nothing from after a clock was set back", async () => {
    const { store, inner, clock, reads } = await open({}, (memory) => ({
      ...deaf(memory),
      get: async (from, key) => {
        if (key.id === "slow") clock.advance(1);
        return memory.get(from, key);
      },
    }));
    for (const id of ["slow", "a"]) await inner.commit([put(note(id))]);

    for (const id of ["slow", "slow", "a"]) await store.get(notes, note(id));
    expect(reads()).toBe(3);
    clock.advance(-10);
    await store.get(notes, note("a"));
    expect(reads()).toBe(4);
  });

  it("rule 7: serves nothing that has expired, to the millisecond", async () => {
    const { store, inner, clock } = await open({ maxAge: 60 });
    await inner.commit([put({ ...note("a"), expiresAt: clock.now() + 500 })]);
    await store.get(notes, note("a"));

    clock.advance(0.499);
    expect(await store.get(notes, note("a"))).not.toBeNull();
    clock.advance(0.001);
    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("drops at once what others change or remove, by the store's notices", async () => {
    const { store, inner } = await open({ maxAge: 60 });
    const endings: Record<string, Write> = {
      put: put(note("a", "changed")),
      delete: drop("a"),
      clear: { op: "clear", in: notes, partition: "p" },
      "clear but another": { op: "clear", in: notes, partition: "p", keep: "b" },
    };
    for (const [name, ending] of Object.entries(endings)) {
      await inner.commit([put(note("a", "old")), put(note("b"))]);
      expect(text(await store.get(notes, note("a")))).toBe("old");
      await inner.commit([ending]);
      expect(text(await store.get(notes, note("a"))), name).toBe(name === "put" ? "changed" : null);
    }
    await inner.commit([put(note("a"))]);
    await store.get(notes, note("a"));
    await inner.take(notes, note("a"));
    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("does not keep what was being read when a notice of its partition came", async () => {
    const arrived = gate();
    let slow = false;
    const { store, inner, reads } = await open({ maxAge: 60 }, (memory) => ({
      ...memory,
      get: async (from, key) => {
        const record = await memory.get(from, key);
        if (slow && key.id === "a") await arrived.opened;
        return record;
      },
    }));
    await inner.commit([put(note("a", "old"))]);
    slow = true;

    const reading = store.get(notes, note("a"));
    await inner.commit([drop("a")]);
    arrived.open();
    expect(text(await reading)).toBe("old"); // it asked before
    slow = false;

    expect(await store.get(notes, note("a"))).toBeNull();
    expect(reads()).toBe(2);
  });

  it("keeps nothing that it read before it listened: what changed meanwhile was not heard", async () => {
    const heard = gate();
    const inner = memoryStore();
    const late: RecordStore = { ...inner, watch: async (onChange) => (await heard.opened, inner.watch(onChange)) };
    const store = cached(late, { collections: ["notes"], clock: createTestClock(), maxAge: 60 });
    await inner.commit([put(note("a"))]);
    await store.get(notes, note("a"));
    await inner.commit([drop("a")]);

    expect(await store.get(notes, note("a"))).not.toBeNull();
    heard.open();
    await new Promise((resolve) => setImmediate(resolve));

    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("rule 8: a revoke that races a fill is never kept, in 400 rounds of any order of steps", async () => {
    let random = 20_260_101;
    const dice = (sides: number) => (random = (random * 48_271) % 2_147_483_647) % sides;
    const pause = async (steps: number) => {
      for (let step = 0; step < steps; step++) await Promise.resolve();
    };
    const clock = createTestClock();
    const inner = memoryStore({ clock });
    const notices: Promise<void>[] = [];
    // Reads and notices travel as long as they please, each on a connection of its own, in order only among notices.
    const far: RecordStore = {
      ...inner,
      async get(from, key) {
        await pause(dice(8));
        const record = await inner.get(from, key);
        await pause(dice(8));
        return record;
      },
      watch: (onChange) => {
        let last = Promise.resolve();
        return inner.watch((change) => {
          const before = last;
          last = pause(dice(12))
            .then(() => before)
            .then(() => onChange(change));
          notices.push(last);
        });
      },
    };
    const store = cached(far, { clock, collections: ["notes"], maxAge: 60 });
    await store.get(notes, note("warm"));
    let served = 0;

    for (let round = 0; round < 400; round++) {
      const record = note(`r${round}`);
      await inner.commit([put(record)]);
      await Promise.all(notices.splice(0));
      const revoke = async () => {
        await pause(dice(16));
        if (round % 3 === 0) await inner.take(notes, record);
        else await inner.commit([round % 3 === 1 ? drop(record.id) : { op: "clear", in: notes, partition: "p" }]);
      };
      const fills = Array.from({ length: 4 }, async () => {
        await pause(dice(10));
        if (await store.get(notes, record)) served += 1;
      });
      await Promise.all([...fills, revoke()]);
      await Promise.all(notices.splice(0));
      expect(await store.get(notes, record), `round ${round}`).toBeNull();
    }
    expect(served).toBeGreaterThan(200); // the races were close: many fills came before
    expect(served).toBeLessThan(1600);
  });

  it("never serves past maxAge when notices are cut off or refused, and listens again", async () => {
    let attempts = 0;
    const { store, inner, clock } = await open({}, (memory) => ({
      ...memory,
      watch: (onChange) => ((attempts += 1) < 3 ? Promise.reject(new StorageError()) : memory.watch(onChange)),
    }));
    await inner.commit([put(note("a"))]);
    await store.get(notes, note("a"));
    await inner.commit([drop("a")]);

    clock.advance(0.999);
    expect(await store.get(notes, note("a"))).not.toBeNull();
    expect(attempts).toBe(1);
    clock.advance(0.001);
    expect(await store.get(notes, note("a"))).toBeNull();
    expect(attempts).toBe(2);
    clock.advance(1);
    await inner.commit([put(note("a"))]);
    await store.get(notes, note("a"));
    expect(attempts).toBe(3);
    await inner.commit([drop("a")]);
    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("sees its own writes at once, though nobody tells it of them, also those that failed", async () => {
    const { store, inner } = await open({ maxAge: 60 }, deaf);
    await store.commit([put(note("a", "1"))]);
    expect(text(await store.get(notes, note("a")))).toBe("1");

    await store.commit([{ op: "replace", in: notes, record: note("a", "2"), ifVersion: 1, quiet: true }]);
    expect(text(await store.get(notes, note("a")))).toBe("2");
    await inner.commit([put(note("a", "of another process"))]);
    expect(await store.commit([{ op: "replace", in: notes, record: note("a", "3"), ifVersion: 2 }])).toBe(false);
    expect(text(await store.get(notes, note("a")))).toBe("of another process"); // so that a retry starts from it
    await store.take(notes, note("a"));
    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("serves and keeps nothing of a partition while a write of its own is under way, or one that may still happen", async () => {
    const [begun, done] = [gate(), gate()];
    const { store, inner, reads } = await open({ maxAge: 60 }, (memory) => ({
      ...deaf(memory),
      commit: async (writes) => {
        begun.open();
        await done.opened;
        await memory.commit(writes);
        throw new StorageError("no answer in time");
      },
    }));
    await inner.commit([put(note("a", "old"))]);
    await store.get(notes, note("a"));

    const writing = store.commit([put(note("a", "new"))]);
    await begun.opened;
    for (let times = 0; times < 2; times++) expect(text(await store.get(notes, note("a")))).toBe("old");
    expect(reads()).toBe(3);
    done.open();
    await expect(writing).rejects.toThrow(StorageError);

    expect(text(await store.get(notes, note("a")))).toBe("new");
  });

  it("does not keep what was being read when a write of its own ended", async () => {
    const arrived = gate();
    let slow = true;
    const { store, inner } = await open({ maxAge: 60 }, (memory) => ({
      ...deaf(memory),
      get: async (from, key) => {
        const record = await memory.get(from, key);
        if (slow && key.id === "a") await arrived.opened;
        return record;
      },
    }));
    await inner.commit([put(note("a", "old"))]);

    const reading = store.get(notes, note("a"));
    await store.commit([drop("a")]);
    slow = false;
    arrived.open();
    await reading;

    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("asks for every one of several reads at once: a later caller is not answered from before it asked", async () => {
    const arrived = gate();
    const { store, inner, reads } = await open({ maxAge: 60 }, (memory) => ({
      ...deaf(memory),
      get: async (from, key) => {
        const record = await memory.get(from, key);
        if (key.id === "a") await arrived.opened;
        return record;
      },
    }));
    await inner.commit([put(note("a", "old"))]);

    const first = store.get(notes, note("a"));
    await inner.commit([put(note("a", "new"))]);
    const second = store.get(notes, note("a"));
    arrived.open();

    expect([text(await first), text(await second)]).toEqual(["old", "new"]);
    expect(reads()).toBe(2);
  });

  it("keeps nothing of a read that one begun later has overtaken", async () => {
    const first = gate();
    let calls = 0;
    const { store, inner } = await open({ maxAge: 60 }, (memory) => ({
      ...deaf(memory),
      get: async (from, key) => {
        const record = await memory.get(from, key);
        if (key.id === "a" && (calls += 1) === 1) await first.opened;
        return record;
      },
    }));
    await inner.commit([put(note("a", "old"))]);

    const overtaken = store.get(notes, note("a"));
    await inner.commit([drop("a")]);
    expect(await store.get(notes, note("a"))).toBeNull();
    first.open();
    await overtaken;

    expect(await store.get(notes, note("a"))).toBeNull();
  });

  it("keeps no absence, no directory record, no other collection, and nothing over 16 KB", async () => {
    const { store, inner, reads } = await open({ maxAge: 60, collections: ["notes", "people"] }, deaf);
    await inner.commit([put({ ...note("big"), value: Buffer.alloc(16 * 1024 + 1) })]);
    await inner.commit([{ op: "put", in: others, record: note("a") }]);
    await inner.commit([{ op: "put", in: people, record: { ...note("a"), ...directoryKey("a") } }]);
    const asked = [
      [notes, note("absent")],
      [notes, note("big")],
      [others, note("a")],
      [people, directoryKey("a")],
    ] as const;

    for (const [from, key] of asked) for (let times = 0; times < 2; times++) await store.get(from, key);

    expect(reads()).toBe(8);
    await inner.commit([put(note("absent"))]);
    expect(await store.get(notes, note("absent"))).not.toBeNull();
  });

  it("never answers a list from what it keeps", async () => {
    const { store, inner } = await open({ maxAge: 60 }, deaf);
    await inner.commit([put(note("a", "old"))]);
    await store.get(notes, note("a"));
    await inner.commit([put(note("a", "new"))]);

    expect((await store.list(notes, "p")).map(text)).toEqual(["new"]);
    expect((await store.scan(notes)).records.map(text)).toEqual(["new"]);
  });

  it("keeps no more than max, dropping what was used longest ago", async () => {
    const { store, inner, reads } = await open({ maxAge: 60, max: 3 }, deaf);
    for (const id of ["a", "b", "c", "d"]) await inner.commit([put(note(id))]);
    for (const id of ["a", "b", "c", "a", "d"]) await store.get(notes, note(id));
    expect(reads()).toBe(4);

    for (const id of ["a", "c", "d"]) await store.get(notes, note(id));
    expect(reads()).toBe(4);
    await store.get(notes, note("b"));
    expect(reads()).toBe(5);
  });

  it("keeps bytes of its own, and hands out the one frozen record that has them", async () => {
    const { store, inner } = await open({ maxAge: 60 });
    await inner.commit([put(note("a", "intact"))]);
    (await store.get(notes, note("a")))?.value.fill(0);

    const served = await store.get(notes, note("a"));

    expect(text(served)).toBe("intact");
    expect(Object.isFrozen(served)).toBe(true);
    expect(await store.get(notes, note("a"))).toBe(served);
  });

  it("tells its watchers only after it dropped what they will ask for", async () => {
    const inner = memoryStore();
    const store = cached(inner, { collections: ["notes"], clock: createTestClock(), maxAge: 60 });
    const seen: Promise<string | null>[] = [];
    await store.watch(() => seen.push(store.get(notes, note("a")).then(text))); // before the cache itself listens
    await inner.commit([{ op: "insert", in: notes, record: note("a", "old") }]);
    for (let times = 0; times < 2; times++) await store.get(notes, note("a"));

    await inner.commit([put(note("a", "new"))]);

    expect(await Promise.all(seen)).toEqual(["new"]);
  });

  it("goes by a second clock as well, which nobody sets back", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] });
    try {
      const inner = memoryStore();
      const store = cached(deaf(inner), { collections: ["notes"] });
      await store.get(notes, note("that it listens"));
      await inner.commit([put(note("a", "old"))]);
      await store.get(notes, note("a"));
      await inner.commit([put(note("a", "new"))]);

      vi.advanceTimersByTime(900);
      expect(text(await store.get(notes, note("a")))).toBe("old");
      vi.setSystemTime(Date.now() - 900);
      vi.advanceTimersByTime(99);
      expect(text(await store.get(notes, note("a")))).toBe("old");
      vi.advanceTimersByTime(1);
      expect(text(await store.get(notes, note("a")))).toBe("new");
    } finally {
      vi.useRealTimers();
    }
  });

  it("keeps nothing once closed, and stops listening", async () => {
    let listeners = 0;
    const { store, inner, reads } = await open({ maxAge: 60 }, (memory) => ({
      ...memory,
      watch: async (onChange) => {
        const watch = await memory.watch(onChange);
        listeners += 1;
        return { close: async () => ((listeners -= 1), watch.close()) };
      },
    }));
    await inner.commit([put(note("a"))]);
    await store.get(notes, note("a"));
    expect(listeners).toBe(1);

    await store.close();
    for (let times = 0; times < 2; times++) await store.get(notes, note("a"));

    expect([listeners, reads()]).toEqual([0, 3]);
  });

  it.each<[unknown, string]>([
    [{ max: 0 }, "cached.max: give a whole number"],
    [{ max: 1.5 }, "cached.max: give a whole number"],
    [{ maxAge: 0 }, "cached.maxAge: give seconds"],
    [{ maxAge: 61 }, "cached.maxAge: give seconds, above 0 and up to 60"],
    [{ maxAge: Number.NaN }, "cached.maxAge: give seconds"],
    [{ maxage: 1 }, 'did you mean "maxAge"?'],
    [{ collections: [] }, "cached.collections: give a list"],
    [{ collections: ["principals"] }, '"principals" is a directory'],
    [{ clock: {} }, "cached.clock"],
  ])("refuses %o at start", (options, message) => {
    expect(() => cached(memoryStore(), options as CachedOptions)).toThrow(message);
  });

  it("refuses at start to be around an encrypted store, or another cache, however deep", () => {
    const keys = { keys: "a key for tests, of 32 bytes or more", indexKey: "an index key for tests, of 32 bytes" };
    const directory = memoryStore();
    expect(() => cached(encrypted(directory, keys))).toThrow("cached: put encrypted() around cached()");
    expect(() => cached(routed({ directory, ephemeral: cached(memoryStore()) }))).toThrow("this store is cached already");
    expect(encrypted(cached(routed({ directory, ephemeral: directory })), keys).name).toBe("encrypted(cached(routed(memory)))");
  });
});

describe("the kit on a cached store", () => {
  /** Two processes on one store, each with a cache. */
  async function twoProcesses(wrap: (inner: RecordStore) => RecordStore = (inner) => inner) {
    const clock: TestClock = createTestClock();
    const inner = memoryStore({ clock });
    const { store: counted, calls } = counting(inner);
    const kit = async () => {
      const store = cached(wrap(counted), { clock });
      await store.get(sessionCollection, note("that it listens"));
      return createTestKit({ clock, store });
    };
    return { clock, here: await kit(), there: await kit(), calls };
  }

  it("keeps sessions and API keys by their right names", () => {
    expect([sessionCollection.name, apiKeyCollection.name]).toEqual(["s", "api_keys"]);
  });

  it("resolves a hot session without a read, and refuses it everywhere at once when it is revoked", async () => {
    const { here, there, calls } = await twoProcesses();
    const { token, session } = await here.sessions.create({ userId: "ann" });
    for (const { sessions } of [here, there]) await sessions.resolve(token);
    const before = calls["get"];
    for (const { sessions } of [here, there]) expect((await sessions.resolve(token)).session?.userId).toBe("ann");
    expect(calls["get"]).toBe(before);

    await here.sessions.revoke(session.id);

    for (const { sessions } of [here, there]) expect((await sessions.resolve(token)).session ?? null).toBeNull();
  });

  it("reads a hot session once, frozen as requests share it, and still ends it by the clock and by its secret", async () => {
    const clock = createTestClock();
    const store = cached(memoryStore({ clock }), { clock, maxAge: 60 });
    await store.get(sessionCollection, note("that it listens"));
    const { sessions } = createTestKit({ clock, store, life: { idleTtl: 30, absoluteTtl: 600 } });
    const resolve = async (token: string) => (await sessions.resolve(token)).session;
    const { token } = await sessions.create({ userId: "ann", data: { cart: ["tea"] } });
    const other = await sessions.create({ userId: "ann" });
    await resolve(token);

    const hot = await resolve(token);
    expect(await resolve(token)).toBe(hot);
    expect([Object.isFrozen(hot), Object.isFrozen(hot?.data), Object.isFrozen(hot?.data["cart"])]).toEqual([true, true, true]);

    await sessions.rotate(other.session);
    expect(await resolve(other.token)).toBeNull();
    expect(await resolve(token)).not.toBe(hot); // read again: a session of the same user was changed
    expect(await resolve(token)).toEqual(hot);
    clock.advance(30);
    expect(await resolve(token)).toBeNull();
  });

  it("with notices cut off, another process serves a revoked session for less than a second, and this one not at all", async () => {
    const { here, there, clock } = await twoProcesses(deaf);
    const { token } = await here.sessions.create({ userId: "ann" });
    for (const { sessions } of [here, there]) await sessions.resolve(token);

    await here.sessions.revokeAll("ann");

    expect((await here.sessions.resolve(token)).session ?? null).toBeNull();
    clock.advance(0.999);
    expect((await there.sessions.resolve(token)).session?.userId).toBe("ann");
    clock.advance(0.001);
    expect((await there.sessions.resolve(token)).session ?? null).toBeNull();
  });

  it("rule 12: a rotated secret is dead at once where it was rotated, and elsewhere within a second", async () => {
    const { here, there, clock } = await twoProcesses(deaf);
    const { token, session } = await here.sessions.create({ userId: "ann" });
    for (const { sessions } of [here, there]) await sessions.resolve(token);

    const fresh = await here.sessions.rotate(session);

    expect((await here.sessions.resolve(token)).session ?? null).toBeNull();
    expect((await here.sessions.resolve(fresh.token)).session?.userId).toBe("ann");
    clock.advance(1);
    expect((await there.sessions.resolve(token)).session ?? null).toBeNull();
  });

  it("loses neither of two fields that two processes set at once, each having read the session before", async () => {
    const { here, there } = await twoProcesses(deaf);
    const { token, session } = await here.sessions.create({ userId: "ann" });
    for (const { sessions } of [here, there]) await sessions.resolve(token);

    await here.sessions.updateData(session.id, { left: 1 });
    await there.sessions.updateData(session.id, { right: 2 });

    expect((await here.sessions.get(session.id))?.data).toEqual({ left: 1, right: 2 });
  });

  it("serves the routes as it does on any store", async () => {
    const clock = createTestClock();
    const app = await startApp({ clock, store: cached(memoryStore({ clock }), { clock }) });
    try {
      const user = await app.auth.users.create({ email: "ann@example.com" });
      const { token } = await app.auth.sessions.create({ userId: user.id, transport: "token" });
      const me = () => fetch(`${app.url}/auth/me`, { headers: { authorization: `Bearer ${token}` } });

      for (let times = 0; times < 3; times++) expect((await me()).status).toBe(200);
      await app.auth.users.disable(user.id);
      expect((await me()).status).toBe(401);
    } finally {
      await app.close();
    }
  });
});

describe("what a cache holds", () => {
  it("is given without waiting, as long as a read of it would be", async () => {
    const { store, inner, clock } = await open({ maxAge: 1 });
    await inner.commit([put(note("a"))]);
    expect(store.held?.(notes, note("a"))).toBeNull();
    await store.get(notes, note("a"));
    expect(text(store.held?.(notes, note("a")) ?? null)).toBe("a");
    expect(store.held?.(others, note("a"))).toBeNull();
    clock.advance(1);
    expect(store.held?.(notes, note("a"))).toBeNull();
  });

  it("is gone with a write of one's own, and with the notice of another's", async () => {
    const { store, inner } = await open();
    for (const write of [() => store.commit([drop("a")]), () => inner.commit([drop("a")])]) {
      await inner.commit([put(note("a"))]);
      await store.get(notes, note("a"));
      expect(store.held?.(notes, note("a"))).not.toBeNull();
      await write();
      expect(store.held?.(notes, note("a"))).toBeNull();
    }
  });

  it("lets in the same sessions as the store does, and no others", async () => {
    const clock = createTestClock();
    const { store: counted, calls } = counting(memoryStore({ clock }));
    const { sessions } = createTestKit({ clock, store: cached(counted, { clock, maxAge: 60 }) });
    const first = await sessions.create({ userId: "alice" });
    expect(sessions.seen(first.token)).toBeNull();
    await sessions.resolve(first.token); // that it listens
    await sessions.resolve(first.token);
    const reads = calls["get"];
    expect(sessions.seen(first.token)).toMatchObject({ id: first.session.id, userId: "alice" });
    expect(sessions.seen(`${first.token.slice(0, -1)}!`)).toBeNull();
    expect(calls["get"]).toBe(reads);

    const second = await sessions.rotate(first.session);
    await sessions.resolve(second.token);
    expect([sessions.seen(first.token), sessions.seen(second.token)]).toEqual([null, expect.objectContaining({ userId: "alice" })]);
    await sessions.revoke(first.session.id);
    expect(sessions.seen(second.token)).toBeNull();
  });

  it("lets in no session that has ended by the clock, or was signed by an older secret", async () => {
    const clock = createTestClock();
    const store = cached(memoryStore({ clock }), { clock, maxAge: 60 });
    const { sessions } = createTestKit({ clock, store, secrets: [TEST_SECRET] });
    const { token, session } = await sessions.create({ userId: "alice" });
    const renewed = createTestKit({ clock, store, secrets: ["another secret, as long as it has to be", TEST_SECRET] });
    expect((await renewed.sessions.resolve(token)).resign).not.toBeNull();
    expect(renewed.sessions.seen(token)).toBeNull();

    clock.set(session.idleExpiresAt - 1);
    await sessions.resolve(token);
    expect(sessions.seen(token)).not.toBeNull();
    clock.advance(0.001);
    expect(sessions.seen(token)).toBeNull();
  });

  it("rule 36: lets nobody in by a cookie that another site sent", async () => {
    const clock = createTestClock();
    const app = await startApp({
      ...{ clock, store: cached(memoryStore({ clock }), { clock, maxAge: 60 }) },
      routes: (to) => void to.post("/change", requireAuth(), (_req, res) => void res.json({ changed: true })),
    });
    const { token } = await app.auth.sessions.create({ userId: "alice" });
    const send = (site: string) =>
      fetch(`${app.url}/change`, { method: "POST", headers: { cookie: `sid=${token}`, "sec-fetch-site": site } });
    for (const site of ["same-origin", "cross-site", "same-origin"]) {
      expect((await send(site)).status).toBe(site === "cross-site" ? 403 : 200);
    }
    await app.close();
  });
});
