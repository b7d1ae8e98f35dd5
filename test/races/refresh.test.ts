import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { outcomeOf } from "./kit.ts";
import { moves, refreshing, WAYS } from "./refresh.racers.ts";

const kinds = arenas(new URL("./refresh.racers.ts", import.meta.url), moves, { core: true });

describe.each(kinds)("refresh tokens, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  async function signIn() {
    const userId = arena.id();
    await arena.kit.users.create({ id: userId });
    const { sessions, refreshTokens } = refreshing(arena.kit);
    const { session } = await sessions.create({ userId, transport: "bearer" });
    return { userId, id: session.id, token: await refreshTokens.issue(session) };
  }

  const rotate = (token: string, grace = 10) => outcomeOf(() => refreshing(arena.kit, grace).refreshTokens.rotate(token));

  it("rule 31: one token refreshed by 20 requests at once gives one successor to all, and the family goes on", () =>
    repeat(rounds, async () => {
      const { token } = await signIn();

      const outcomes = (await arena.race("refresh", { token, grace: 10 })).flat();

      expect(tally(outcomes)).toEqual({ ok: 20 });
      const successors = new Set(valuesOf(outcomes));
      expect(successors.size).toBe(1);
      expect((await rotate([...successors][0] ?? "")).code).toBeNull();
    }));

  it("rule 1: without a grace one of 20 requests wins, and goes on", () =>
    repeat(rounds, async () => {
      const { token } = await signIn();

      const outcomes = (await arena.race("refresh", { token, grace: 0 })).flat();

      expect(tally(outcomes)).toEqual({ ok: 1, refresh_token_reused: 19 });
      expect((await rotate(valuesOf(outcomes)[0] ?? "", 0)).code).toBeNull();
    }));

  it("rule 8: a refresh that meets writes to the session is done again, and no write is lost", () =>
    repeat(rounds, async () => {
      const { token, id } = await signIn();

      const [refreshed = [], written = []] = await arena.race("refreshWhileWritten", { token, id });

      expect([tally(refreshed), tally(written)]).toEqual([{ ok: 10 }, { ok: 10 }]);
      expect(new Set(valuesOf(refreshed)).size).toBe(1);
      expect(Object.keys((await arena.kit.sessions.get(id))?.data ?? {})).toHaveLength(10);
    }));

  it.each(WAYS)("rule 8: whatever was refreshed meanwhile, nothing lives on after %s", (by) =>
    repeat(rounds, async (round) => {
      const { token, id, userId } = await signIn();

      const outcomes = (await arena.race("refreshWhileEnded", { token, id, userId, steps: round % 6, by })).flat();

      expect(outcomes).toHaveLength(20);
      expect(await arena.kit.sessions.get(id)).toBeNull();
      for (const presented of [token, ...valuesOf(outcomes)]) expect((await rotate(presented)).code).not.toBeNull();
    }),
  );

  it("rule 12: once a session was given new credentials, none of the refresh tokens before is of use, and the new one is", () =>
    repeat(rounds, async (round) => {
      const { token, id } = await signIn();

      const results = await arena.race("refreshWhileReissued", { token, id, steps: round % 6 });

      const before = [token, ...valuesOf(results.flatMap(({ refreshed }) => refreshed))];
      for (const presented of before) expect((await rotate(presented)).code).toBe("session_not_found");
      expect((await rotate(results[0]?.reissued ?? "")).code).toBeNull();
    }));

  it("rule 31: a token that comes back after the grace ends the session for all processes, and says so", () =>
    repeat(Math.ceil(rounds / 4), async () => {
      const { token, id } = await signIn();
      const [successor = ""] = valuesOf((await arena.race("refresh", { token, grace: 10 })).flat());
      const from = arena.kit.heard.length;
      arena.kit.clock.advance(10);

      expect((await rotate(token)).code).toBe("refresh_token_reused");

      const outcomes = (await arena.race("refresh", { token: successor, grace: 10 })).flat();
      expect(tally(outcomes)).toEqual({ session_not_found: 20 });
      const told = arena.kit.heard.slice(from).filter(({ type }) => type === "refresh_token.reused");
      expect(told).toMatchObject([{ details: { sessionId: id, ended: true } }]);
    }));
});
