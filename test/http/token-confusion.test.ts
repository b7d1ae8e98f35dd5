import { SignJWT } from "jose";
import request from "supertest";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createTestClock } from "../../lib/testing/clock.ts";
import { fakeProvider, type FakeProvider } from "../../lib/testing/provider/fake-provider.ts";
import { oidc } from "../../strategies/oidc.ts";
import { startApp } from "../support/app.ts";

const PASSWORD = "correct horse battery staple";
const SOURCE = { ip: null, userAgent: null };
const ORIGIN = "http://localhost";
const PAGE = { accept: "text/html", "sec-fetch-mode": "navigate" };

// Of the present, as what the provider says is judged by the machine's clock, too.
const clock = createTestClock(Date.now());
let provider: FakeProvider;
let app: Awaited<ReturnType<typeof startApp>>;
let tokens: Record<string, string>;
let accepted: Record<string, () => Promise<void>>;

const linkToken = async (address: string) =>
  /token=([\w%.-]+)/.exec((await app.mailbox.waitFor(({ to }) => to === address)).text)?.[1] ?? "";
const me = (headers: Record<string, string>) => request(app.server).get("/auth/me").set(headers);

/** A sign-in at the provider, as far as the person's way there. */
async function beginSignIn() {
  const { headers } = await request(app.server).get("/auth/login/acme").set(PAGE).expect(303);
  const location = headers["location"] ?? "";
  const binding = /sid-oauth=([^;]+)/.exec(String(headers["set-cookie"]))?.[1] ?? "";
  return { location, binding, state: new URL(location).searchParams.get("state") ?? "" };
}

beforeAll(async () => {
  provider = await fakeProvider({ clock, user: { sub: "dan", email: "dan@example.com", email_verified: true } });
});
afterAll(() => provider.close());

