import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { moves } from "./caps.racers.ts";

const kinds = arenas(new URL("./caps.racers.ts", import.meta.url), moves, { core: true });

describe.each(kinds)("caps on sessions, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  it.each([
    { rules: { max: 5, policy: "multi" as const }, before: 0, left: 5 },
    { rules: { max: 5, policy: "multi" as const }, before: 4, left: 5 },
    { rules: { max: 100, policy: "single" as const }, before: 3, left: 1 },
  ])(
    "rule 1: policy $rules.policy with at most $rules.max leaves $left of 20 sign-ins at once, over $before older sessions",
    ({ rules, before, left }) =>
      repeat(rounds, async () => {
        const userId = arena.id();
        const { sessions } = arena.kit;
        const old = await Promise.all(Array.from({ length: before }, async () => (await sessions.create({ userId })).token));

        const outcomes = (await arena.race("signIn", { userId, ...rules })).flat();

        expect(tally(outcomes)).toEqual({ ok: 20 });
        expect(await sessions.list(userId)).toHaveLength(left);
        const alive = async (tokens: string[]) =>
          (await Promise.all(tokens.map((token) => sessions.resolve(token)))).filter(({ session }) => session).length;
        expect([await alive(old), await alive(valuesOf(outcomes))]).toEqual([0, left]);
      }),
  );
});
