import express from "express";
import { Passport } from "passport";
import { Strategy as LocalStrategy } from "passport-local";
import { afterEach, describe, expect, it } from "vitest";
import { errorHandler, requireAuth } from "../../lib/index.ts";
import { briefly, startProviderApp, userOf, type ProviderApp } from "../support/provider-app.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

const ADA = { id: "user-1", email: "ada@example.com" };

async function start(options: Parameters<typeof startProviderApp>[0]): Promise<ProviderApp> {
  const app = await startProviderApp({ before: (server) => server.use(express.json()), ...options });
  closing.push(app);
  await app.auth.users.create(ADA);
  return app;
}

describe("Passport's habits", () => {
  it("req.login signs in, whether it is called back or awaited, with options or without", async () => {
    const app = await start({
      routes(server) {
        server.post("/callback", (req, res, next) => req.login(ADA as Express.User, (error) => (error ? next(error) : res.json(req.user))));
        server.post("/options", (req, res, next) => {
          req.logIn(ADA as Express.User, { session: true, keepSessionInfo: true }, (error) => (error ? next(error) : res.json(req.user)));
        });
        server.post("/awaited", async (req, res) => {
          await (req.login as unknown as (user: object) => Promise<void>)(ADA);
          res.json(req.user);
        });
      },
    });
    for (const path of ["/callback", "/options", "/awaited"]) {
      const ada = app.person();
      expect(await (await ada.send("POST", path)).json()).toEqual(ADA);
      expect(await userOf(ada)).toMatchObject(ADA);
    }
    expect(await app.auth.sessions.list("user-1")).toHaveLength(3);
  });

  it("rule 12: req.login begins a new session, and ends the one before", async () => {
    const app = await start({
      routes: (server) =>
        server.post("/in", (req, res, next) => req.login(ADA as Express.User, (error) => (error ? next(error) : res.end()))),
    });
    const ada = app.person();
    await ada.send("POST", "/in");
    const before = ada.cookie("__Host-sid");
    await ada.send("POST", "/in");

    expect(ada.cookie("__Host-sid")).not.toBe(before);
    expect(await app.auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("rule 25: req.login takes no profile, no provider's word and nobody without an id", async () => {
    const errors: unknown[] = [];
    const app = await start({
      routes: (server) =>
        server.post("/in", (req, res) =>
          req.login(req.body as Express.User, (error: unknown) => {
            errors.push((error as { code?: string } | undefined)?.code);
            res.end();
          }),
        ),
    });
    const ada = app.person();
    for (const user of [
      { id: "user-1", provider: "github", displayName: "Ada", _json: {} },
      { id: "user-1", provider: "discord", fetchedAt: "now" },
      { id: 7 },
      {},
    ]) {
      await ada.send("POST", "/in", user);
    }

    expect(errors).toEqual(["config_error", "config_error", "invalid_request", "invalid_request"]);
    expect(ada.cookie("__Host-sid")).toBeUndefined();
  });

  it("req.login refuses who is disabled", async () => {
    const app = await start({
      routes: (server) =>
        server.post("/in", (req, res, next) => req.login(ADA as Express.User, (error) => (error ? next(error) : res.end()))),
    });
    await app.auth.users.disable("user-1");
    const ada = app.person();

    await ada.send("POST", "/in");

    expect(ada.cookie("__Host-sid")).toBeUndefined();
    expect(await app.auth.sessions.list("user-1")).toEqual([]);
  });

  it("req.logout ends the session everywhere, and forgets req.user", async () => {
    const seen: unknown[] = [];
    const app = await start({
      loadUser: true,
      routes(server) {
        server.post("/in", (req, res, next) => req.login(ADA as Express.User, (error) => (error ? next(error) : res.end())));
        server.post("/out", (req, res, next) => {
          seen.push(req.user, req.isAuthenticated());
          req.logout({ keepSessionInfo: false }, (error) => {
            seen.push(req.user, req.isAuthenticated(), req.isUnauthenticated());
            return error ? next(error) : res.end();
          });
        });
      },
    });
    const ada = app.person();
    await ada.send("POST", "/in");
    const cookie = `__Host-sid=${ada.cookie("__Host-sid") ?? ""}`;

    await ada.send("POST", "/out");

    expect(seen).toMatchObject([ADA, true, undefined, false, true]);
    expect(ada.cookie("__Host-sid")).toBeUndefined();
    expect((await app.person().go("/auth/me", { headers: { cookie, accept: "application/json" } })).status).toBe(401);
  });

  it("rule 36: req.logout for another site is refused, and leaves session and cookie as they are", async () => {
    const app = await start({
      routes(server) {
        server.post("/in", (req, res, next) => req.login(ADA as Express.User, (error) => (error ? next(error) : res.end())));
        server.post("/out", (req, res, next) => req.logout((error) => (error ? next(error) : res.end())));
        server.use(errorHandler());
      },
    });
    const ada = app.person();
    await ada.send("POST", "/in");
    const headers = {
      cookie: `__Host-sid=${ada.cookie("__Host-sid") ?? ""}`,
      "sec-fetch-site": "cross-site",
      origin: "https://evil.example",
    };

    const refused = await app.person().go("/out", { method: "POST", headers });

    expect([refused.status, refused.headers.getSetCookie()]).toEqual([403, []]);
    expect(await app.auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("loadUser is what passport.session() was: req.user on every request", async () => {
    const app = await start({
      loadUser: true,
      routes(server) {
        server.post("/in", (req, res, next) => req.login(ADA as Express.User, (error) => (error ? next(error) : res.end())));
        server.get("/who", (req, res) => void res.json({ user: req.user?.email ?? null, in: req.isAuthenticated() }));
      },
    });
    const ada = app.person();
    expect(await (await ada.send("GET", "/who")).json()).toEqual({ user: null, in: false });
    await ada.send("POST", "/in");
    expect(await (await ada.send("GET", "/who")).json()).toEqual({ user: "ada@example.com", in: true });
  });
});

describe("passport.authenticate beside latchkey", () => {
  const passport = new Passport();
  passport.use(
    new LocalStrategy((username, password, done) => {
      done(null, username === "ada" && password === "correct horse" ? (ADA as Express.User) : false);
    }),
  );
  const startLocal = () =>
    start({
      routes(server) {
        server.post("/old-login", passport.authenticate("local", { successRedirect: "/welcome", failureRedirect: "/old-login" }));
        server.get("/welcome", requireAuth(), (req, res) => void res.json({ id: req.auth.userId, methods: req.auth.methods }));
      },
    });

  it("signs in to a session of ours, without express-session", async () => {
    const app = await startLocal();
    const ada = app.person();

    expect(await briefly(await ada.send("POST", "/old-login", { username: "ada", password: "correct horse" }))).toEqual([302, "/welcome"]);
    expect(await (await ada.send("GET", "/welcome")).json()).toEqual({ id: "user-1", methods: ["login"] });
  });

  it("leads who is refused to failureRedirect, signed in nowhere", async () => {
    const app = await startLocal();
    const eve = app.person();

    expect(await briefly(await eve.send("POST", "/old-login", { username: "ada", password: "x" }))).toEqual([302, "/old-login"]);
    expect(eve.cookie("__Host-sid")).toBeUndefined();
  });
});
