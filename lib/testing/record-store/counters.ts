import assert from "node:assert/strict";
import { HOUR, race, type DeclareTest } from "./samples.ts";

/** Counting within windows. */
export function counterTests(test: DeclareTest): void {
  test("a window starts at the first count, is never extended, and the count starts again behind it", async ({ store, clock }) => {
    const count = (by: 1 | -1 = 1) => store.count("c", { by, window: HOUR, now: clock.now() });
    const resetAt = clock.now() + HOUR * 1000;

    assert.deepEqual(await count(), { count: 1, resetAt });
    clock.advance(HOUR / 2);
    assert.deepEqual(await count(), { count: 2, resetAt });
    clock.set(resetAt - 1);
    assert.deepEqual(await count(), { count: 3, resetAt });
    assert.deepEqual(await count(-1), { count: 2, resetAt });
    clock.set(resetAt);
    assert.deepEqual(await count(), { count: 1, resetAt: resetAt + HOUR * 1000 });
  });

  test("a reservation given back is free again, never below zero", async ({ store, clock }) => {
    const count = async (by: 1 | -1) => (await store.count("c", { by, window: HOUR, now: clock.now() })).count;
    const { resetAt } = await store.count("c", { by: 1, window: HOUR, now: clock.now() });

    assert.equal(await count(1), 2);
    assert.deepEqual([await count(-1), await count(-1), await count(-1)], [1, 0, 0]);
    clock.advance(60);
    assert.deepEqual(await store.count("c", { by: 1, window: HOUR, now: clock.now() }), { count: 1, resetAt });
  });

  test("giving back opens no window, neither the first nor behind one that ended", async ({ store, clock }) => {
    const count = (by: 1 | -1) => store.count("c", { by, window: HOUR, now: clock.now() });

    assert.equal((await count(-1)).count, 0);
    clock.advance(60);
    assert.deepEqual(await count(1), { count: 1, resetAt: clock.now() + HOUR * 1000 });
    clock.advance(HOUR);
    assert.equal((await count(-1)).count, 0);
    clock.advance(60);
    assert.deepEqual(await count(1), { count: 1, resetAt: clock.now() + HOUR * 1000 });
  });

  test("counters do not know of each other", async ({ store, clock }) => {
    const count = (counter: string, window: number) => store.count(counter, { by: 1, window, now: clock.now() });

    await count("a", HOUR);
    assert.deepEqual(await count("b", 2 * HOUR), { count: 1, resetAt: clock.now() + 2 * HOUR * 1000 });
    assert.equal((await count("a", HOUR)).count, 2);
  });

  test("rule 5: of 50 racing counts every one counts, in one window", async ({ store, clock }) => {
    const resetAt = clock.now() + HOUR * 1000;

    const answers = await race(50, () => store.count("c", { by: 1, window: HOUR, now: clock.now() }));

    const counts = answers.map(({ count }) => count).sort((a, b) => a - b);
    assert.deepEqual(
      counts,
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    assert.ok(answers.every((answer) => answer.resetAt === resetAt));
  });

  test("racing reservations and returns lose none", async ({ store, clock }) => {
    const count = (by: 1 | -1) => store.count("c", { by, window: HOUR, now: clock.now() });
    await race(30, () => count(1));

    await race(40, (index) => count(index % 2 === 0 ? 1 : -1));

    assert.equal((await count(1)).count, 31);
  });
}
