import { afterEach, describe, expect, it } from "vitest";
import { startRedis, type RedisServer } from "../support/services.ts";
import { startFaultApp, type FaultApp } from "./support/app.ts";
import { send, took, type Answer, type Ask } from "./support/load.ts";
import { BACK_MS, outageProblem, pause } from "./support/outage.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const JSON_BODY = { "content-type": "application/json" };

/** Somebody signed in, who waits for a code and is on the way to a provider. */
async function startWithSomebody() {
  const redis = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  closing.push(redis.stop);
  const app = await startFaultApp({ kind: "server", url: redis.url });
  closing.push(app.stop);
  const cookie = await app.do("signIn", { userId: "user-1" });
  const key = await app.do("makeKey", { userId: "user-1" });

  const sent = await ask(app, "POST", "/auth/magic/send", { headers: JSON_BODY, body: '{"email":"new@example.com"}' });
  const { request_id: requestId } = JSON.parse(sent.body) as { request_id: string };
  const guess = JSON.stringify({ request_id: requestId, code: await app.do("code", { email: "new@example.com" }) });
  const away = await ask(app, "GET", "/auth/login/trusting");
  const state = new URL((JSON.parse(away.body) as { url: string }).url).searchParams.get("state") ?? "";
  const binding = away.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
  const back: Ask = { name: "callback", path: `/auth/callback/trusting?code=subject-1&state=${state}`, headers: { cookie: binding } };
  return { redis, app, cookie, key, guess, back };
}

function ask(app: FaultApp, method: string, path: string, init: Pick<Ask, "headers" | "body"> = {}): Promise<Answer> {
  return send(app.url, { name: `${method} ${path}`, method, path, ...init });
}

describe.each([
  ["is gone", (redis: RedisServer) => redis.kill("SIGKILL"), (redis: RedisServer) => redis.restart()],
  ["is silent", async (redis: RedisServer) => redis.pause(), async (redis: RedisServer) => redis.resume()],
] as const)("while Redis %s", (name, begin, end) => {
  it("rules 43, 44, 47: every route that needs it answers 503 in time and leaves cookies alone; afterwards what was begun goes on", async () => {
    const { redis, app, cookie, key, guess, back } = await startWithSomebody();
    const anonymous = { headers: JSON_BODY, body: "{}" };
    const signedIn = { headers: { ...JSON_BODY, cookie }, body: "{}" };
    const read = { headers: { cookie } };
    const id = "A".repeat(43);
    await begin(redis);
    await pause(50);

    const unanswerable = await Promise.all([
      ask(app, "POST", "/auth/magic/send", { headers: JSON_BODY, body: '{"email":"ada@example.com"}' }),
      ask(app, "POST", "/auth/magic/verify", { headers: JSON_BODY, body: guess }),
      ask(app, "GET", "/auth/login/trusting"),
      ask(app, "POST", "/auth/login/trusting", anonymous),
      ask(app, back.method ?? "GET", back.path, back),
      ask(app, "POST", "/auth/guest", anonymous),
      ask(app, "POST", "/auth/sign-out", signedIn),
      ask(app, "POST", "/auth/tenant", signedIn),
      ask(app, "POST", "/auth/reauthenticate", signedIn),
      ask(app, "GET", "/auth/me", read),
      ask(app, "GET", "/auth/sessions", read),
      ask(app, "DELETE", "/auth/sessions", read),
      ask(app, "DELETE", `/auth/sessions/${id}`, read),
      ask(app, "GET", "/auth/accounts", read),
      ask(app, "DELETE", "/auth/accounts/x", read),
      ask(app, "POST", "/auth/accounts/trusting/link", signedIn),
      ask(app, "GET", "/auth/api-keys", read),
      ask(app, "POST", "/auth/api-keys", signedIn),
      ask(app, "GET", "/keyed", { headers: { authorization: `Bearer ${key}` } }),
      ask(app, "GET", "/auth/me", { headers: { authorization: `Bearer ${key}` } }),
      ask(app, "GET", "/profile", read),
      ask(app, "GET", "/limited"),
      ask(app, "POST", "/passport-logout", signedIn),
    ]);
    for (const answer of unanswerable) {
      expect([answer.name, answer.status, outageProblem(answer.headers, answer.body)]).toEqual([answer.name, 503, null]);
      expect(took(answer), answer.name).toBeLessThan(1500);
    }

    const page = await ask(app, "GET", back.path, { headers: { ...back.headers, accept: "text/html", "sec-fetch-mode": "navigate" } });
    expect([page.status, page.headers["retry-after"], page.headers["set-cookie"]]).toEqual([503, "1", undefined]);
    expect(page.body).toMatch(/try again/i);
    expect(page.body).not.toMatch(/redis/i);

    // What nobody needs the store for is answered as ever.
    const statusOf = async (answer: Promise<Answer>) => (await answer).status;
    const crossSite = { headers: { ...JSON_BODY, cookie, origin: "https://evil.example", "sec-fetch-site": "cross-site" }, body: "{}" };
    expect(await statusOf(ask(app, "GET", "/auth/providers", read))).toBe(200);
    expect(await statusOf(ask(app, "POST", "/auth/callback/trusting", anonymous))).toBe(303);
    expect(await statusOf(ask(app, "POST", "/changed", signedIn))).toBe(200);
    expect(await statusOf(ask(app, "POST", "/changed", crossSite))).toBe(403);
    expect(await statusOf(ask(app, "POST", "/auth/sign-out", crossSite))).toBe(403);
    expect(await statusOf(ask(app, "GET", "/guarded"))).toBe(401);
    expect(await statusOf(ask(app, "GET", "/guarded", { headers: { cookie: `${cookie.slice(0, -4)}AAAA` } }))).toBe(401);
    expect(await statusOf(ask(app, "GET", "/keyed", { headers: { authorization: `Bearer ${key.slice(0, -1)}` } }))).toBe(401);

    await end(redis);
    const since = performance.now();
    while ((await ask(app, "GET", "/auth/me", read)).status !== 200) {
      expect(performance.now() - since, "ms since Redis is back").toBeLessThan(BACK_MS);
      await pause(20);
    }
    expect(await statusOf(ask(app, "GET", "/keyed", { headers: { authorization: `Bearer ${key}` } }))).toBe(200);
    // A silent Redis may run late what it was sent, and then the callback that was answered 503 has spent its state.
    expect(name === "is gone" ? [200] : [200, 401]).toContain(await statusOf(send(app.url, back)));
    expect(await statusOf(ask(app, "POST", "/auth/magic/verify", { headers: JSON_BODY, body: guess }))).toBe(200);
    const out = await ask(app, "POST", "/auth/sign-out", signedIn);
    expect([out.status, out.headers["set-cookie"]?.[0]]).toEqual([200, expect.stringMatching(/^sid=; Max-Age=0;/)]);
    expect(await statusOf(ask(app, "GET", "/auth/me", read))).toBe(401);
    expect((await app.do("health")).faults).toEqual([]);
  });
});