/** One live token of each kind; and, for each, how its own endpoint shows that it is good still. */
beforeEach(async () => {
  const { issuer, clientId, clientSecret } = provider;
  app = await startApp({
    clock,
    tokens: { audience: "https://api.example.com" },
    passwords: { requireConfirmedEmail: true },
    strategies: [oidc({ name: "acme", issuer, clientId, clientSecret, clock })],
  });
  const { auth } = app;
  await auth.passwords.signUp({ email: "ada@example.com", password: PASSWORD, source: SOURCE, origin: ORIGIN });
  const confirm = await linkToken("ada@example.com");
  const bob = await auth.users.create({ email: "bob@example.com", emailVerified: true });
  await auth.passwords.forgot({ email: "bob@example.com", source: SOURCE, origin: ORIGIN });
  const reset = await linkToken("bob@example.com");
  const eve = await auth.users.create({ email: "eve@example.com", emailVerified: true });
  await auth.passwords.changeEmail({ userId: eve.id, email: "eva@example.com", source: SOURCE, origin: ORIGIN });
  const change = await linkToken("eva@example.com");
  const cookieSession = await auth.sessions.create({ userId: bob.id });
  const tokenSession = await auth.sessions.create({ userId: bob.id, transport: "token" });
  const bearerSession = await auth.sessions.create({ userId: bob.id, transport: "bearer" });
  const access = (await auth.accessTokens!.issue(bearerSession.session)).token;
  const refresh = await auth.refreshTokens!.issue(bearerSession.session);
  const pairSession = await auth.sessions.create({ userId: bob.id, transport: "cookie" });
  const refreshCookie = await auth.refreshTokens!.issue(pairSession.session);
  const guest = await auth.sessions.createGuest();
  const signingIn = await beginSignIn();
  const { key } = await auth.apiKeys.create({ userId: bob.id, name: "ci" });
  const sent = await request(app.server).post("/auth/magic/send").send({ email: "cleo@example.com" }).expect(200);
  const { request_id: requestId } = sent.body as { request_id: string };
  const code = await app.mailbox.waitForCode("cleo@example.com");
  await request(app.server).post("/auth/magic/send").send({ email: "dora@example.com", link: true }).expect(200);
  const magicLink = await linkToken("dora@example.com");
  const idToken = await new SignJWT({ nonce: "n", email: "bob@example.com" })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(bob.id)
    .setIssuer("http://localhost")
    .setAudience("https://api.example.com")
    .setIssuedAt(clock.now() / 1000)
    .setExpirationTime(clock.now() / 1000 + 900)
    .sign(Buffer.from("a client secret of a provider, long enough"));
  tokens = {
    "cookie session token": cookieSession.token,
    "header session token": tokenSession.token,
    "session id": cookieSession.session.id,
    "access token": access,
    "refresh token": refresh,
    "refresh token of a cookie": refreshCookie,
    "guest's token": guest.token,
    "state of a sign-in": signingIn.state,
    "binding of a sign-in": signingIn.binding,
    "API key": key,
    "confirm token": confirm,
    "change token": change,
    "reset token": reset,
    "link token": magicLink,
    "magic code": code,
    "magic request id": requestId,
    "ID token": idToken,
  };
  const post = (path: string, body: object) => request(app.server).post(`/auth${path}`).send(body).expect(200);
  accepted = {
    "cookie session token": async () => void (await me({ cookie: `sid=${cookieSession.token}` }).expect(200)),
    "header session token": async () => void (await me({ authorization: `Bearer ${tokenSession.token}` }).expect(200)),
    "session id": async () => expect(await auth.sessions.get(cookieSession.session.id)).not.toBeNull(),
    "access token": async () => void (await me({ authorization: `Bearer ${access}` }).expect(200)),
    "refresh token": async () => void (await post("/refresh", { refresh_token: refresh })),
    "refresh token of a cookie": async () =>
      void (await request(app.server).post("/auth/refresh").set("cookie", `sid-refresh=${refreshCookie}`).expect(200)),
    "guest's token": async () => expect((await auth.sessions.resolve(guest.token)).failure).toBeNull(),
    "state of a sign-in": async () => {
      const back = new URL(await provider.authorize(signingIn.location));
      const done = await request(app.server).get(`${back.pathname}${back.search}`).set("cookie", `sid-oauth=${signingIn.binding}`);
      expect(String(done.headers["set-cookie"])).toMatch(/sid=[^;]/);
    },
    "binding of a sign-in": async () => undefined,
    "API key": async () => void (await me({ authorization: `Bearer ${key}` }).expect(200)),
    "confirm token": async () => void (await post("/email/confirm", { token: confirm })),
    "change token": async () => void (await post("/email/confirm", { token: change })),
    "link token": async () => void (await post("/magic/link", { token: magicLink })),
    "magic code": async () => void (await post("/magic/verify", { code, request_id: requestId })),
    "magic request id": async () => undefined,
    "ID token": async () => undefined,
    // The last: it ends every session of its user.
    "reset token": async () => void (await post("/password/reset", { token: reset, password: "another horse battery staple" })),
  };
});
afterEach(() => app.close());

/** The code of a sign-in under way, which the provider is asked for. */
async function atProvider(token: string) {
  const { state, binding } = await beginSignIn();
  return request(app.server).get("/auth/callback/acme").query({ state, code: token }).set("cookie", `sid-oauth=${binding}`);
}

