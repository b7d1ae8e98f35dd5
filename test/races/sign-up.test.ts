import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { startRacers, type Racers } from "../support/race.ts";
import { openShared, type OpenedStore, type SharedStore } from "../support/stores/shared.ts";
import { raceBackends, RACE_TIMEOUT, repeat, ROUNDS, startGround } from "./arena.ts";
import type { Answered, SignUps } from "./sign-up.racers.ts";

describe.each(raceBackends())("sign-ups over HTTP, raced by two applications on one %s", { timeout: RACE_TIMEOUT }, (backend) => {
  const clock = createTestClock();
  let ground: Awaited<ReturnType<typeof startGround>>;
  let opened: OpenedStore;
  let app: Awaited<ReturnType<typeof startApp>>;
  let racers: Racers<SignUps, Answered[]>;

  beforeAll(async () => {
    ground = await startGround(backend);
    opened = await openShared(ground.shared, clock);
    app = await startApp({ store: opened.store, clock, passwords: { requireConfirmedEmail: false } });
    racers = await startRacers<SharedStore, SignUps, Answered[]>({
      worker: new URL("./sign-up.racers.ts", import.meta.url),
      input: ground.shared,
    });
  });
  afterAll(async () => {
    await racers.stop();
    await app.close();
    await opened.close();
    await ground.stop();
  });

  it("rule 10: of eight sign-ups with one address one is answered 200 and is that user, the others 409", () =>
    repeat(ROUNDS, async (round) => {
      const email = `ada${round}@example.com`;
      clock.advance(3600); // one address may sign up 100 times an hour

      const answers = (await racers.race({ email, password: "seven purple lighthouses", times: 4, at: clock.now() })).flat();

      const made = answers.filter(({ status }) => status === 200);
      expect(made).toHaveLength(1);
      expect(answers.filter(({ status }) => status !== 200)).toEqual(Array(7).fill({ status: 409, code: "email_taken", cookie: null }));
      const me = await fetch(`${app.url}/auth/me`, { headers: { cookie: made[0]?.cookie ?? "" } });
      const user = await app.auth.users.findByEmail(email);
      expect([me.status, await me.json()]).toMatchObject([200, { id: user?.id, email }]);
      expect(await app.auth.sessions.list(user?.id ?? "")).toHaveLength(1);
    }));
});
