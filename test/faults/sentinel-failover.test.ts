import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/server-process.ts";
import { startSentinel, type RedisSentinel } from "../support/services.ts";
import { startFaultApp, type FaultApp } from "./support/app.ts";
import { send, startLoad } from "./support/load.ts";
import { expectBack, expectFailsClosed, named, pause, startCrowd, statuses, within } from "./support/outage.ts";

let redis: RedisSentinel;
let app: FaultApp;

beforeAll(async () => {
  redis = await startSentinel({ replicas: 2 });
  app = await startFaultApp({ kind: "sentinel", name: redis.name, sentinels: redis.sentinels.map(({ host, port }) => ({ host, port })) });
});

afterAll(async () => {
  await app?.stop();
  await redis?.stop();
});

const guarded = (cookie: string) => ({ name: "guarded", path: "/guarded", headers: { cookie } });

describe("a master watched by sentinels, under load,", { timeout: 30_000 }, () => {
  it("rule 50: that stops, is replaced and goes on, brings back nobody whose session ended at its successor", async () => {
    const crowd = await startCrowd(app);
    const cookie = await app.do("signIn", { userId: "leaver" });
    await pause(1200);
    const old = await redis.master();

    old.pause();
    await until("a new master", async () => (await redis.master()) !== old);
    const promotedAt = performance.now();
    await until("the successor to be used", async () => (await send(app.url, guarded(cookie))).status === 200);
    expect((await send(app.url, { name: "leave", path: "/auth/sign-out", method: "POST", headers: { cookie } })).status).toBe(200);
    const leaver = startLoad(app.url, [[guarded(cookie)]]);
    await pause(500);
    // For its first 8 s it takes itself for the master still.
    old.resume();
    await pause(3000);

    const afterwards = await leaver.stop();
    expect(afterwards.length).toBeGreaterThan(50);
    expect(afterwards.filter(({ status }) => status !== 401 && status !== 503)).toEqual([]);
    const answers = await crowd.stop();
    expectFailsClosed(answers, crowd.users);
    expectBack(answers, promotedAt);
  });

  it("rules 43, 48, 50: that is killed loses no session older than a second, and its successor serves within 2 s", async () => {
    const crowd = await startCrowd(app);
    const old = await redis.master();
    // People who sign in until the very end.
    const newcomers: { cookie: string; at: number }[] = [];
    while (newcomers.length < 100) {
      newcomers.push({ cookie: await app.do("signIn", { userId: `newcomer-${newcomers.length}` }), at: performance.now() });
      await pause(15);
    }

    const killedAt = performance.now();
    await old.kill("SIGKILL");
    await until("a new master", async () => (await redis.master()) !== old);
    const promotedAt = performance.now();
    await pause(4000);
    const answers = await crowd.stop();

    expect(statuses(named(within(answers, 0, killedAt), "guarded"))).toEqual([200]);
    // No answer says that a session is gone: each is of the right user, or a 503.
    expectFailsClosed(answers, crowd.users);
    expectBack(answers, promotedAt);
    const settled = newcomers.filter(({ at }) => at < killedAt - 1000);
    expect(settled.length).toBeGreaterThan(5);
    expect(statuses(await Promise.all(settled.map(({ cookie }) => send(app.url, guarded(cookie)))))).toEqual([200]);
    expect((await app.do("health")).faults).toEqual([]);
  });
});
