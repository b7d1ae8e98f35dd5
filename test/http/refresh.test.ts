import type { RequestHandler } from "express";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { requireAuth } from "../../lib/index.ts";
import type { AuthEvent } from "../../lib/core/events.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { counting } from "../support/kit.ts";
import { openSqliteUsers } from "../support/sqlite-users.ts";
import { openTestStore } from "../support/test-store.ts";

type Transport = "bearer" | "cookie";
let people = 0;
let app: Awaited<ReturnType<typeof startApp>>;

const start = async (options: Parameters<typeof startApp>[0] = {}) => {
  app = await startApp({
    tokens: { audience: "https://api.example.com" },
    ...options,
    routes: (routes) => void routes.get("/me", requireAuth(), (req, res) => void res.json({ kind: req.auth.kind, id: req.auth.userId })),
  });
};
afterEach(() => app.close());

async function signIn(transport: Transport, headers: Record<string, string> = {}) {
  const agent = request.agent(app.server);
  const email = `ada${(people += 1)}@example.com`;
  const sent = await agent.post("/auth/magic/send").send({ email }).expect(200);
  const code = await app.mailbox.waitForCode(email);
  const body = { code, transport, request_id: sent.body.request_id };
  return { agent, email, body, answer: await agent.post("/auth/magic/verify").set(headers).send(body) };
}

const refresh = (token?: string) =>
  request(app.server)
    .post("/auth/refresh")
    .send(token === undefined ? {} : { refresh_token: token });
const bearer = (token: string) => request(app.server).get("/me").set("authorization", `Bearer ${token}`);
const cookiesOf = (response: request.Response) => [response.headers["set-cookie"] ?? []].flat().map(String);
const valueOf = (response: request.Response, name: string) =>
  cookiesOf(response)
    .find((cookie) => cookie.startsWith(`${name}=`))
    ?.split(";")[0];

describe("the bearer transport", () => {
  it("has both tokens in the answer, and no cookie", async () => {
    await start();
    const { answer, email } = await signIn("bearer");
    expect(answer.body).toMatchObject({ user: { email }, token_type: "Bearer", expires_in: 900 });
    expect(cookiesOf(answer).filter((cookie) => /access|refresh|sid=/.test(cookie))).toEqual([]);
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect((await bearer(answer.body.access_token)).body).toEqual({ kind: "access_token", id: answer.body.user.id });
  });

  it("goes on by its refresh token when the access token has expired", async () => {
    await start();
    const { answer } = await signIn("bearer");
    app.clock.advance(906);
    await bearer(answer.body.access_token).expect(401);
    const refreshed = await refresh(answer.body.refresh_token).expect(200);
    expect(refreshed.body).toMatchObject({ user: { id: answer.body.user.id }, token_type: "Bearer", expires_in: 900 });
    await bearer(refreshed.body.access_token).expect(200);
  });

  it("rule 31: ends with 401 for everybody when a replaced token comes back late", async () => {
    await start();
    const { answer } = await signIn("bearer");
    const second = (await refresh(answer.body.refresh_token)).body.refresh_token;
    app.clock.advance(10);
    expect((await refresh(answer.body.refresh_token).expect(401)).body.code).toBe("refresh_token_reused");
    expect((await refresh(second).expect(401)).body.code).toBe("session_not_found");
  });

  it("is refused to browsers, before the code is spent, unless it is allowed to them", async () => {
    await start();
    const { answer, agent, body } = await signIn("bearer", { "sec-fetch-site": "same-origin" });
    expect([answer.status, answer.body.code]).toEqual([400, "insecure_token_transport"]);
    await agent.post("/auth/magic/verify").send(body).expect(200);
    await app.close();
    await start({ allowTokensInBrowsers: true });
    expect((await signIn("bearer", { "sec-fetch-site": "same-origin" })).answer.status).toBe(200);
  });

  it("signs out by either token; what is forged signs nobody out", async () => {
    await start();
    const { answer } = await signIn("bearer");
    const { refresh_token: token, access_token: access, user } = answer.body;
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    await request(app.server).post("/auth/sign-out").send({ refresh_token: forged }).expect(401);
    expect(await app.auth.sessions.list(user.id)).toHaveLength(1);
    await request(app.server).post("/auth/sign-out").send({ refresh_token: token }).expect(200);
    await refresh(token).expect(401);
    await bearer(access).expect(200); // until it expires: `live` is for routes that cannot wait

    const again = (await signIn("bearer")).answer.body;
    await request(app.server).post("/auth/sign-out").set("authorization", `Bearer ${again.access_token}`).send({}).expect(200);
    await refresh(again.refresh_token).expect(401);
  });
});

