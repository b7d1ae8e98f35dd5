import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { moves } from "./sessions.racers.ts";

const kinds = arenas(new URL("./sessions.racers.ts", import.meta.url), moves);

describe.each(kinds)("sessions, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  async function signIn(userId = arena.id()) {
    const { token, session } = await arena.kit.sessions.create({ userId });
    return { token, id: session.id, userId };
  }

  /** Those of the tokens that open a session still. */
  async function alive(tokens: readonly string[]): Promise<string[]> {
    const resolutions = await Promise.all(tokens.map((token) => arena.kit.sessions.resolve(token)));
    return tokens.filter((_, n) => resolutions[n]?.session);
  }

  it("rule 8: a signed-out session does not come back, whatever requests were writing to it", () =>
    repeat(rounds, async (round) => {
      const session = await signIn();
      arena.kit.clock.advance(61); // so that its use is due to be noted

      const outcomes = (await arena.race("signOutWhileUsed", { ...session, steps: round % 6 })).flat();

      expect(outcomes).toHaveLength(20);
      expect(await arena.kit.sessions.get(session.id)).toBeNull();
      expect(await arena.kit.sessions.list(session.userId)).toEqual([]);
      expect(await alive([session.token])).toEqual([]);
    }));

  it("rule 44: once a sign-out was answered, no process accepts the session", () =>
    repeat(rounds, async (round) => {
      const session = await signIn();

      const [signedOut, reader] = await arena.race("signOutWhileRead", { ...session, steps: round % 6 });

      const late = reader?.accepted.filter((beganAt) => beganAt > (signedOut?.answeredAt ?? 0));
      expect(late).toEqual([]);
    }));

  it("rule 8: data updates of different fields at once are all kept", () =>
    repeat(rounds, async () => {
      const { id } = await signIn();

      const outcomes = (await arena.race("setFields", { id })).flat();

      expect(tally(outcomes)).toEqual({ ok: 12 });
      const fields = Array.from({ length: 12 }, (_, n) => [`field${n}`, n % 6]);
      expect((await arena.kit.sessions.get(id))?.data).toEqual(Object.fromEntries(fields));
    }));

  it("rule 8: of data updates of the same fields at once one is kept, whole", () =>
    repeat(rounds, async () => {
      const { id } = await signIn();

      const outcomes = (await arena.race("setSame", { id })).flat();

      expect(tally(outcomes)).toEqual({ ok: 12 });
      const data = (await arena.kit.sessions.get(id))?.data ?? {};
      expect(Object.keys(data).sort()).toEqual(["left", "right"]);
      expect(data["left"]).toBe(data["right"]);
    }));

  it("rule 12: of 20 requests for a new token one gets it, the session stays, and the old token is dead", () =>
    repeat(rounds, async () => {
      const { token, id, userId } = await signIn();

      const outcomes = (await arena.race("rotate", { token })).flat();

      const issued = valuesOf(outcomes);
      expect(issued).toHaveLength(1);
      expect(Object.keys(tally(outcomes)).filter((code) => !["ok", "session_rotated", "session_not_found"].includes(code))).toEqual([]);
      expect(await alive([token, ...issued])).toEqual(issued);
      expect((await arena.kit.sessions.list(userId)).map((session) => session.id)).toEqual([id]);
    }));

  it("rule 12: a new token and the data written meanwhile are both kept", () =>
    repeat(rounds, async () => {
      const { token, id } = await signIn();

      const [rotated = [], written = []] = await arena.race("rotateWhileWritten", { token, id });

      expect([tally(rotated), tally(written)]).toEqual([{ ok: 1 }, { ok: 10 }]);
      const issued = valuesOf(rotated);
      expect(await alive([token, ...issued])).toEqual(issued);
      expect(Object.keys((await arena.kit.sessions.get(id))?.data ?? {})).toHaveLength(10);
    }));

  it.each(["revokeAll", "disable"] as const)("rule 9: of 64 sign-ins at once with %s none is accepted afterwards", (by) =>
    repeat(rounds, async (round) => {
      const userId = arena.id();
      const { epoch } = await arena.kit.principals.standing(userId);

      const outcomes = (await arena.race("signInWhileEnded", { userId, epoch, steps: round % 6, by })).flat();

      expect(outcomes).toHaveLength(64);
      expect(await alive(valuesOf(outcomes))).toEqual([]);
      expect(await arena.kit.sessions.list(userId)).toEqual([]);
    }),
  );

  it("rule 9: of two sessions that each end all others, one is left", () =>
    repeat(rounds, async () => {
      const userId = arena.id();
      const tokens = [(await signIn(userId)).token, (await signIn(userId)).token, (await signIn(userId)).token];

      const outcomes = await arena.race("endOthers", { userId, tokens });

      expect(valuesOf(outcomes)).toHaveLength(1);
      expect(await alive(tokens)).toEqual([tokens[outcomes.findIndex(({ code }) => code === null)]]);
    }));

  it("rule 12: a guest becomes one of two users, and the other gets nothing of it", () =>
    repeat(rounds, async () => {
      const guest = await arena.kit.sessions.createGuest({ data: { cart: [7] } });
      const users = [arena.id(), arena.id()];

      const results = await arena.race("upgrade", { guestToken: guest.token, users });

      const heirs = results.filter(({ outcomes }) => valuesOf(outcomes).some((data) => "cart" in data));
      expect(heirs).toHaveLength(1);
      for (const { userId, outcomes, merged } of results) {
        expect(tally(outcomes)).toEqual({ ok: 3 });
        expect([...new Set(merged)]).toEqual(userId === heirs[0]?.userId ? [userId] : []);
      }
      expect(await alive([guest.token])).toEqual([]);
      expect(await arena.kit.sessions.list(guest.session.userId)).toEqual([]);
    }));
});
