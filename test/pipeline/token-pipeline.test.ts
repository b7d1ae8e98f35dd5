import { sign } from "node:crypto";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { createKeyset } from "../../lib/core/keyset.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import {
  accessPipeline,
  accessSteps,
  assign,
  claimHasAll,
  refuseFailure,
  sessionPipeline,
  sessionSteps,
  tellOutcome,
  tokenPipeline,
  type TokenOutcome,
} from "../../lib/pipeline/index.ts";
import { startApp } from "../support/app.ts";
import { TEST_SECRET } from "../support/kit.ts";

const AUDIENCE = "https://api.example.com";
let app: Awaited<ReturnType<typeof startApp>>;
let outcomes: TokenOutcome[];
afterEach(() => app.close());

async function start(tokens = {}) {
  outcomes = [];
  const tell = tellOutcome((outcome) => outcomes.push(outcome));
  app = await startApp({
    tokens: { audience: AUDIENCE, ...tokens },
    routes(routes, auth) {
      const show = (_req: unknown, res: { locals: object; json(value: unknown): unknown }) => void res.json(res.locals);
      routes.all("/access", accessPipeline(auth, { cookie: "sid-access" }), show);
      routes.get("/session", sessionPipeline(auth), show);
      routes.get("/told", tokenPipeline(auth, [...sessionSteps(), tell, refuseFailure(), assign({ session: "login" })]), show);
      const own = refuseFailure((error, { res }) => void res.status(418).json({ why: error.message }));
      routes.get("/own", tokenPipeline(auth, [...accessSteps(), claimHasAll({ scope: ["read"] }), own]), show);
    },
  });
  await app.auth.users.create({ id: "user-1" });
  const { session } = await app.auth.sessions.create({ userId: "user-1", transport: "bearer" });
  return session;
}

const get = (path: string, token: string) => request(app.server).get(path).set("authorization", `Bearer ${token}`);
const issue = async (session: Parameters<NonNullable<typeof app.auth.accessTokens>["issue"]>[0]) =>
  (await app.auth.accessTokens!.issue(session)).token;