describe("the cookie transport", () => {
  it("keeps both tokens where no script reads them, the refresh token for our routes alone", async () => {
    await start({ baseUrl: "https://app.example.com" });
    const { answer } = await signIn("cookie");
    expect(answer.body).not.toHaveProperty("access_token");
    expect(answer.body).not.toHaveProperty("refresh_token");
    const set = cookiesOf(answer).filter((cookie) => /^__\w+-sid-(?:access|refresh)=/.test(cookie));
    expect(set.map((cookie) => cookie.replace(/=[^;]+/, "").replace(/Expires=[^;]+; /, ""))).toEqual([
      "__Host-sid-access; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax",
      "__Secure-sid-refresh; Max-Age=1209600; Path=/auth; HttpOnly; Secure; SameSite=Strict",
    ]);
  });

  it("lets its browser in without a store, and on by its refresh cookie", async () => {
    await start();
    const { agent } = await signIn("cookie", { "sec-fetch-site": "same-origin" });
    expect((await agent.get("/me").expect(200)).body.kind).toBe("access_token");
    app.clock.advance(906);
    await agent.get("/me").expect(401);
    const refreshed = await agent.post("/auth/refresh").set("sec-fetch-site", "same-origin").send({}).expect(200);
    expect(cookiesOf(refreshed)).toHaveLength(2);
    expect(refreshed.body).not.toHaveProperty("refresh_token");
    await agent.get("/me").expect(200);
  });

  it("rule 36: acts for no other site", async () => {
    await start();
    const { agent, answer } = await signIn("cookie");
    const cookie = `${valueOf(answer, "sid-access")}; ${valueOf(answer, "sid-refresh")}`;
    for (const path of ["/auth/refresh", "/auth/sign-out"]) {
      const refused = await request(app.server).post(path).set({ cookie, "sec-fetch-site": "cross-site" }).send({});
      expect([refused.status, refused.body.code, cookiesOf(refused)]).toEqual([403, "cross_site_request", []]);
    }
    await agent.get("/me").expect(200);
  });

  it("is cleared whole at sign-out, also when the access token is over", async () => {
    await start();
    const { agent, answer } = await signIn("cookie");
    app.clock.advance(906);
    const out = await agent.post("/auth/sign-out").send({}).expect(200);
    const cleared = cookiesOf(out).map((cookie) => cookie.replace(/; Expires=[^;]+/, ""));
    expect(cleared).toContain("sid-access=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
    expect(cleared).toContain("sid-refresh=; Max-Age=0; Path=/auth; HttpOnly; SameSite=Strict");
    expect(new Set(cleared.map((cookie) => cookie.split("=")[0])).size).toBe(cleared.length);
    await request(app.server)
      .post("/auth/refresh")
      .set("cookie", valueOf(answer, "sid-refresh") ?? "")
      .send({})
      .expect(401);
  });

  it("cannot become another: its refresh token counts in its cookie alone, a bearer's in the body", async () => {
    await start();
    const { answer } = await signIn("cookie");
    await refresh(valueOf(answer, "sid-refresh")?.split("=")[1]).expect(401);
    const native = (await signIn("bearer")).answer.body.refresh_token;
    await request(app.server).post("/auth/refresh").set("cookie", `sid-refresh=${native}`).send({}).expect(401);
    await refresh(native).expect(200);
  });

  it("clears the session cookie that was there before, and ends its session", async () => {
    await start();
    await app.auth.users.create({ id: "user-1" });
    const before = await app.auth.sessions.create({ userId: "user-1" });
    const sent = await request(app.server).post("/auth/magic/send").send({ email: "eve@example.com" });
    const code = await app.mailbox.waitForCode("eve@example.com");
    const answer = await request(app.server)
      .post("/auth/magic/verify")
      .set("cookie", `sid=${before.token}`)
      .send({ code, request_id: sent.body.request_id, transport: "cookie" })
      .expect(200);
    expect(valueOf(answer, "sid")).toBe("sid=");
    expect(await app.auth.sessions.get(before.session.id)).toBeNull();
  });
});

/** The store's counts and everything else that it was asked, since the last look. */
function looking(asked: Record<string, number>) {
  let before = { ...asked };
  return () => {
    const done = Object.entries(asked).map(([name, times]) => [name, times - (before[name] ?? 0)] as const);
    before = { ...asked };
    return Object.fromEntries(done.filter(([, times]) => times > 0));
  };
}

/** As behind a proxy that says nothing of whom it speaks for. */
const hideSource: RequestHandler = (req, _res, next) => {
  Object.defineProperty(req, "ip", { value: undefined });
  next();
};

const forgedOf = (token: string, n = 0) => `${token.slice(0, 60)}${String(n).padStart(8, "x")}${token.slice(68)}`;

describe("the limits of refreshing", () => {
  it("cost a good refresh one count, and what was not made here a count alone", async () => {
    const clock = createTestClock();
    const { store, calls } = counting(openTestStore({ clock }));
    await start({ store, clock });
    const { answer } = await signIn("bearer");
    const look = looking(calls);
    const refreshed = await refresh(answer.body.refresh_token).expect(200);
    expect(look()).toEqual({ count: 1, get: 4, commit: 1 });
    expect([refreshed.headers["ratelimit-policy"], refreshed.headers["ratelimit"]]).toEqual([
      '"refresh";q=300;w=300',
      '"refresh";r=299;t=300',
    ]);
    for (const forged of ["x", forgedOf(answer.body.refresh_token)]) {
      await refresh(forged).expect(401);
      expect(look()).toEqual({ count: 1 });
    }
    await refresh().expect(401);
    expect(look()).toEqual({});
  });

  it("rule 15: refuse a flood of forgeries, and none of those who share its source", async () => {
    await start();
    const { answer } = await signIn("bearer");
    const token = answer.body.refresh_token;
    const events: AuthEvent[] = [];
    app.auth.events.on("rate_limit.exceeded", (event) => events.push(event));
    const flood = await Promise.all(Array.from({ length: 120 }, (_, n) => refresh(forgedOf(token, n))));
    expect(flood.filter(({ status }) => status === 401)).toHaveLength(100);
    expect(flood.filter(({ status }) => status === 429)).toHaveLength(20);
    const refused = await refresh("x").expect(429);
    expect(refused.body.code).toBe("rate_limited");
    expect([refused.headers["retry-after"], refused.headers["ratelimit-policy"]]).toEqual(["3600", '"refresh_forgeries";q=100;w=3600']);
    expect(events.at(-1)).toMatchObject({ details: { limit: "refresh_forgeries" }, source: { ip: expect.any(String) } });
    // Known by its session's id, which is no secret, nobody is kept out either.
    await refresh(token).expect(200);
    app.clock.advance(3600);
    await refresh("x").expect(401);
  });

  it("hold a client that refreshes without end, and no other session of its source or its user", async () => {
    await start();
    const { answer } = await signIn("bearer");
    const limit = { max: 300, windowSeconds: 300 };
    const first = answer.body.refresh_token;
    const family = app.auth.refreshTokens!.sessionOf(first);
    for (let n = 0; n < 299; n += 1) await app.auth.rateLimits.take("refresh", family, limit);
    const second = (await refresh(first).expect(200)).body.refresh_token;
    const refused = await refresh(second).expect(429);
    expect([refused.body.code, refused.headers["retry-after"]]).toEqual(["rate_limited", "300"]);
    const { session } = await app.auth.sessions.create({ userId: answer.body.user.id, transport: "bearer" });
    await refresh(await app.auth.refreshTokens!.issue(session)).expect(200);
    app.clock.advance(300);
    await refresh(second).expect(200);
  });

  it("leave a hundred tabs alone that wake up at once", async () => {
    await start();
    const { answer } = await signIn("bearer");
    const tabs = await Promise.all(Array.from({ length: 100 }, () => refresh(answer.body.refresh_token)));
    expect(new Set(tabs.map(({ status, body }) => `${status} ${body.refresh_token}`)).size).toBe(1);
    expect(tabs[0]?.status).toBe(200);
  });

  it("rule 31: are no shelter for a refresh token that is used again", async () => {
    await start();
    const { answer } = await signIn("bearer");
    const first = answer.body.refresh_token;
    await refresh(first).expect(200);
    app.clock.advance(10);
    const family = app.auth.refreshTokens!.sessionOf(first);
    for (let n = 0; n < 300; n += 1) await app.auth.rateLimits.take("refresh", family, { max: 300, windowSeconds: 300 });
    expect((await refresh(first)).body.code).toBe("refresh_token_reused");
    expect(await app.auth.sessions.list(answer.body.user.id)).toEqual([]);
    // Nothing is there any more; asking on and on is refused as before.
    await refresh(first).expect(429);
  });

  it("rule 47: refuse while nobody can count", async () => {
    const clock = createTestClock();
    const store = openTestStore({ clock });
    let down = false;
    const count: typeof store.count = (...given) => (down ? Promise.reject(new Error("down")) : store.count(...given));
    await start({
      clock,
      store: new Proxy(store, { get: (target, name: keyof typeof store) => (name === "count" ? count : target[name]) }),
    });
    const { answer } = await signIn("bearer");
    down = true;
    for (const token of [answer.body.refresh_token, "x"]) expect((await refresh(token)).body.code).toBe("storage_unavailable");
    down = false;
    await refresh(answer.body.refresh_token).expect(200);
  });

  it("count nobody whose source is unknown", async () => {
    await start({ before: (server) => void server.use(hideSource) });
    for (let n = 0; n < 101; n += 1) await refresh("x").expect(401);
  });
});

describe("a refresh", () => {
  it.each(["bearer", "cookie"] as const)(
    "rule 13: by %s is refused when the application's user is gone, and ends the session",
    async (transport) => {
      const users = openSqliteUsers();
      await start({ users });
      const { agent, answer } = await signIn(transport);
      const ended: AuthEvent[] = [];
      app.auth.events.on("session.revoked", (event) => ended.push(event));
      const { id } = answer.body.user;
      // Nobody tells us.
      await users.delete(id);
      expect(await app.auth.sessions.list(id)).toHaveLength(1);

      const again = () => (transport === "bearer" ? refresh(answer.body.refresh_token) : agent.post("/auth/refresh").send({}));
      const refused = await again();
      expect([refused.status, refused.body.code, refused.body.user]).toEqual([401, "user_not_found", undefined]);
      expect(cookiesOf(refused)).toEqual([]);
      expect(await app.auth.sessions.list(id)).toEqual([]);
      expect(ended).toHaveLength(1);
      expect((await again()).body.code).toBe("session_not_found");
    },
  );

  it("of somebody whom a strategy knows and no store of users has goes on, with the id alone", async () => {
    await start();
    const { session } = await app.auth.sessions.create({ userId: "elsewhere-7", transport: "bearer" });
    const token = await app.auth.refreshTokens?.issue(session);
    expect((await refresh(token).expect(200)).body.user).toEqual({ id: "elsewhere-7" });
  });

  it("without a token, with a misshapen one, or with another credential is refused, without a cookie", async () => {
    await start();
    const { answer } = await signIn("bearer");
    const { session } = await app.auth.sessions.create({ userId: answer.body.user.id, transport: "token" });
    for (const [token, code] of [
      [undefined, "authentication_required"],
      ["x", "invalid_token"],
      [answer.body.access_token.slice(0, 256), "invalid_token"],
      [session.id, "invalid_token"],
    ]) {
      const refused = await refresh(token);
      expect([refused.status, refused.body.code, cookiesOf(refused)]).toEqual([401, code, []]);
    }
    await refresh(answer.body.refresh_token).expect(200);
  });

  it("rule 30: takes no refresh token as a bearer, and no guard does", async () => {
    await start();
    const { answer } = await signIn("bearer");
    await bearer(answer.body.refresh_token).expect(401);
    await request(app.server).post("/auth/refresh").set("authorization", `Bearer ${answer.body.refresh_token}`).expect(401);
    await refresh(answer.body.refresh_token).expect(200);
  });

  it("is not there, and its transports are refused, where `tokens` is not set", async () => {
    await start({ tokens: undefined });
    await refresh("x").expect(404);
    expect((await signIn("cookie")).answer.status).toBe(400);
  });
});
