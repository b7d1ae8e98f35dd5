import { afterEach, describe, expect, it } from "vitest";
import { startRedis } from "../support/services.ts";
import { startFaultApp } from "./support/app.ts";
import { send, took } from "./support/load.ts";
import { BACK_MS, outageProblem, pause, startCrowd } from "./support/outage.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start({ redisIsUp }: { redisIsUp: boolean }) {
  const redis = await startRedis();
  closing.push(redis.stop);
  if (!redisIsUp) await redis.kill("SIGKILL");
  const app = await startFaultApp({ kind: "server", url: redis.url });
  closing.push(app.stop);
  return { redis, app };
}

describe("an application", () => {
  it("rule 48: that starts before its Redis serves what is public, and the rest as soon as Redis is there", async () => {
    const { redis, app } = await start({ redisIsUp: false });
    expect((await send(app.url, { name: "public", path: "/public" })).status).toBe(200);
    const limited = await send(app.url, { name: "limited", path: "/limited" });
    expect([limited.status, outageProblem(limited.headers, limited.body)]).toEqual([503, null]);
    expect(took(limited)).toBeLessThan(1500);
    await pause(2000);

    await redis.restart();
    const startedAt = performance.now();
    while ((await send(app.url, { name: "limited", path: "/limited" })).status !== 200) {
      expect(performance.now() - startedAt, "ms since Redis is there").toBeLessThan(BACK_MS);
      await pause(20);
    }
    const cookie = await app.do("signIn", { userId: "user-1" });
    expect((await send(app.url, { name: "guarded", path: "/guarded", headers: { cookie } })).status).toBe(200);
    expect((await app.do("health")).faults).toEqual([]);
  });

  it.each([
    ["while Redis answers", async () => {}],
    ["while Redis is stopped", async (redis: { pause(): void }) => redis.pause()],
    ["while Redis is away", async (redis: { kill(signal: "SIGKILL"): Promise<void> }) => redis.kill("SIGKILL")],
  ])("that is closed %s refuses what comes later, and ends by itself", async (_name, fault) => {
    const { redis, app } = await start({ redisIsUp: true });
    const crowd = await startCrowd(app, 5);
    await pause(100);
    await fault(redis);
    await pause(100);

    const late = app.do("close");
    await crowd.stop();
    expect(await late).toEqual(["storage_unavailable", "storage_unavailable", "storage_unavailable"]);

    const code = await Promise.race([app.exited, pause(3000).then(() => "still running")]);
    expect(code).toBe(0);
  });
});
