import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, tally, valuesOf, type Arena } from "./arena.ts";
import { outcomeOf } from "./kit.ts";
import { moves, wrong } from "./magic-codes.racers.ts";

const kinds = arenas(new URL("./magic-codes.racers.ts", import.meta.url), moves, { core: true });

describe.each(kinds)("magic codes, raced over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  async function ask(userId: string | null = null) {
    const email = `${arena.id()}@example.com`;
    const { requestId } = await arena.kit.magicCodes.request({ email, purpose: "sign_in", source: null, userId });
    return { email, requestId, code: arena.kit.mails.at(-1)?.code ?? "" };
  }

  async function askForLink(userId: string | null = null) {
    const email = `${arena.id()}@example.com`;
    const { requestId } = await arena.kit.magicCodes.request({ email, purpose: "sign_in", source: null, userId, link: { returnTo: "/" } });
    const { code = "", link } = arena.kit.mails.at(-1) ?? {};
    return { email, requestId, code, token: /token=(.+)$/.exec(link?.path ?? "")?.[1] ?? "" };
  }

  const redeem = (guess: { requestId: string | null; email: string; code: string }) =>
    outcomeOf(() => arena.kit.magicCodes.verify({ ...guess, purpose: "sign_in", source: null }));

  it("rule 1: of 50 redemptions of one code, one succeeds", () =>
    repeat(rounds, async () => {
      const asked = await ask();

      const outcomes = (await arena.race("redeem", asked)).flat();

      expect(valuesOf(outcomes)).toEqual([{ email: asked.email, purpose: "sign_in", userId: null }]);
      expect(outcomes).toHaveLength(50);
      expect((await redeem(asked)).code).toBe("code_unknown");
    }));

  it("rule 1: of 50 redemptions in browsers that did not ask for it, one succeeds", () =>
    repeat(rounds, async () => {
      const { email, code } = await ask();

      const outcomes = (await arena.race("redeem", { requestId: null, email, code })).flat();

      expect(tally(outcomes)).toMatchObject({ ok: 1 });
    }));

  it("rule 1: of 50 uses of one link, one succeeds", () =>
    repeat(rounds, async (round) => {
      const userId = round % 2 ? arena.id() : null;
      const { email, token, ...asked } = await askForLink(userId);

      const outcomes = (await arena.race("follow", { token })).flat();

      expect(valuesOf(outcomes)).toEqual([{ email, purpose: "sign_in", userId, returnTo: "/" }]);
      expect(tally(outcomes)).toEqual({ ok: 1, invalid_token: 49 });
      expect((await redeem({ email, ...asked })).code).toBe("code_unknown");
    }));

  it("rule 1: of a code and the link beside it, each used 24 times, one succeeds once", () =>
    repeat(rounds, async (round) => {
      const { email, requestId, ...asked } = await askForLink(arena.id());

      // Without the request id a code has ten guesses an hour, so it has one here in most rounds.
      const outcomes = (await arena.race("either", { ...asked, ...(round % 4 ? { requestId } : { requestId: null, email }) })).flat();

      expect(valuesOf(outcomes)).toHaveLength(1);
      expect(outcomes).toHaveLength(48);
      expect((await redeem({ email, requestId, code: asked.code })).code).not.toBeNull();
      expect((await outcomeOf(() => arena.kit.magicCodes.verifyLink({ token: asked.token, source: null }))).code).toBe("invalid_token");
    }));

  it("rule 5: of 50 wrong guesses five are compared, and the right code is refused afterwards", () =>
    repeat(rounds, async () => {
      const asked = await ask();

      const outcomes = (await arena.race("guess", { ...asked, at: null })).flat();

      // The last of the five is told that there are no more.
      expect(tally(outcomes)).toEqual({ code_wrong: 4, code_exhausted: 46 });
      expect((await redeem(asked)).code).toBe("code_exhausted");
    }));

  it("rule 5: the right code among 49 wrong ones wins only as one of the first five", () =>
    repeat(rounds, async (round) => {
      const asked = await ask();

      const outcomes = (await arena.race("guess", { ...asked, at: (round * 7) % 50 })).flat();

      const { ok = 0, code_wrong = 0 } = tally(outcomes);
      expect(ok).toBeLessThanOrEqual(1);
      expect(code_wrong).toBeLessThanOrEqual(4);
      expect((await redeem(asked)).code).toBe(ok === 1 ? "code_unknown" : "code_exhausted");
    }));

  it("rule 15: of 50 wrong guesses without the pending cookie ten are compared, and none counts against who asked", () =>
    repeat(rounds, async () => {
      const asked = await ask();

      const outcomes = (await arena.race("guess", { ...asked, requestId: null, at: null })).flat();

      expect(tally(outcomes)).toEqual({ code_wrong: 10, rate_limited: 40 });
      expect((await redeem(asked)).code).toBeNull();
    }));

  it("rule 6: every one of 20 failures of a user at once is counted", () =>
    repeat(rounds, async () => {
      const userId = arena.id();
      const asked = [await ask(userId), await ask(userId), await ask(userId), await ask(userId), await ask(userId)];
      const requestIds = asked.flatMap(({ requestId }) => [requestId, requestId]);

      const outcomes = (await arena.race("fail", { requestIds, code: wrongForAll(asked) })).flat();

      expect(tally(outcomes)).toEqual({ code_wrong: 20 });
      const { principal } = await arena.kit.principals.standing(userId);
      expect(principal.failures["magic_code"]?.count).toBe(20);
    }));

  it("of 20 requests for a code at once, one mail goes out at most", () =>
    repeat(rounds, async () => {
      const email = `${arena.id()}@example.com`;

      const answers = await arena.race("ask", { email });

      const sent = valuesOf(answers.flatMap(({ outcomes }) => outcomes)).length;
      expect(sent).toBeLessThanOrEqual(1);
      expect(answers.reduce((sum, { mails }) => sum + mails, 0)).toBe(sent);
    }));
});

/** A code that none of them is. */
function wrongForAll(asked: readonly { code: string }[]): string {
  const codes = new Set(asked.map(({ code }) => code));
  const [first = ""] = codes;
  for (let n = 0; ; n += 1) if (!codes.has(wrong(first, n))) return wrong(first, n);
}
