import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/server-process.ts";
import { startSentinel, type RedisSentinel } from "../support/services.ts";
import { startFaultApp, type FaultApp } from "./support/app.ts";
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

describe("a master that is killed under load, watched by sentinels", () => {
  it("rules 43, 48, 50: loses no session older than a second, and its successor serves within 2 s", async () => {
    const crowd = await startCrowd(app);
    await pause(1200);
    const old = await redis.master();

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
    expect((await app.do("health")).faults).toEqual([]);
  });
});
