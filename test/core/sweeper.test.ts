import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAuth } from "../../lib/auth.ts";
import { createBackground } from "../../lib/core/background.ts";
import { startSweeper } from "../../lib/core/sweeper.ts";
import { StorageError } from "../../lib/errors.ts";
import { partitionedCollection } from "../../lib/storage/collection.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { TEST_SECRET } from "../support/kit.ts";

const things = partitionedCollection("things");

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A store, and processes that sweep it; all clocks move together. */
function open(changes: Partial<RecordStore> = {}) {
  const clock = createTestClock();
  const swept: string[] = [];
  const failures: unknown[] = [];
  const store: RecordStore = { ...memoryStore({ clock }), ...changes };
  const backgrounds: ReturnType<typeof createBackground>[] = [];
  const start = (name: string, { every = 60, random = (): number => 0 } = {}) => {
    const background = createBackground((error) => failures.push(error));
    backgrounds.push(background);
    const sweep: RecordStore["sweep"] = async (options) => {
      const removed = await store.sweep(options);
      swept.push(`${name} ${removed["things"] ?? 0}`);
      return removed;
    };
    return startSweeper({ store: { ...store, sweep }, clock, background, every, random });
  };
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1);
      await vi.advanceTimersByTimeAsync(1000);
      for (const background of backgrounds) await finished(background);
    }
  };
  const expired = async (count: number) => {
    const expiresAt = clock.now() + 1;
    for (let id = 0; id < count; id += 1)
      await store.commit([{ op: "put", in: things, record: { partition: "p", id: `${id}`, value: Buffer.from("x"), expiresAt } }]);
  };
  return { store, clock, start, pass, expired, swept, failures };
}

/** Without a timer, which stands still: a deadline is not needed. */
async function finished(background: ReturnType<typeof createBackground>): Promise<void> {
  await background.drain(1_000_000);
}

describe("sweeping in the background", () => {
  it("removes what has expired, once in each window, until nothing is left", async () => {
    const { start, pass, expired, swept } = open();
    const end = start("a");
    await expired(2500);

    await pass(59);
    expect(swept).toEqual([]);
    await pass(1);
    expect(swept).toEqual(["a 1000", "a 1000", "a 500", "a 0"]);
    await expired(1);
    await pass(60);
    expect(swept.slice(4)).toEqual(["a 1", "a 0"]);
    end();
    await pass(120);
    expect(swept).toHaveLength(6);
  });

  it("is one process's, of all that share a store", async () => {
    const { start, pass, swept } = open();
    for (const name of ["a", "b", "c"]) start(name);
    start("late", { random: () => 1 });

    await pass(66);
    expect(swept).toEqual(["a 0"]);
    await pass(60);
    expect(swept).toHaveLength(2);
  });

  it("goes on when the process that did it is gone", async () => {
    const { start, pass, swept } = open();
    const end = start("a");
    start("b", { random: () => 1 });
    await pass(60);
    end();
    await pass(120);
    expect(swept).toEqual(["a 0", "b 0"]);
  });

  it("leaves others their turn: ten rounds, then the next window", async () => {
    let rounds = 0;
    const { start, pass } = open({ sweep: async ({ limit = 0 } = {}) => ((rounds += 1), { things: limit }) });
    start("a");
    await pass(60);
    expect(rounds).toBe(10);
    await pass(60);
    expect(rounds).toBe(20);
  });

  it("rule 43: fails to the background, and goes on at the next window", async () => {
    let fails = 1;
    const { start, pass, failures } = open({
      sweep: () => (fails-- > 0 ? Promise.reject(new StorageError("away")) : Promise.resolve({})),
    });
    start("a");
    await pass(60);
    expect(failures).toHaveLength(1);
    await pass(60);
    expect([failures.length, fails]).toEqual([1, -1]);
  });

  it("is not done for a store that drops what expired by itself, nor where it is switched off", async () => {
    let asked = 0;
    const count: RecordStore["count"] = async (_counter, { now }) => ((asked += 1), { count: 1, resetAt: now });
    const byItself = open({ keepsExpired: false, count });
    byItself.start("a");
    await byItself.pass(120);
    const off = open({ count });
    off.start("a", { every: 0 });
    await off.pass(120);
    expect(asked).toBe(0);
  });

  it("is asked of what wraps a store as of the store", () => {
    for (const keepsExpired of [true, false]) {
      const store = { ...memoryStore(), keepsExpired };
      expect(cached(store).keepsExpired).toBe(keepsExpired);
      expect(encrypted(store, { keys: ["k".repeat(43)], indexKey: "i".repeat(43) }).keepsExpired).toBe(keepsExpired);
    }
  });

  it.each([
    [undefined, 66, 1],
    [10, 11, 1],
    [false as const, 3600, 0],
    [0, 3600, 0],
  ])("is what createAuth does with sweepEvery: %s", async (sweepEvery, seconds, times) => {
    const calls: unknown[] = [];
    const store = { ...memoryStore(), sweep: async (options?: object) => (calls.push(options), {}) };
    const auth = createAuth({ secret: TEST_SECRET, baseUrl: "http://localhost", store, sweepEvery });

    await vi.advanceTimersByTimeAsync(seconds * 1000);
    await auth.close();
    await vi.advanceTimersByTimeAsync(seconds * 1000);

    expect(calls).toEqual(Array.from({ length: times }, () => ({ limit: 1000, kept: true })));
  });
});
