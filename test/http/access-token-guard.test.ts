import express from "express";
import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { accessTokenGuard, requireAuth, signedIn, type AccessTokenGuardOptions } from "../../lib/index.ts";
import { startApp } from "../support/app.ts";
import { TEST_SECRET } from "../support/kit.ts";

const AUDIENCE = "https://api.example.com";
const ISSUER = "http://localhost";

describe("an API elsewhere, behind accessTokenGuard", () => {
  let issuer: Awaited<ReturnType<typeof startApp>>;
  let asked: string[];
  let down: boolean;
  /** What the issuer publishes in place of its keys. */
  let published: { keys: unknown[] } | null;
  beforeEach(async () => {
    issuer = await startApp({ tokens: { audience: AUDIENCE }, session: { scopes: ["read"] } });
    asked = [];
    down = false;
    published = null;
  });
  afterEach(() => issuer.close());

  const api = (options: Partial<AccessTokenGuardOptions> = {}) => {
    const app = express();
    const jwksUri = `${issuer.url}/auth/.well-known/jwks.json`;
    const fetchKeys = (url: string, init: RequestInit) => {
      asked.push(url);
      if (published) return Promise.resolve(Response.json(published));
      return down ? Promise.resolve(new Response("", { status: 500 })) : fetch(url, init);
    };
    app.use(accessTokenGuard({ issuer: ISSUER, audience: AUDIENCE, jwksUri, fetch: fetchKeys, clock: issuer.clock, ...options }));
    return app.get("/", (req, res) => void res.json(req.auth));
  };
  const tokenOf = async ({ auth }: typeof issuer) =>
    (await auth.accessTokens?.issue((await auth.sessions.create({ userId: "user-1" })).session))?.token ?? "";
  const get = (app: express.Express, token: string) => request(app).get("/").set("authorization", `Bearer ${token}`);

  it("lets the issuer's tokens in by its published keys, asked for once", async () => {
    const [app, token, other] = [api(), await tokenOf(issuer), await tokenOf(issuer)];
    for (const shown of [token, token, other]) {
      const { body } = await get(app, shown).expect(200);
      expect([body.kind, body.userId, body.scopes]).toEqual(["access_token", "user-1", ["read"]]);
    }
    expect(asked).toHaveLength(1);
  });

  it("has signedIn() know the context behind it, and requireAuth() say what to do instead", async () => {
    const token = await tokenOf(issuer);
    const failures: unknown[] = [];
    const app = api().get("/who", (req, res) => void res.json(signedIn(req).userId));
    app.get("/guarded", requireAuth(), (_req, res) => void res.json({}));
    app.use(((error, _req, res, _next) => {
      failures.push(error);
      res.sendStatus(500);
    }) satisfies express.ErrorRequestHandler);
    const ask = (path: string) => request(app).get(path).set("authorization", `Bearer ${token}`);
    expect((await ask("/who").expect(200)).body).toBe("user-1");
    await ask("/guarded").expect(500);
    expect(String(failures[0])).toContain("accessTokenGuard takes `roles` and `scope` itself");

    const forged = express().use((req, _res, next) => {
      (req as { auth: unknown }).auth = { kind: "session", userId: "user-1", isAuthenticated: true };
      next();
    });
    forged.get("/who", (req, res) => void res.json(signedIn(req).userId));
    forged.use(((error, _req, res, _next) => void res.status(500).send(String(error))) satisfies express.ErrorRequestHandler);
    expect((await request(forged).get("/who").expect(500)).text).toContain("place it after app.use(auth), or behind accessTokenGuard()");
  });

  it("has a token of its own where somebody else runs it, which opens nothing at the issuer", async () => {
    const partner = "https://partner.example";
    const { session } = await issuer.auth.sessions.create({ userId: "user-1", transport: "bearer" });
    const own = (await issuer.auth.accessTokens!.issue(session, { audience: partner, scope: ["read"] })).token;
    const shared = (await issuer.auth.accessTokens!.issue(session)).token;
    const ask = (path: string, token: string) => request(issuer.server).get(path).set("authorization", `Bearer ${token}`);
    await get(api({ audience: partner }), own).expect(200);
    await get(api({ audience: partner }), shared).expect(401);
    await get(api(), own).expect(401);
    await expect(issuer.auth.accessTokens!.verify(own)).rejects.toMatchObject({ code: "invalid_token" });
    for (const path of ["/auth/me", "/auth/sessions", "/auth/accounts", "/auth/api-keys", "/auth/admin/users"]) {
      expect([path, (await ask(path, own)).body.code]).toEqual([path, "invalid_token"]);
    }
    const out = await request(issuer.server).post("/auth/sign-out").set("authorization", `Bearer ${own}`).send({});
    expect([out.status, out.body.code]).toEqual([401, "invalid_token"]);
    expect(await issuer.auth.sessions.get(session.id)).not.toBeNull();
  });

  it("that shares the issuer's audience could act there by a token: as long as its session lives, freshly for ten minutes, never as an operator", async () => {
    await issuer.auth.users.create({ id: "user-1", email: "ada@example.com", emailVerified: true });
    await issuer.auth.users.setRoles("user-1", ["admin"]);
    const { session } = await issuer.auth.sessions.create({ userId: "user-1", transport: "bearer" });
    const { token } = await issuer.auth.accessTokens!.issue(session);
    const as = () => request.agent(issuer.server).set("authorization", `Bearer ${token}`);
    await as().get("/auth/sessions").expect(200);
    await as().post("/auth/api-keys").send({ name: "theirs" }).expect(200);
    expect((await as().get("/auth/admin/users").expect(403)).body.code).toBe("credential_not_allowed");
    expect(
      (
        await as()
          .post("/auth/refresh")
          .send({ refresh_token: token.slice(0, 256) })
          .expect(401)
      ).body.code,
    ).toBe("invalid_token");
    issuer.clock.advance(601);
    expect((await as().post("/auth/api-keys").send({ name: "late" }).expect(401)).body.code).toBe("insufficient_user_authentication");
    await issuer.auth.sessions.revoke(session.id);
    expect((await as().get("/auth/sessions").expect(401)).body.code).toBe("session_not_found");
  });

  it("rule 30: answers 401 without a token, and with one of another audience, issuer or time; 403 where a scope is missing", async () => {
    const token = await tokenOf(issuer);
    expect((await request(api()).get(`/?access_token=${token}`).expect(401)).headers["www-authenticate"]).toBe("Bearer");
    for (const app of [api({ audience: "https://other.example" }), api({ issuer: "https://other.example" })])
      expect((await get(app, token).expect(401)).body.code).toBe("invalid_token");
    expect((await get(api({ scope: ["write"] }), token).expect(403)).body.code).toBe("insufficient_scope");
    issuer.clock.advance(906);
    await get(api(), token).expect(401);
  });

  it("rule 30: takes what was shown before by the Bearer scheme alone, however that is written, and only until it ends", async () => {
    const [app, token] = [api(), await tokenOf(issuer)];
    const showing = (authorization: string) => request(app).get("/").set("authorization", authorization);
    await get(app, token).expect(200);

    await showing(`bearer ${token}`).expect(200);
    await showing(`Bearer  ${token}`).expect(200);
    for (const other of [`Digest ${token}`, `Bearer ${token}x`, token]) await showing(other).expect(401);
    issuer.clock.advance(906);
    await get(app, token).expect(401);
  });

  it("rule 29: refuses what another secret signed, asking for keys again at most every 30 seconds", async () => {
    const stranger = await startApp({ tokens: { audience: AUDIENCE }, secret: `${TEST_SECRET} of another` });
    const forged = [await tokenOf(stranger), await tokenOf(stranger), await tokenOf(stranger)];
    await stranger.close();
    const app = api();
    for (const token of forged) await get(app, token).expect(401);
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it("rule 29: takes no token by a key that was withdrawn ten minutes ago, seen before or not", async () => {
    const [app, token] = [api(), await tokenOf(issuer)];
    await get(app, token).expect(200);
    published = {
      keys: [{ kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "other", alg: "EdDSA", use: "sig" }],
    };
    issuer.clock.advance(540);
    const late = await tokenOf(issuer);
    await get(app, late).expect(200);
    issuer.clock.advance(59.999);
    for (const shown of [token, late]) await get(app, shown).expect(200);
    expect(asked).toHaveLength(1);
    issuer.clock.advance(0.001);
    for (const shown of [token, late]) expect((await get(app, shown).expect(401)).body.code).toBe("invalid_token");
    expect(asked).toHaveLength(2);
  });

  it("rule 43: asks for the keys again after ten minutes, once for all that come, and lets nobody in meanwhile by those it had", async () => {
    const app = api();
    const tokens = await Promise.all(Array.from({ length: 5 }, () => tokenOf(issuer)));
    for (const token of tokens) await get(app, token).expect(200);
    down = true;
    issuer.clock.advance(600);
    expect((await get(app, tokens[0] ?? "").expect(503)).headers["retry-after"]).toBeDefined();
    down = false;
    asked = [];
    await Promise.all(tokens.map((token) => get(app, token).expect(200)));
    await Promise.all(tokens.map((token) => get(app, token).expect(200)));
    expect(asked).toHaveLength(1);
  });

  it("rule 43: answers 503 while the keys cannot be had, and goes on when they can", async () => {
    const [app, token] = [api(), await tokenOf(issuer)];
    down = true;
    const { headers } = await get(app, token).expect(503);
    expect(headers["retry-after"]).toBeDefined();
    down = false;
    await get(app, token).expect(200);
  });
});
