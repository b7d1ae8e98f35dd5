import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startRedis, type RedisServer } from "../support/services.ts";
import { startFaultApp, type FaultApp } from "./support/app.ts";
import { expectBack, expectFailsClosed, named, pause, startCrowd, statuses, within } from "./support/outage.ts";

let redis: RedisServer;
let app: FaultApp;

beforeAll(async () => {
  redis = await startRedis();
  app = await startFaultApp({ kind: "server", url: redis.url });
});

afterAll(async () => {
  await app?.stop();
  await redis?.stop();
});

describe("a Redis that stops answering under load", { timeout: 30_000 }, () => {
  it.each([
    ["a moment", 700],
    ["longer than its connections last", 5000],
  ])("rules 43, 48: for %s makes guards answer 503 in time, and everything works again when it goes on", async (_name, length) => {
    const crowd = await startCrowd(app);
    const before = await app.do("health");
    await pause(500);

    const stoppedAt = performance.now();
    redis.pause();
    await pause(length);
    const resumedAt = performance.now();
    redis.resume();
    await pause(3500);
    const answers = await crowd.stop();

    expect(statuses(named(within(answers, 0, stoppedAt), "guarded"))).toEqual([200]);
    expect(statuses(named(within(answers, stoppedAt, resumedAt), "guarded"))).toEqual([503]);
    expectFailsClosed(answers, crowd.users);
    expectBack(answers, resumedAt);
    const after = await app.do("health");
    expect(after.faults).toEqual([]);
    expect(after.listeners).toBe(before.listeners);
    expect(after.timers).toBeLessThanOrEqual(before.timers + 2);
  });
});
