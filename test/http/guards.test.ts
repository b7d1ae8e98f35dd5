import express from "express";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { ConfigError, StorageError } from "../../lib/errors.ts";
import { apiKeyGuard, errorHandler, requireAuth, requireRole, signedIn } from "../../lib/index.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { counting } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

type App = Awaited<ReturnType<typeof startApp>>;
const apps: App[] = [];

const start = async (options: Parameters<typeof startApp>[0] = {}) => {
  const app = await startApp(options);
  apps.push(app);
  return app;
};

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

/** A signed-in user's cookie. */
const cookieOf = async ({ auth }: App, userId = "user-1", more: { authenticatedAt?: number } = {}) => {
  await auth.users.create({ id: userId });
  return `sid=${(await auth.sessions.create({ userId, methods: ["test"], ...more })).token}`;
};

const me = (app: express.Express) =>
  app.get("/me", requireAuth(), (req, res) => void res.json({ id: req.auth.userId, kind: req.auth.kind }));

describe("a guarded route", () => {
  it("answers who is not signed in with a 401 problem document and a bare challenge", async () => {
    const { server } = await start({ routes: me });
    const response = await request(server).get("/me");
    expect(response.status).toBe(401);
    expect(response.type).toBe("application/problem+json");
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    expect(response.headers["cache-control"]).toBe("no-store");
    expect(response.body).toEqual({
      type: "about:blank",
      title: "Unauthorized",
      status: 401,
      code: "authentication_required",
      detail: "Sign in first",
    });
  });

  it("lets a session through at the price of one read and no write", async () => {
    const clock = createTestClock();
    const { store, calls } = counting(openTestStore({ clock }));
    const app = await start({ store, clock, routes: me });
    const cookie = await cookieOf(app);
    for (const name of Object.keys(calls)) delete calls[name];

    const response = await request(app.server).get("/me").set("cookie", cookie);
    expect(response.body).toEqual({ id: "user-1", kind: "session" });
    expect(calls).toEqual({ get: 1 });
    expect(response.headers["set-cookie"]).toBeUndefined();
  });

  it("asks the store nothing about a forged cookie or a mistyped key", async () => {
    const { store, calls } = counting(openTestStore());
    const app = await start({ store, routes: me });
    const { key } = await app.auth.apiKeys.create({ userId: "user-1", name: "ci" });
    for (const name of Object.keys(calls)) delete calls[name];

    for (const headers of [
      { cookie: `sid=${"A".repeat(107)}` },
      { authorization: `Bearer ${key.slice(0, -1)}${key.endsWith("x") ? "y" : "x"}` },
      { authorization: "Bearer sk-x" },
    ]) {
      const response = await request(app.server).get("/me").set(headers);
      expect(response.status).toBe(401);
      expect(response.body.code).toBe("invalid_token");
      expect(response.headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
    }
    expect(calls).toEqual({});
  });

  it("rule 30: takes a bearer before the cookie, and a bad bearer never falls back to it", async () => {
    const app = await start({ routes: me });
    const cookie = await cookieOf(app);
    const { key } = await app.auth.apiKeys.create({ userId: "user-2", name: "ci" });

    const both = await request(app.server)
      .get("/me")
      .set({ cookie, authorization: `Bearer ${key}` });
    expect(both.body).toEqual({ id: "user-2", kind: "api_key" });
    const bad = await request(app.server).get("/me").set({ cookie, authorization: "Bearer nonsense" });
    expect(bad.status).toBe(401);
    const basic = await request(app.server).get("/me").set({ cookie, authorization: "Basic dXNlcjpwdw==" });
    expect(basic.body).toEqual({ id: "user-1", kind: "session" });
    const lowercase = await request(app.server)
      .get("/me")
      .set({ authorization: `bearer ${key}` });
    expect(lowercase.status).toBe(200);
    for (const place of [`/me?access_token=${key}`, `/me?api_key=${key}`]) expect((await request(app.server).get(place)).status).toBe(401);
  });

  it("refuses a guest with 401 unless guests are listed", async () => {
    const app = await start({
      routes(server) {
        me(server);
        server.get("/cart", requireAuth({ kinds: ["guest", "session"] }), (req, res) => void res.json({ kind: req.auth.kind }));
      },
    });
    const { token } = await app.auth.sessions.createGuest();
    const cookie = `sid=${token}`;
    expect((await request(app.server).get("/me").set("cookie", cookie)).status).toBe(401);
    expect((await request(app.server).get("/cart").set("cookie", cookie)).body).toEqual({ kind: "guest" });
    expect((await request(app.server).get("/cart")).status).toBe(401);
  });

  it("rule 32: compares roles and scopes exactly, and admin passes every role", async () => {
    const app = await start({
      routes(server) {
        server.get("/edit", requireRole("editor"), (_req, res) => void res.json({}));
        server.get("/read", requireAuth({ scope: ["read", "list"] }), (_req, res) => void res.json({}));
      },
    });
    const status = async (path: string, headers: Record<string, string>) => (await request(app.server).get(path).set(headers)).status;
    const plain = await cookieOf(app, "plain");
    await app.auth.principals.setRoles("near", ["edit", "editor2", "Editor"]);
    await app.auth.principals.setRoles("editor", ["editor"]);
    await app.auth.principals.setRoles("boss", ["admin"]);
    expect(await status("/edit", { cookie: plain })).toBe(403);
    expect(await status("/edit", { cookie: await cookieOf(app, "near") })).toBe(403);
    expect(await status("/edit", { cookie: await cookieOf(app, "editor") })).toBe(200);
    expect(await status("/edit", { cookie: await cookieOf(app, "boss") })).toBe(200);

    const half = await app.auth.apiKeys.create({ userId: "plain", name: "half", scopes: ["read"] });
    const full = await app.auth.apiKeys.create({ userId: "plain", name: "full", scopes: ["read", "list", "more"] });
    const refused = await request(app.server).get("/read").set("authorization", `Bearer ${half.key}`);
    expect(refused.status).toBe(403);
    expect(refused.body.code).toBe("insufficient_scope");
    expect(refused.headers["www-authenticate"]).toBe('Bearer error="insufficient_scope", scope="read list"');
    expect(await status("/read", { authorization: `Bearer ${full.key}` })).toBe(200);
    expect(await status("/read", { cookie: plain })).toBe(403);
  });

  it("asks for a recent authentication where maxAge says so, and no key passes", async () => {
    const app = await start({ routes: (server) => server.get("/danger", requireAuth({ maxAge: 600 }), (_req, res) => void res.json({})) });
    const cookie = await cookieOf(app);
    const { key } = await app.auth.apiKeys.create({ userId: "user-1", name: "ci" });
    expect((await request(app.server).get("/danger").set("cookie", cookie)).status).toBe(200);
    app.clock.advance(601);
    const stale = await request(app.server).get("/danger").set("cookie", cookie);
    expect([stale.status, stale.body.code]).toEqual([401, "insufficient_user_authentication"]);
    expect((await request(app.server).get("/danger").set("authorization", `Bearer ${key}`)).status).toBe(403);
  });

  it("rule 30: tells in its challenge what is wrong with the credential, and what a step-up needs", async () => {
    const app = await start({
      routes(server) {
        me(server);
        server.get("/danger", requireAuth({ maxAge: 300 }), (_req, res) => void res.json({}));
      },
    });
    const challenge = async (path: string, headers: Record<string, string>) => {
      const response = await request(app.server).get(path).set(headers);
      return [response.status, response.body.code, response.headers["www-authenticate"]];
    };
    await app.auth.users.create({ id: "user-1" });
    const { session, token } = await app.auth.sessions.create({ userId: "user-1", transport: "token" });
    const bearer = { authorization: `Bearer ${token}` };
    app.clock.advance(301);
    expect(await challenge("/danger", bearer)).toEqual([
      401,
      "insufficient_user_authentication",
      'Bearer error="insufficient_user_authentication", max_age="300"',
    ]);
    await app.auth.sessions.revoke(session.id);
    expect(await challenge("/me", bearer)).toEqual([401, "session_not_found", 'Bearer error="invalid_token"']);
    expect(await challenge("/me", { authorization: "Bearer" })).toEqual([401, "invalid_token", 'Bearer error="invalid_token"']);
    expect(await challenge("/me", {})).toEqual([401, "authentication_required", "Bearer"]);
  });

  it("lets API keys alone through apiKeyGuard()", async () => {
    const app = await start({
      routes: (server) => server.get("/reports", apiKeyGuard({ scope: ["read"] }), (req, res) => void res.json({ kind: req.auth.kind })),
    });
    const { key } = await app.auth.apiKeys.create({ userId: "user-1", name: "ci", scopes: ["read"] });
    const { key: bare } = await app.auth.apiKeys.create({ userId: "user-1", name: "bare" });
    const status = async (headers: Record<string, string>) => (await request(app.server).get("/reports").set(headers)).status;
    expect(await status({ authorization: `Bearer ${key}` })).toBe(200);
    expect(await status({ authorization: `Bearer ${bare}` })).toBe(403);
    expect(await status({ cookie: await cookieOf(app) })).toBe(403);
    expect(await status({})).toBe(401);
  });

  it("loads the user when asked to", async () => {
    const app = await start({
      routes: (server) => server.get("/name", requireAuth({ user: true }), (req, res) => void res.json({ name: req.user?.name })),
    });
    await app.auth.users.create({ id: "user-1", name: "Ada" });
    const { token } = await app.auth.sessions.create({ userId: "user-1" });
    expect((await request(app.server).get("/name").set("cookie", `sid=${token}`)).body).toEqual({ name: "Ada" });
    await app.auth.users.delete("user-1");
    expect((await request(app.server).get("/name").set("cookie", `sid=${token}`)).status).toBe(401);
  });

  it("sends a page navigation to the sign-in page, and a script a 401", async () => {
    const app = await start({ signInUrl: "/sign-in", routes: me });
    const page = await request(app.server).get("/me?tab=1").set({ accept: "text/html", "sec-fetch-mode": "navigate" });
    expect([page.status, page.headers["location"]]).toEqual([303, "/sign-in?return_to=%2Fme%3Ftab%3D1"]);
    const script = await request(app.server).get("/me").set({ accept: "*/*", "sec-fetch-mode": "cors" });
    expect(script.status).toBe(401);
  });

  it("hands the refusal on when told to", async () => {
    const app = await start({
      routes(server) {
        server.get("/mine", requireAuth({ onRefused: "next" }), (_req, res) => void res.json({}));
        server.use(errorHandler());
      },
    });
    const response = await request(app.server).get("/mine");
    expect([response.status, response.body.code]).toEqual([401, "authentication_required"]);
  });

  it("is a configuration error without app.use(auth) before it, never a way in", async () => {
    const app = express();
    app.get("/me", requireAuth(), (_req, res) => void res.json({}));
    app.use(errorHandler());
    const response = await request(app).get("/me");
    expect([response.status, response.body.code]).toEqual([500, "config_error"]);
    expect(response.text).not.toContain("at ");
    expect(() => signedIn({} as express.Request)).toThrow("signedIn: place it after app.use(auth)");
  });
});

describe("a store outage", () => {
  const broken = (store: RecordStore): RecordStore => ({ ...store, get: () => Promise.reject(new StorageError()) });

  it("rule 43: is 503 with Retry-After behind a guard, invisible on a public page, and leaves the cookie alone", async () => {
    const clock = createTestClock();
    const store = openTestStore({ clock });
    const healthy = await start({ store, clock });
    const cookie = await cookieOf(healthy);
    const app = await start({
      store: broken(store),
      clock,
      routes(server) {
        me(server);
        server.get("/", (req, res) => void res.json({ kind: req.auth.kind, failure: req.auth.failure?.code }));
      },
    });

    const guarded = await request(app.server).get("/me").set("cookie", cookie);
    expect([guarded.status, guarded.headers["retry-after"], guarded.body.code]).toEqual([503, "1", "storage_unavailable"]);
    expect(guarded.headers["set-cookie"]).toBeUndefined();
    const open = await request(app.server).get("/").set("cookie", cookie);
    expect(open.body).toEqual({ kind: "anonymous", failure: "storage_unavailable" });
    expect(open.headers["set-cookie"]).toBeUndefined();
  });

  it("rule 43: of the users, where all are loaded, leaves public pages up and is 503 behind a guard", async () => {
    const clock = createTestClock();
    const store = openTestStore({ clock });
    const down: RecordStore = {
      ...store,
      get: (from, key) => (from.name === "users" ? Promise.reject(new Error("driver: connection lost")) : store.get(from, key)),
    };
    const app = await start({
      store: down,
      clock,
      loadUser: true,
      routes(server) {
        me(server);
        server.get("/", (req, res) => void res.json({ kind: req.auth.kind, failure: req.auth.failure?.code }));
      },
    });
    const cookie = `sid=${(await app.auth.sessions.create({ userId: "user-1" })).token}`;
    const guarded = await request(app.server).get("/me").set("cookie", cookie);
    expect([guarded.status, guarded.headers["retry-after"], guarded.body.code]).toEqual([503, "1", "storage_unavailable"]);
    expect(guarded.text).not.toContain("driver");
    await request(app.server).get("/").set("cookie", cookie).expect(200, { kind: "anonymous", failure: "storage_unavailable" });
  });

  it("rule 43: is not turned into a redirect to the sign-in page", async () => {
    const clock = createTestClock();
    const store = openTestStore({ clock });
    const healthy = await start({ store, clock });
    const cookie = await cookieOf(healthy);
    const app = await start({ store: broken(store), clock, signInUrl: "/sign-in", routes: me });
    const response = await request(app.server).get("/me").set({ cookie, accept: "text/html", "sec-fetch-mode": "navigate" });
    expect(response.status).toBe(503);
  });
});

describe("options of a guard", () => {
  it("rule 32: never turn a role that is missing into any role", () => {
    for (const roles of [undefined, "", [], [""], null, [undefined]]) {
      expect(() => requireRole(roles as never), JSON.stringify(roles)).toThrow(ConfigError);
    }
  });

  it("may be undefined where they come from the environment", () => {
    expect(() => requireAuth({ signInUrl: process.env["NO_SUCH_VARIABLE"], user: undefined, onRefused: undefined })).not.toThrow();
  });

  it.each([
    [{ socket: {}, headers: {}, url: "/" }, "requireAuth: was given a request: call it, as app.use(requireAuth())"],
    [{ scopes: ["a"] }, 'requireAuth.scopes: unknown option; did you mean "scope"?'],
    [{ scope: [] }, "requireAuth.scope"],
    [{ roles: [""] }, "requireAuth.roles"],
    [{ roles: "admin" }, "requireAuth.roles"],
    [{ kinds: ["cookie"] }, "requireAuth.kinds"],
    [{ maxAge: 0 }, "requireAuth.maxAge"],
    [{ maxAge: 3601 }, "requireAuth.maxAge"],
    [{ user: "yes" }, "requireAuth.user"],
    [{ signInUrl: "//evil.example" }, "requireAuth.signInUrl"],
    [{ onRefused: "redirect" }, "requireAuth.onRefused"],
    [null, "requireAuth"],
  ])("rule 32: are refused at start when misshapen: %j", (options, message) => {
    expect(() => requireAuth(options as never)).toThrow(message);
  });
});
