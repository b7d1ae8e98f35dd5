import express from "express";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { requireAuth } from "../../lib/index.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { counting } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

const AUDIENCE = "https://api.example.com";
let app: Awaited<ReturnType<typeof startApp>>;
let calls: Record<string, number>;

async function start() {
  const clock = createTestClock();
  const counted = counting(openTestStore({ clock }));
  calls = counted.calls;
  app = await startApp({
    store: counted.store,
    clock,
    tokens: { audience: AUDIENCE },
    session: { scopes: ["read"] },
    routes(routes) {
      routes.get("/me", requireAuth(), (req, res) => void res.json(req.auth));
      routes.get("/live", requireAuth({ live: true }), (_req, res) => void res.json({}));
      routes.get("/write", requireAuth({ scope: ["write"] }), (_req, res) => void res.json({}));
      routes.get("/fresh", requireAuth({ maxAge: 60 }), (_req, res) => void res.json({}));
      routes.get("/public", (req, res) => void res.json({ kind: req.auth.kind, failure: req.auth.failure?.code ?? null }));
    },
  });
  await app.auth.users.create({ id: "user-1" });
  const { session, token: sessionToken } = await app.auth.sessions.create({ userId: "user-1", methods: ["test"] });
  const token = (await app.auth.accessTokens?.issue(session))?.token ?? "";
  for (const name of Object.keys(calls)) delete calls[name];
  return { session, sessionToken, token, clock };
}

const get = (path: string, token: string) => request(app.server).get(path).set("authorization", `Bearer ${token}`);

afterEach(() => app.close());

describe("an access token in the Authorization header", () => {
  it("lets a request in without a look at the store", async () => {
    const { token } = await start();
    for (let n = 0; n < 3; n += 1) {
      const { body, status } = await get("/me", token);
      expect([status, body.kind, body.userId, body.scopes]).toEqual([200, "access_token", "user-1", ["read"]]);
    }
    expect(calls).toEqual({});
  });

  it("rule 30: is not waited for once it was seen, is known by all of its text, and ends when it expires", async () => {
    const { token, clock } = await start();
    const [header, , signature] = token.split(".");
    const forged = `${header}.${Buffer.from(JSON.stringify({ sub: "user-2" })).toString("base64url")}.${signature}`;
    const server = express().use((req, res) => {
      let waited = false;
      app.auth(req, res, () => res.json({ waited, userId: req.auth.userId, failure: req.auth.failure?.code ?? null }));
      waited = true;
    });
    const ask = async (text: string) => (await request(server).get("/").set("authorization", `Bearer ${text}`)).body as object;

    expect(await ask(token)).toEqual({ waited: true, userId: "user-1", failure: null });
    for (let n = 0; n < 2; n += 1) expect(await ask(token)).toEqual({ waited: false, userId: "user-1", failure: null });
    expect(await ask(forged)).toEqual({ waited: true, userId: null, failure: "invalid_token" });
    clock.advance(3600);
    expect(await ask(token)).toEqual({ waited: true, userId: null, failure: "invalid_token" });
  });

  it("is asked about where `live` is needed: one read, and refused when its session has ended", async () => {
    const { token, session } = await start();
    await get("/live", token).expect(200);
    expect(calls).toEqual({ get: 1 });
    await app.auth.sessions.revoke(session.id);
    const { status, body } = await get("/live", token);
    expect([status, body.code]).toEqual([401, "session_not_found"]);
    await get("/me", token).expect(200);
  });

  it("rule 30: that does not hold is refused by the guard with invalid_token, beside a cookie that would", async () => {
    const { token, sessionToken, clock } = await start();
    clock.advance(906);
    const { status, headers } = await get("/me", token).set("cookie", `sid=${sessionToken}`);
    expect([status, headers["www-authenticate"]]).toEqual([401, 'Bearer error="invalid_token"']);
    expect((await get("/public", token)).body).toEqual({ kind: "anonymous", failure: "invalid_token" });
  });

  it("rule 30: that lacks a scope is refused with insufficient_scope", async () => {
    const { token } = await start();
    const { status, headers } = await get("/write", token);
    expect([status, headers["www-authenticate"]]).toEqual([403, 'Bearer error="insufficient_scope", scope="write"']);
  });

  it("rule 30: is no credential in a query, a body or the session cookie", async () => {
    const { token } = await start();
    await request(app.server).get(`/me?access_token=${token}`).expect(401);
    await request(app.server).get("/me").send({ access_token: token }).expect(401);
    await request(app.server).get("/me").set("cookie", `sid=${token}`).expect(401);
  });

  it("passes no step-up, and manages sessions for as long as its own goes on", async () => {
    const { token, session } = await start();
    await get("/fresh", token).expect(403);
    await get("/auth/me", token).expect(200);
    await get("/auth/sessions", token).expect(200);
    await app.auth.sessions.revoke(session.id);
    await get("/auth/sessions", token).expect(401);
  });
});

describe("the published keys", () => {
  it("are served to anybody, and verify what we issue", async () => {
    await start();
    const { body } = await request(app.server).get("/auth/.well-known/jwks.json").expect(200);
    expect(body).toEqual(app.auth.accessTokens?.jwks);
    expect(body.keys).toMatchObject([{ kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig" }]);
    expect(calls).toEqual({});
  });

  it("are not there where `tokens` is not set, and no JWT is taken", async () => {
    const { token } = await start();
    await app.close();
    app = await startApp({ routes: (routes) => void routes.get("/me", requireAuth(), (_req, res) => void res.json({})) });
    await request(app.server).get("/auth/.well-known/jwks.json").expect(404);
    await get("/me", token).expect(401);
    expect(app.auth.accessTokens).toBeNull();
  });
});
