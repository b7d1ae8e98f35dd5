import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { moves } from "./api-keys.racers.ts";
import { atOnce } from "./kit.ts";

const kinds = arenas(new URL("./api-keys.racers.ts", import.meta.url), moves);

describe.each(kinds)("API keys, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  async function createKey() {
    const userId = arena.id();
    const { key, apiKey } = await arena.kit.apiKeys.create({ userId, name: "deploy" });
    return { userId, id: apiKey.id, key };
  }

  /** How each of the keys is answered. */
  const use = async (keys: readonly string[]) => tally(await atOnce(keys.length, (n) => arena.kit.apiKeys.authenticate(keys[n] ?? "")));

  it("rule 1: of 20 creations at a cap of five, five succeed", () =>
    repeat(rounds, async () => {
      const userId = arena.id();

      const outcomes = (await arena.race("create", { userId })).flat();

      expect(tally(outcomes)).toEqual({ ok: 5, too_many_api_keys: 15 });
      expect(await use(valuesOf(outcomes))).toEqual({ ok: 5 });
      expect(await arena.kit.apiKeys.list(userId)).toHaveLength(5);
    }));

  it.each(["purge", "disable"] as const)(
    "rule 9: of creations at once with %s of all that their owner has none is accepted afterwards",
    (by) =>
      repeat(rounds, async (round) => {
        const userId = arena.id();
        const { epoch } = await arena.kit.principals.standing(userId);

        const outcomes = (await arena.race("createWhileEnded", { userId, epoch, steps: round % 6, by })).flat();

        const made = valuesOf(outcomes);
        expect(await use(made)).toEqual(made.length === 0 ? {} : { invalid_token: made.length });
        expect(await arena.kit.apiKeys.list(userId)).toEqual([]);
      }),
  );

  it("rule 1: of 20 rotations of one key one makes a successor, beside the old key", () =>
    repeat(rounds, async () => {
      const { userId, id, key } = await createKey();

      const outcomes = (await arena.race("rotate", { userId, id, overlap: 60 })).flat();

      expect(tally(outcomes)).toEqual({ ok: 1, api_key_rotated: 19 });
      expect(await use([key, ...valuesOf(outcomes)])).toEqual({ ok: 2 });
      expect(await arena.kit.apiKeys.list(userId)).toHaveLength(2);
    }));

  it("rule 1: of 20 rotations without an overlap one makes a successor, and the old key is dead", () =>
    repeat(rounds, async () => {
      const { userId, id, key } = await createKey();

      const outcomes = (await arena.race("rotate", { userId, id, overlap: 0 })).flat();

      expect(tally(outcomes)).toEqual({ ok: 1, not_found: 19 });
      expect(await use([key])).toEqual({ invalid_token: 1 });
      expect(await use(valuesOf(outcomes))).toEqual({ ok: 1 });
      expect(await arena.kit.apiKeys.list(userId)).toHaveLength(1);
    }));

  it("rule 44: once a revocation was answered, no process accepts the key, though its uses were being noted", () =>
    repeat(rounds, async (round) => {
      const issued = await createKey();

      const [revoked, user] = await arena.race("revokeWhileUsed", { ...issued, steps: round % 6 });

      expect(user?.accepted.filter((beganAt) => beganAt > (revoked?.answeredAt ?? 0))).toEqual([]);
      expect(await use([issued.key])).toEqual({ invalid_token: 1 });
      expect(await arena.kit.apiKeys.list(issued.userId)).toEqual([]);
    }));
});
