import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, type Arena } from "./arena.ts";
import { moves } from "./rate-limits.racers.ts";

const kinds = arenas(new URL("./rate-limits.racers.ts", import.meta.url), moves, { core: true });

describe.each(kinds)("rate limits, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  it("rule 5: 50 uses at once are each counted, and counted once", () =>
    repeat(rounds, async () => {
      const bucket = { key: arena.id(), limit: { max: 60, windowSeconds: 60 } };

      const uses = (await arena.race("take", bucket)).flat();

      expect(uses.map(({ remaining }) => remaining).sort((a, b) => b - a)).toEqual(Array.from({ length: 50 }, (_, n) => 59 - n));
      expect(await arena.kit.rateLimits.take("race", bucket.key, bucket.limit)).toMatchObject({ remaining: 9 });
    }));

  it("rule 47: of 50 uses at once of a limit of five, five are allowed, in one window and in the next", () =>
    repeat(rounds, async () => {
      const bucket = { key: arena.id(), limit: { max: 5, windowSeconds: 60 } };

      for (let window = 0; window < 2; window += 1) {
        const uses = (await arena.race("take", bucket)).flat();
        const resetAt = arena.kit.clock.now() + 60_000;
        expect(uses.filter(({ allowed }) => allowed)).toHaveLength(5);
        expect(new Set(uses.map((use) => use.resetAt))).toEqual(new Set([resetAt]));
        expect(await arena.kit.rateLimits.take("race", bucket.key, bucket.limit)).toMatchObject({ allowed: false, remaining: 0 });
        arena.kit.clock.advance(60);
      }
    }));

  it("rule 5: uses given back are free again, each once", () =>
    repeat(rounds, async () => {
      const bucket = { key: arena.id(), limit: { max: 60, windowSeconds: 60 } };
      await arena.kit.rateLimits.take("race", bucket.key, bucket.limit);

      expect(await arena.race("takeAndGive", bucket)).toEqual([25, 25]);

      expect(await arena.kit.rateLimits.take("race", bucket.key, bucket.limit)).toMatchObject({ remaining: 58 });
    }));
});
