import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { moves, servicesOf } from "./auth-storage.racers.ts";

const kinds = arenas(new URL("./auth-storage.racers.ts", import.meta.url), moves);

describe.each(kinds)("key-value data and token records, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  it("an entry taken ten times at once goes to one", () =>
    repeat(rounds, async () => {
      const key = arena.id();
      await servicesOf(arena.kit).kv.set(key, "once");
      const outcomes = (await arena.race("take", { key })).flat();
      expect(tally(outcomes)).toEqual({ ok: 10 });
      expect(valuesOf(outcomes).filter((value) => value !== null)).toEqual(["once"]);
    }));

  it.each([null, "before"])("of twenty that swap %j for the same value, one does", (expected) =>
    repeat(rounds, async () => {
      const key = arena.id();
      if (expected !== null) await servicesOf(arena.kit).kv.set(key, expected);
      const outcomes = (await arena.race("swap", { key, expected })).flat();
      expect(tally(outcomes)).toEqual({ ok: 20 });
      expect(valuesOf(outcomes).filter(Boolean)).toHaveLength(1);
    }),
  );

  it("a token revoked while it is changed and used stays revoked", () =>
    repeat(rounds, async () => {
      const { tokens } = servicesOf(arena.kit);
      const { id } = await tokens.store({ userId: arena.id(), accessToken: arena.id() });
      expect(tally((await arena.race("revoke", { id })).flat())).toEqual({ ok: 12 });
      expect(await tokens.get(id)).toMatchObject({ revokedReason: "stolen" });
    }));
});
