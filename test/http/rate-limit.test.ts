import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import type { AuthEvent } from "../../lib/core/events.ts";
import { ConfigError } from "../../lib/errors.ts";
import { rateLimit } from "../../lib/index.ts";
import { startApp } from "../support/app.ts";
import { openTestStore } from "../support/test-store.ts";

const closing: { close(): Promise<void> }[] = [];
const start = async (options: Parameters<typeof startApp>[0]) => {
  const app = await startApp(options);
  closing.push(app);
  return app;
};
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

describe("rateLimit()", () => {
  it("counts by source, says what is left, and refuses with Retry-After", async () => {
    const app = await start({
      routes: (server) => server.get("/limited", rateLimit({ name: "limited", limit: "2/1m" }), (_req, res) => void res.json({})),
    });
    const first = await request(app.server).get("/limited").expect(200);
    expect([first.headers["ratelimit-policy"], first.headers["ratelimit"]]).toEqual(['"limited";q=2;w=60', '"limited";r=1;t=60']);
    await request(app.server).get("/limited").expect(200);
    const refused = await request(app.server).get("/limited").expect(429);
    expect(refused.headers["retry-after"]).toBe("60");
    app.clock.advance(60);
    await request(app.server).get("/limited").expect(200);
  });

  it("rule 47: fails closed when the store is down", async () => {
    const store = { ...openTestStore(), count: () => Promise.reject(new Error("down")) };
    const app = await start({
      store,
      routes: (server) => server.get("/limited", rateLimit({ name: "limited", limit: "2/1m" }), (_req, res) => void res.json({})),
    });
    await request(app.server).get("/limited").expect(503);
  });

  it("tells an event when it refuses, and counts whom it is told to count", async () => {
    const app = await start({
      routes: (server) =>
        server.get(
          "/limited",
          rateLimit({ name: "mine", limit: "1/1m", key: (req) => req.get("x-key") ?? null }),
          (_req, res) => void res.json({}),
        ),
    });
    const events: AuthEvent[] = [];
    app.auth.events.on("rate_limit.exceeded", (event) => events.push(event));
    for (const [key, status] of [
      ["a", 200],
      ["b", 200],
      ["a", 429],
    ] as const)
      await request(app.server).get("/limited").set("x-key", key).expect(status);
    for (let count = 0; count < 3; count += 1) await request(app.server).get("/limited").expect(200);
    expect(events.map(({ details }) => details)).toEqual([{ limit: "mine" }]);
  });

  it("rule 41: believes X-Forwarded-For only where the application trusts its proxy", async () => {
    const limited = (trust: boolean) =>
      start({
        before: (server) => server.set("trust proxy", trust),
        routes: (server) => server.get("/limited", rateLimit({ name: "limited", limit: "1/1m" }), (_req, res) => void res.json({})),
      });
    const [alone, behind] = [await limited(false), await limited(true)];
    await request(alone.server).get("/limited").set("x-forwarded-for", "192.0.2.1").expect(200);
    await request(alone.server).get("/limited").set("x-forwarded-for", "192.0.2.2").expect(429);
    await request(behind.server).get("/limited").set("x-forwarded-for", "192.0.2.1").expect(200);
    await request(behind.server).get("/limited").set("x-forwarded-for", "192.0.2.2").expect(200);
    await request(behind.server).get("/limited").set("x-forwarded-for", "192.0.2.1").expect(429);
  });

  it.each([
    [undefined, "rateLimit"],
    [{ limit: "5/1m" }, "rateLimit.name"],
    [{ name: 'a";q=1', limit: "5/1m" }, "rateLimit.name"],
    [{ name: "a", limit: undefined }, "rateLimit.limit: is missing"],
    [{ name: "a", limit: "5 per minute" }, "rateLimit.limit"],
    [{ name: "a", limit: "5/1m", by: "ip" }, "rateLimit.by: unknown option"],
    [{ name: "a", limit: "5/1m", key: "ip" }, "rateLimit.key"],
  ])("stops the start over misshapen options: %j", (options, message) => {
    expect(() => rateLimit(options as never)).toThrow(ConfigError);
    expect(() => rateLimit(options as never)).toThrow(message);
  });
});