/** A token of ours that says anything. */
function forged(claims: Record<string, unknown>, header = {}): string {
  const { signing } = createKeyset(createKeyRing([TEST_SECRET]));
  const now = Math.floor(app.clock.now() / 1000);
  const good = {
    iss: "http://localhost",
    aud: AUDIENCE,
    sub: "user-1",
    sid: "s",
    styp: "full",
    type: "access",
    iat: now,
    nbf: now,
    exp: now + 900,
  };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${encode({ alg: "EdDSA", typ: "at+jwt", kid: signing.kid, ...header })}.${encode({ ...good, ...claims })}`;
  return `${input}.${sign(null, Buffer.from(input), signing.sign).toString("base64url")}`;
}

describe("the access pipeline", () => {
  it("lets a good token through and leaves what it says", async () => {
    const session = await start();
    const { body } = await get("/access", await issue(session)).expect(200);
    expect(body).toMatchObject({ userId: "user-1", sessionId: session.id, tokenClaims: { type: "access", aud: AUDIENCE } });
    expect(body).not.toHaveProperty("session");
  });

  it("refuses with a problem document that says what failed first", async () => {
    await start();
    const refused = await request(app.server).get("/access");
    expect([refused.status, refused.body.code, refused.body.detail]).toEqual([401, "authentication_required", "bearer token not found"]);
    const bad = await get("/access", `${forged({}).slice(0, -4)}AAAA`);
    expect([bad.status, bad.body.detail, bad.headers["www-authenticate"]]).toEqual([
      401,
      "bearer token signature invalid",
      'Bearer error="invalid_token"',
    ]);
    expect((await get("/access", "x")).body.detail).toBe("bearer token signature invalid");
  });

  it("takes the cookie where there is no header, the halves of split, and no cookie of another site's request", async () => {
    const token = await issue(await start());
    const cut = token.lastIndexOf(".");
    await request(app.server).get("/access").set("cookie", `sid-access=${token}`).expect(200);
    await get("/access", token.slice(0, cut))
      .set("cookie", `sid-access=${token.slice(cut)}`)
      .expect(200);
    await get("/access", token.slice(0, cut)).expect(401);
    const crossSite = { "sec-fetch-site": "cross-site", cookie: `sid-access=${token}` };
    expect((await request(app.server).post("/access").set(crossSite)).body.code).toBe("cross_site_request");
  });

  it.each([
    ["another issuer", { iss: "https://evil.example" }, {}],
    ["another audience", { aud: "https://other.example.com" }, {}],
    ["another type in its header", {}, { typ: "JWT" }],
    ["a foreign key", {}, { jku: "https://evil.example" }],
    ["an unknown kid", {}, { kid: "another" }],
  ])("rule 29: takes no token of %s for one of ours", async (_, claims, header) => {
    await start();
    await get("/access", forged({})).expect(200);
    expect((await get("/access", forged(claims, header))).body.detail).toBe("bearer token signature invalid");
  });
});

describe("every failure, in the order of the steps", () => {
  it.each([
    ["nbf missing", { nbf: undefined }, "bearer token claim nbf not found"],
    ["nbf in ten seconds", { nbf: 10 }, "bearer token not yet valid"],
    ["exp ten seconds ago", { exp: -10 }, "bearer token expired"],
    ["type missing", { type: undefined }, "bearer token claim type not found"],
    ["type another", { type: "refresh" }, "bearer token claim type invalid"],
    ["sub missing", { sub: undefined }, "bearer token claim sub, sid or styp not found"],
    ["sid missing", { sid: undefined }, "bearer token claim sub, sid or styp not found"],
    ["styp missing", { styp: undefined }, "bearer token claim sub, sid or styp not found"],
    ["no such session", {}, "session not found"],
    ["all of it: the first wins", { nbf: undefined, exp: -10, type: "refresh" }, "bearer token claim nbf not found"],
  ])("%s stops the request, and is told once", async (_, change, message) => {
    await start();
    const now = Math.floor(app.clock.now() / 1000);
    const claims = Object.fromEntries(
      Object.entries(change).map(([name, value]) => [name, typeof value === "number" ? now + value : value]),
    );
    const refused = await get("/told", forged(claims));
    expect([refused.status, refused.body.detail]).toEqual([401, message]);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({ valid: false, error: message, sessionLoaded: false });
  });
});

describe("the session pipeline", () => {
  it("lets through while the session is there, and tells all of it", async () => {
    const session = await start();
    const token = await issue(session);
    const { body } = await get("/told", token).expect(200);
    expect(body).toMatchObject({ userId: "user-1", sessionId: session.id, login: { id: session.id } });
    expect(outcomes).toEqual([
      {
        valid: true,
        sessionLoaded: true,
        transport: "bearer",
        error: null,
        tokenType: "access",
        userId: "user-1",
        sessionId: session.id,
        sessionType: "full",
      },
    ]);
    await app.auth.sessions.revoke(session.id);
    expect((await get("/session", token)).body.detail).toBe("session not found");
    await get("/access", token).expect(200);
  });

  it("calls access tokens stale that are older than the last refresh, but for its first seconds", async () => {
    const session = await start();
    const refresh = app.auth.refreshTokens!;
    const first = await issue(session);
    app.clock.advance(60);
    await refresh.rotate(await refresh.issue(session));
    const second = await issue(session);
    await get("/session", first).expect(200);
    await get("/session", second).expect(200);
    app.clock.advance(6);
    expect((await get("/session", first)).body.detail).toBe("token stale");
    await get("/session", second).expect(200);
  });

  it("takes tokens of the present generation and the one before it, and older ones at no time", async () => {
    const session = await start({ grace: 5 });
    const refresh = app.auth.refreshTokens!;
    const tokens: Record<string, string> = { A: await issue(session) };
    let latest = await refresh.issue(session);
    const refreshAt = async (name: string, after: number) => {
      app.clock.advance(after);
      const rotated = await refresh.rotate(latest);
      latest = rotated.refreshToken;
      tokens[name] = await issue(rotated.session);
    };
    const fresh = async () => {
      const statuses = await Promise.all(
        Object.entries(tokens).map(async ([name, token]) => [name, (await get("/session", token)).status] as const),
      );
      return statuses.flatMap(([name, status]) => (status === 200 ? [name] : [])).join("");
    };
    await refreshAt("B", 10);
    expect(await fresh()).toBe("AB");
    // Within the grace: it joins B's generation, so A has the time that it had.
    await refreshAt("C", 2);
    expect(await fresh()).toBe("ABC");
    app.clock.advance(3);
    expect(await fresh()).toBe("ABC");
    app.clock.advance(1);
    expect(await fresh()).toBe("BC");
    await refreshAt("D", 4);
    // A stays stale although a cycle began: two generations are over.
    expect(await fresh()).toBe("BCD");
    await refreshAt("E", 10);
    expect(await fresh()).toBe("DE");
  });

  it("lets no token back in that was stale once, however often the session is refreshed", async () => {
    const session = await start();
    const issued = await app.auth.refreshTokens!.issue(session);
    const tokens: Record<string, string> = { A: await issue(session) };
    let latest = issued;
    const fresh = async () => {
      const names = [];
      for (const [name, token] of Object.entries(tokens)) {
        const { status, body } = await get("/session", token);
        if (status === 200) names.push(name);
        else expect([status, body.detail]).toEqual([401, "token stale"]);
      }
      return names.join("");
    };
    const seen = [];
    for (const name of ["B", "C", "D"]) {
      app.clock.advance(54);
      const before = await fresh();
      const { body } = await request(app.server).post("/auth/refresh").send({ refresh_token: latest }).expect(200);
      [latest, tokens[name]] = [body.refresh_token, body.access_token];
      const at = await fresh();
      app.clock.advance(5);
      const within = await fresh();
      app.clock.advance(1);
      seen.push([before, at, within, await fresh()]);
    }
    expect(seen).toEqual([
      ["A", "AB", "AB", "B"],
      ["B", "BC", "BC", "C"],
      ["C", "CD", "CD", "D"],
    ]);
  });

  it("rule 12: calls tokens stale at once that are older than the session's new secret", async () => {
    const session = await start();
    const first = await issue(session);
    app.clock.advance(60);
    const rotated = await app.auth.sessions.rotate(session);
    expect((await get("/session", first)).body.detail).toBe("token stale");
    await get("/session", await issue(rotated.session)).expect(200);
  });

  it("rule 43: answers 503 while the store is down, with Retry-After", async () => {
    const session = await start();
    const token = await issue(session);
    await app.auth.sessions.revoke(session.id);
    const broken = { ...app.auth, sessions: { ...app.auth.sessions, get: () => Promise.reject(new Error("down")) } };
    app.app.get("/broken", sessionPipeline(broken), (_req, res) => void res.json({}));
    const { status, headers } = await get("/broken", token);
    expect([status, headers["retry-after"]]).toEqual([503, "1"]);
  });
});

describe("a pipeline of one's own", () => {
  it("acts as it says, and no step after a failure runs", async () => {
    const session = await start();
    const { status, body } = await get("/own", await issue(session));
    expect([status, body]).toEqual([418, { why: "bearer token claim scope not found" }]);
    const { token } = await app.auth.accessTokens!.issue(session, { scope: ["write", "read"] });
    await get("/own", token).expect(200);
  });
});
