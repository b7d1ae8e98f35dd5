import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arenas, RACE_TIMEOUT, repeat, type Arena } from "./arena.ts";
import { moves } from "./provider-logout.racers.ts";

const kinds = arenas(new URL("./provider-logout.racers.ts", import.meta.url), moves);

describe.each(kinds)("a provider's word of a sign-out, raced with a sign-in over $name", { timeout: RACE_TIMEOUT }, ({ open, rounds }) => {
  let arena: Arena<typeof moves>;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.close());

  it.each(["the person", "the session"])("rule 9: leaves no session when it names %s, wherever they meet", (named) =>
    repeat(rounds, async (round) => {
      const subject = arena.id();

      const [signedIn] = await arena.race("signInWhileSignedOut", {
        ...{ subject, steps: round % 12 },
        sid: named === "the session" ? `there-${subject}` : null,
      });

      expect(["session_revoked", null]).toContain(signedIn?.code);
      expect(await arena.kit.sessions.list(signedIn?.userId ?? "")).toEqual([]);
      expect((await arena.kit.sessions.resolve(signedIn?.token ?? "")).session).toBeNull();
    }),
  );
});