/** Every place that takes a token, how one is presented there, and the kinds that are at home there. */
const ENDPOINTS: Record<string, { at: (token: string) => PromiseLike<request.Response>; home: readonly string[] }> = {
  "the Authorization header": {
    at: (token) => me({ authorization: `Bearer ${token}` }),
    home: ["header session token", "access token", "API key"],
  },
  "the session cookie": { at: (token) => me({ cookie: `sid=${token}` }), home: ["cookie session token"] },
  "the access cookie": { at: (token) => me({ cookie: `sid-access=${token}` }), home: ["access token"] },
  "the body of refresh": {
    at: (token) => request(app.server).post("/auth/refresh").send({ refresh_token: token }),
    home: ["refresh token"],
  },
  "the cookie of refresh": {
    at: (token) => request(app.server).post("/auth/refresh").set("cookie", `sid-refresh=${token}`),
    home: ["refresh token of a cookie"],
  },
  "the body of sign-out": {
    at: (token) => request(app.server).post("/auth/sign-out").send({ refresh_token: token }),
    home: ["refresh token", "refresh token of a cookie"],
  },
  "the cookie of sign-out": {
    at: (token) => request(app.server).post("/auth/sign-out").set("cookie", `sid-refresh=${token}`),
    home: ["refresh token of a cookie"],
  },
  "email/confirm": {
    at: (token) => request(app.server).post("/auth/email/confirm").send({ token }),
    home: ["confirm token", "change token"],
  },
  "email/confirm, disowning": {
    at: (token) => request(app.server).post("/auth/email/confirm").send({ token, action: "disown" }),
    home: ["confirm token", "change token"],
  },
  "password/reset": {
    at: (token) => request(app.server).post("/auth/password/reset").send({ token, password: "yet another horse battery" }),
    home: ["reset token"],
  },
  "magic/link": { at: (token) => request(app.server).post("/auth/magic/link").send({ token }), home: ["link token"] },
  "the page of magic/link": {
    at: (token) => request(app.server).get("/auth/magic/link").query({ token }),
    home: ["link token"],
  },
  "the code of magic/verify": {
    at: (token) => request(app.server).post("/auth/magic/verify").send({ code: token, request_id: tokens["magic request id"] }),
    home: ["magic code"],
  },
  "the request of magic/verify": {
    at: (token) => request(app.server).post("/auth/magic/verify").send({ code: tokens["magic code"], request_id: token }),
    home: ["magic request id"],
  },
  "the state of a callback": {
    at: (token) => request(app.server).get("/auth/callback/acme").query({ state: token, code: "x" }).set("cookie", `sid-oauth=${token}`),
    home: [],
  },
  "the code of a callback": {
    at: atProvider,
    home: [],
  },
  "a logout token": { at: (token) => request(app.server).post("/auth/logout/acme").send({ logout_token: token }), home: [] },
};

describe("rule 4: a token shown where another kind belongs is unknown there, and not consumed", () => {
  it.each(Object.entries(ENDPOINTS))("%s", async (_, { at, home }) => {
    for (const [kind, token] of Object.entries(tokens)) {
      if (home.includes(kind)) continue;
      const { status, body, headers } = await at(token);
      // 502 where it is the provider who does not know it.
      expect([kind, at === atProvider ? status === 502 : status >= 400 && status < 500]).toEqual([kind, true]);
      expect(body.code).not.toBe("provider_not_found");
      const cookies = ([headers["set-cookie"] ?? []].flat() as string[]).filter((cookie) => !cookie.includes("Max-Age=0"));
      expect([kind, cookies]).toEqual([kind, []]);
      expect(JSON.stringify(body)).not.toContain(token);
    }
    // Five wrong guesses are five wrong guesses: a code that took them is over, as it is for any.
    const guessed = at === ENDPOINTS["the code of magic/verify"]?.at;
    for (const [kind, isGood] of Object.entries(accepted))
      if (!(guessed && kind === "magic code")) await isGood().catch((cause) => expect.fail(`${kind}: ${String(cause)}`));
  });

  it("no kind that lives in the store opens anything in a query", async () => {
    for (const [kind, token] of Object.entries(tokens)) {
      for (const name of ["access_token", "token", "api_key", "sid"]) {
        const { status } = await request(app.server)
          .get("/auth/me")
          .query({ [name]: token });
        expect([kind, status]).toEqual([kind, 401]);
      }
    }
  });
});
