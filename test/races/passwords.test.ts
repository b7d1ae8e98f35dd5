import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { outcomeOf } from "./kit.ts";
import { moves, passwordsOf } from "./passwords.racers.ts";
import { refreshing } from "./refresh.racers.ts";

const kinds = arenas(new URL("./passwords.racers.ts", import.meta.url), moves);
const PASSWORD = "seven purple lighthouses";

describe.each(kinds)("passwords, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  async function register() {
    const email = `${arena.id()}@example.com`;
    const { passwords, tokens } = passwordsOf(arena.kit);
    const made = await passwords.signUp({ email, password: PASSWORD });
    await arena.kit.users.update(made?.userId ?? "", { emailVerified: true });
    return { email, userId: made?.userId ?? "", passwords, tokens };
  }

  it("rule 10: of 20 sign-ups with one address, one makes a user, who has the only account", () =>
    repeat(rounds, async () => {
      const email = `${arena.id()}@example.com`;

      const outcomes = (await arena.race("signUp", { email, password: PASSWORD })).flat();

      expect(tally(outcomes)).toEqual({ ok: 1, email_taken: 19 });
      const user = await arena.kit.users.findByEmail(email);
      expect(await arena.kit.accounts.findPassword(user?.id ?? "")).toBe(`plain:${PASSWORD}`);
    }));

  it("rule 1: of ten resets with one token, one sets its password", () =>
    repeat(rounds, async () => {
      const { email, passwords, tokens } = await register();
      await passwords.forgot({ email });

      const outcomes = (await arena.race("reset", { token: tokens.at(-1) ?? "" })).flat();

      expect(tally(outcomes)).toEqual({ ok: 1, invalid_token: 9 });
    }));

  it("rule 9: no session made with the old password outlives a reset", () =>
    repeat(rounds, async (round) => {
      const { email, userId, passwords, tokens } = await register();
      await passwords.forgot({ email });

      const [made = [], reset] = await arena.race("signInAndReset", {
        ...{ email, password: PASSWORD, token: tokens.at(-1) ?? "" },
        steps: round % 8,
      });

      expect(reset).toEqual(["reset"]);
      for (const token of made) expect((await arena.kit.sessions.resolve(token)).session).toBeNull();
      expect(await arena.kit.sessions.list(userId)).toEqual([]);
    }));

  it("rule 8: no refresh token and no session is of use after a reset, whatever was refreshed meanwhile", () =>
    repeat(rounds, async (round) => {
      const { email, userId, passwords, tokens } = await register();
      await passwords.forgot({ email });
      const { sessions, refreshTokens } = refreshing(arena.kit);
      const { session } = await sessions.create({ userId, transport: "bearer", methods: ["password"] });
      const refreshToken = await refreshTokens.issue(session);

      const [refreshed = [], reset] = await arena.race("refreshAndReset", { refreshToken, token: tokens.at(-1) ?? "", steps: round % 6 });

      expect(tally(reset ?? [])).toEqual({ ok: 1 });
      for (const presented of [refreshToken, ...valuesOf(refreshed)])
        expect((await outcomeOf(() => refreshTokens.rotate(presented))).code).not.toBeNull();
      expect(await arena.kit.sessions.list(userId)).toEqual([]);
    }));

  it("rule 5: of 100 wrong ones and the right one at once, five are compared, the right one among them or not", () =>
    repeat(rounds, async (round) => {
      const { email } = await register();

      const results = await arena.race("guess", { email, password: PASSWORD, at: (round * 7) % 101 });

      const compared = results.reduce((sum, result) => sum + result.compared, 0);
      const { ok = 0, ...counts } = tally(results.flatMap(({ outcomes }) => outcomes));
      // A success forgets the failures before it: the owner was there, and five more may be wrong.
      expect(compared).toBeLessThanOrEqual(ok === 1 ? 10 : 5);
      expect((counts["rate_limited"] ?? 0) + compared).toBe(101);
    }));
});
