import express from "express";
import { SignJWT } from "jose";
import { Passport, type Strategy } from "passport";
import { Strategy as BearerStrategy } from "passport-http-bearer";
import { ExtractJwt, Strategy as JwtStrategy } from "passport-jwt";
import { Strategy as LocalStrategy } from "passport-local";
import { afterEach, describe, expect, it } from "vitest";
import { requireAuth } from "../../lib/index.ts";
import { briefly, startProviderApp, userOf, type Person, type ProviderApp } from "../support/provider-app.ts";
import type { Verify } from "./cases.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

const KEY = "the key of whoever makes the tokens, of 32 bytes";
const doneOf = (args: readonly unknown[]) => args.at(-1) as (error: unknown, user?: unknown, info?: unknown) => void;

function jwt(claims: object = {}, { key = KEY, expires = "1h" } = {}): Promise<string> {
  const token = new SignJWT({ sub: "user-1", iss: "https://idp.example", aud: "api", ...claims }).setProtectedHeader({ alg: "HS256" });
  return token.setIssuedAt().setExpirationTime(expires).sign(Buffer.from(key));
}

/** A verify function for any of them. */
type AnyVerify = (...args: unknown[]) => unknown;

/** A strategy that reads everything it needs from one request. */
interface RequestCase {
  readonly package: string;
  readonly name: string;
  strategy(verify: AnyVerify, options?: { passReqToCallback?: boolean }): Strategy;
  /** The verify function that an application gives it: it knows `user-1` alone. */
  readonly verify: AnyVerify;
  /** What a caller sends who is `user-1`, and one who is not. */
  good(): Promise<Sent>;
  bad(): Promise<Sent>;
}

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, string>>;
}

const bearing = (token: string): Sent => ({ headers: { authorization: `Bearer ${token}` } });

const CASES: readonly RequestCase[] = [
  {
    package: "passport-local",
    name: "local",
    strategy: (verify, { passReqToCallback } = {}) =>
      passReqToCallback ? new LocalStrategy({ passReqToCallback: true }, verify) : new LocalStrategy(verify),
    verify: (...args: unknown[]) => doneOf(args)(null, args.includes("correct horse") ? { id: "user-1" } : false),
    good: async () => ({ body: { username: "ada", password: "correct horse" } }),
    bad: async () => ({ body: { username: "ada", password: "wrong" } }),
  },
  {
    package: "passport-http-bearer",
    name: "bearer",
    strategy: (verify, options = {}) => new BearerStrategy(options, verify),
    verify: (...args: unknown[]) => doneOf(args)(null, args.includes("opaque-1") ? { id: "user-1" } : false, { scope: "all" }),
    good: async () => bearing("opaque-1"),
    bad: async () => bearing("opaque-2"),
  },
  {
    package: "passport-jwt",
    name: "jwt",
    strategy: (verify, options = {}) =>
      new JwtStrategy(
        {
          jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
          secretOrKey: KEY,
          issuer: "https://idp.example",
          audience: "api",
          algorithms: ["HS256"],
          ...options,
        },
        verify,
      ),
    verify: (...args: unknown[]) => doneOf(args)(null, { id: (args.at(-2) as { sub: string }).sub }),
    good: async () => bearing(await jwt()),
    bad: async () => bearing(await jwt({}, { key: "another key than that of whoever makes tokens" })),
  },
];

async function start(strategies: readonly Strategy[], routes?: Parameters<typeof startProviderApp>[0]): Promise<ProviderApp> {
  const app = await startProviderApp({ strategies, ...routes });
  closing.push(app);
  await app.auth.users.create({ id: "user-1", email: "ada@example.com" });
  return app;
}

