import { afterEach, describe, expect, it } from "vitest";
import { startRedis } from "../support/services.ts";
import { startFaultApp } from "./support/app.ts";
import { send } from "./support/load.ts";
import { BACK_MS, expectBack, expectFailsClosed, named, pause, startCrowd, statuses, within } from "./support/outage.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(args: readonly string[]) {
  const redis = await startRedis({ args });
  closing.push(redis.stop);
  const app = await startFaultApp({ kind: "server", url: redis.url });
  closing.push(app.stop);
  const crowd = await startCrowd(app);
  const before = await app.do("health");
  await pause(500);

  const killedAt = performance.now();
  await redis.kill("SIGKILL");
  await pause(2500);
  const restartedAt = performance.now();
  await redis.restart();
  const answeringAt = performance.now();
  await pause(3500);
  const answers = await crowd.stop();

  expect(statuses(named(within(answers, 0, killedAt), "guarded"))).toEqual([200]);
  expect(statuses(named(within(answers, killedAt + 100, restartedAt), "guarded"))).toEqual([503]);
  expectFailsClosed(within(answers, 0, restartedAt), crowd.users);
  const after = await app.do("health");
  expect(after.faults).toEqual([]);
  expect(after.listeners).toBe(before.listeners);
  expect(after.timers).toBeLessThanOrEqual(before.timers + 2);
  return { app, crowd, answers, restartedAt, answeringAt };
}

describe("a Redis that is killed under load", { timeout: 30_000 }, () => {
  it("rules 43, 48: and comes back with all it acknowledged, is served again at once", async () => {
    const { answers, crowd, answeringAt } = await start(["--appendonly", "yes", "--appendfsync", "always"]);

    expectFailsClosed(answers, crowd.users);
    expectBack(answers, answeringAt);
  });

  it("rule 2: and comes back empty, knows nobody any more, and lets people sign in anew", async () => {
    const { app, answers, restartedAt, answeringAt } = await start([]);

    expect(statuses(named(answers, "public"))).toEqual([200]);
    expect(statuses(named(within(answers, restartedAt), "guarded"))).toEqual([401, 503]);
    expect(statuses(named(within(answers, answeringAt + BACK_MS), "guarded"))).toEqual([401]);
    expect(answers.filter(({ headers }) => headers["set-cookie"])).toEqual([]);
    const cookie = await app.do("signIn", { userId: "user-0" });
    expect((await send(app.url, { name: "again", path: "/guarded", headers: { cookie } })).body).toBe('{"userId":"user-0"}');
  });
});