/** As a program sends it, which has no cookies. */
function post(app: ProviderApp, name: string, { headers = {}, body = {} }: Sent, more: object = {}): Promise<Response> {
  return fetch(`${app.url}/auth/login/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...headers },
    body: JSON.stringify({ ...body, ...more }),
  });
}

/** A page's script, which has. */
function send(person: Person, name: string, { headers = {}, body = {} }: Sent, path = `/auth/login/${name}`): Promise<Response> {
  const own = { accept: "application/json", "content-type": "application/json", "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin" };
  return person.go(path, { method: "POST", headers: { ...own, ...headers }, body: JSON.stringify(body) });
}

describe.each(CASES.map((each) => [each.package, each] as const))("%s in latchkey", (_package, each) => {
  const { name } = each;

  it("exchanges what it takes for a session, in a cookie for a browser", async () => {
    const app = await start([each.strategy(each.verify)]);
    const ada = app.person();

    const answer = await send(ada, name, await each.good());

    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ user: { id: "user-1" }, session: { methods: [name] } });
    expect(await userOf(ada)).toMatchObject({ id: "user-1", email: "ada@example.com" });
  });

  it("exchanges it for a token where a program asks for one, and for access and refresh tokens", async () => {
    const app = await start([each.strategy(each.verify)], { tokens: { audience: "https://api.example.com" } });

    const { token } = (await (await post(app, name, await each.good(), { transport: "token" })).json()) as { token: string };
    const me = await fetch(`${app.url}/auth/me`, { headers: { authorization: `Bearer ${token}` } });
    expect(await me.json()).toMatchObject({ id: "user-1" });

    const tokens = await post(app, name, await each.good(), { transport: "bearer" });
    expect(tokens.headers.getSetCookie()).toEqual([]);
    expect(await tokens.json()).toMatchObject({ access_token: expect.any(String), refresh_token: expect.any(String) });

    const unknown = await post(app, name, await each.good(), { transport: "pigeon" });
    expect(await briefly(unknown)).toEqual([400, "invalid_request"]);
    expect(await app.auth.sessions.list("user-1")).toHaveLength(2);
  });

  it("gives tokens to no page's script", async () => {
    const app = await start([each.strategy(each.verify)]);
    const { headers, body } = await each.good();
    const asked = await send(app.person(), name, { ...(headers ? { headers } : {}), body: { ...body, transport: "token" } });

    expect(await briefly(asked)).toEqual([400, "insecure_token_transport"]);
  });

  it("rule 14: refuses anything else with one answer, which has nothing of the strategy's", async () => {
    const app = await start([each.strategy(each.verify)]);
    const answers = [];
    for (const sent of [
      await each.bad(),
      {},
      bearing("x"),
      { headers: { authorization: "Bearer a b" } },
      { headers: { authorization: "Basic YQ==" } },
    ]) {
      const answer = await post(app, name, sent);
      expect(answer.headers.getSetCookie()).toEqual([]);
      answers.push([answer.status, await answer.json()]);
    }

    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject([401, { code: "sign_in_refused" }]);
  });

  it("gives a verify function with passReqToCallback the request, which may have a session of ours already", async () => {
    const seen: unknown[] = [];
    const verify = (...args: unknown[]) => {
      const req = args[0] as { auth: { userId: string | null }; body: object };
      seen.push(req.auth.userId, Object.keys(req.body));
      doneOf(args)(null, { id: "user-1" });
    };
    const app = await start([each.strategy(verify, { passReqToCallback: true })]);
    const ada = app.person();
    const { body = {}, ...sent } = await each.good();

    await send(ada, name, { ...sent, body });
    if (name === "local") await send(ada, name, { body });

    expect(seen).toEqual([null, Object.keys(body), ...(name === "local" ? ["user-1", Object.keys(body)] : [])]);
    expect(await app.auth.sessions.list("user-1")).toHaveLength(1);
  });

  it.each<[string, AnyVerify]>([
    ["rejects", async () => Promise.reject(new Error("database: password=s3cret"))],
    ["throws", () => { throw new Error("database: password=s3cret"); }], // prettier-ignore
    ["calls back with an error", (...args: unknown[]) => doneOf(args)(new Error("database: password=s3cret"))],
  ])("rule 48: a verify function that %s makes an error, and nobody is signed in", async (_how, verify) => {
    const app = await start([each.strategy(verify)]);
    const answer = await post(app, name, await each.good());

    expect([answer.status, /s3cret|database/.test(await answer.text())]).toEqual([502, false]);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it("rule 48: an async verify function is waited for", async () => {
    const later = async (...args: unknown[]) => {
      await new Promise((resolve) => setImmediate(resolve));
      doneOf(args)(null, { id: "user-1" });
    };
    const app = await start([each.strategy(later)]);

    expect((await post(app, name, await each.good())).status).toBe(200);
  });

  it("guards a route through Passport, beside latchkey: for one request, without a session", async () => {
    const guard = new Passport().authenticate(each.strategy(each.verify), { session: false });
    const app = await start([], {
      before: (server) => server.use(express.json()),
      routes(server) {
        server.post("/guarded", guard, (req, res) => void res.json({ user: req.user, kind: req.auth.kind, in: req.isAuthenticated() }));
        server.post("/ours", guard, requireAuth(), (_req, res) => void res.end());
      },
    });
    const good = await each.good();

    const letIn = await send(app.person(), name, good, "/guarded");
    expect(await letIn.json()).toEqual({ user: { id: "user-1" }, kind: "anonymous", in: false });
    expect(letIn.headers.getSetCookie()).toEqual([]);
    expect(await app.auth.sessions.list("user-1")).toEqual([]);
    expect((await send(app.person(), name, good, "/ours")).status).toBe(401);
    expect((await send(app.person(), name, await each.bad(), "/guarded")).status).toBe(401);
    expect(app.events.filter(({ type }) => type.startsWith("sign_in."))).toEqual([]);
  });
});

describe("passport-jwt in latchkey", () => {
  const extract = ExtractJwt.fromAuthHeaderAsBearerToken();
  const verify: Verify = (payload: { sub: string }, done: (error: unknown, user: unknown) => void) => done(null, { id: payload.sub });
  const options = { secretOrKey: KEY, issuer: "https://idp.example", audience: "api", algorithms: ["HS256"] };

  it.each<[string, () => Promise<string>]>([
    ["expired", () => jwt({}, { expires: "-1s" })],
    ["for somebody else", () => jwt({ aud: "others" })],
    ["of somebody else", () => jwt({ iss: "https://evil.example" })],
    ["unsigned", async () => `${Buffer.from('{"alg":"none"}').toString("base64url")}.${(await jwt()).split(".")[1]}.`],
    ["cut", async () => (await jwt()).slice(0, -3)],
  ])("refuses a token that is %s", async (_how, token) => {
    const app = await start([new JwtStrategy({ ...options, jwtFromRequest: extract }, verify)]);
    expect(await briefly(await post(app, "jwt", bearing(await token())))).toEqual([401, "sign_in_refused"]);
  });

  it("takes a long token from the body", async () => {
    const app = await start([new JwtStrategy({ ...options, jwtFromRequest: ExtractJwt.fromBodyField("id_token") }, verify)]);
    const id_token = await jwt({ groups: "x".repeat(3000) });

    expect((await post(app, "jwt", { body: { id_token } })).status).toBe(200);
  });

  it("rule 36: takes no token from another site's form", async () => {
    const app = await start([new JwtStrategy({ ...options, jwtFromRequest: ExtractJwt.fromBodyField("id_token") }, verify)]);
    const cross = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };

    const answer = await send(app.person(), "jwt", { headers: cross, body: { id_token: await jwt() } });

    expect(await briefly(answer)).toEqual([403, "cross_site_request"]);
  });

  it("rule 30: takes no token from a URL, whatever the strategy reads it from", async () => {
    const strategies = [
      new JwtStrategy({ ...options, jwtFromRequest: ExtractJwt.fromUrlQueryParameter("token") }, verify),
      new BearerStrategy((_token: string, done: (error: unknown, user: unknown) => void) => done(null, { id: "user-1" })),
    ];
    const app = await start(strategies);
    const query = `token=${await jwt()}&access_token=${await jwt()}`;

    for (const name of ["jwt", "bearer"]) {
      // `return_to` alone belongs there.
      expect((await app.person().go(`/auth/login/${name}?${query}`)).status).toBe(400);
      expect((await send(app.person(), name, {}, `/auth/login/${name}?${query}`)).status).toBe(401);
    }
    expect(await app.auth.sessions.list("user-1")).toEqual([]);
  });

  it("rule 48: an error of what gives the keys is one, at once and later", async () => {
    for (const secretOrKeyProvider of [
      async () => Promise.reject(new Error("keys: password=s3cret")),
      () => { throw new Error("keys: password=s3cret"); }, // prettier-ignore
    ]) {
      const { secretOrKey: _given, ...rest } = options;
      const app = await start([new JwtStrategy({ ...rest, secretOrKeyProvider, jwtFromRequest: extract }, verify)]);
      const answer = await post(app, "jwt", bearing(await jwt()));

      expect([answer.status, (await answer.text()).includes("s3cret")]).toEqual([502, false]);
    }
  });

  it("rule 25: signs nobody in as the payload: its id is whoever issued it's", async () => {
    const payload: Verify = (claims: object, done: (error: unknown, user: unknown) => void) => done(null, claims);
    const app = await start([new JwtStrategy({ ...options, jwtFromRequest: extract }, payload)]);

    expect((await post(app, "jwt", bearing(await jwt({ id: "user-1" })))).status).toBe(500);
    expect(await app.auth.sessions.list("user-1")).toEqual([]);
  });
});
