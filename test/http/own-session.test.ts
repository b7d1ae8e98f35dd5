import request, { type Response } from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { ConfigError, StorageError } from "../../lib/errors.ts";
import { createAuth, requireAuth } from "../../lib/index.ts";
import type { AuthOptions } from "../../lib/options.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock, fakeProvider, type FakeProvider } from "../../lib/testing/index.ts";
import { oidc } from "../../strategies/oidc.ts";
import { startApp } from "../support/app.ts";
import { openTestStore } from "../support/test-store.ts";

const PASSWORD = "correct horse battery staple";
const OTHER = "eleven orange windmills";
const TOKENS = { audience: "https://api.example.com" };

let app: Awaited<ReturnType<typeof startApp>>;
afterEach(() => app.close());

async function start(options: AuthOptions = {}) {
  app = await startApp({
    tokens: TOKENS,
    passwords: { requireConfirmedEmail: false },
    allowTokensInBrowsers: true,
    ...options,
    routes: (routes) => void routes.get("/fresh", requireAuth({ live: true, maxAge: 600 }), (_req, res) => void res.json({})),
  });
}

let people = 0;

/** Somebody new who signed up by a transport, and what each request of theirs then carries. */
async function person(transport?: string) {
  const email = `ada${(people += 1)}@example.com`;
  const agent = request.agent(app.server);
  let bearer: string | undefined;
  const note = ({ body }: Response) => (bearer = (body as { access_token?: string; token?: string }).access_token ?? body.token ?? bearer);
  const call = async (method: "get" | "post" | "delete", path: string, body?: object) => {
    const asked = agent[method](path);
    if (bearer !== undefined) void asked.set("authorization", `Bearer ${bearer}`);
    const response = body === undefined ? await asked : await asked.send(body);
    note(response);
    return response;
  };
  const signedUp = await call("post", "/auth/sign-up", { email, password: PASSWORD, ...(transport ? { transport } : {}) });
  expect(signedUp.status).toBe(200);
  return { email, agent, signedUp, call, userId: signedUp.body.user.id as string, bearer: () => bearer };
}

const cookieNames = (response: Response) => [response.headers["set-cookie"] ?? []].flat().map((cookie) => String(cookie).split("=")[0]);

describe.each(["session", "token", "bearer", "cookie", "split"])("who is signed in by %s", (transport) => {
  it("manages their API keys, sessions and accounts", async () => {
    await start();
    const { call, signedUp } = await person(transport);
    const made = await call("post", "/auth/api-keys", { name: "deploy" });
    expect([made.status, made.body.name]).toEqual([200, "deploy"]);
    expect((await call("get", "/auth/api-keys")).body).toMatchObject([{ name: "deploy" }]);
    expect((await call("post", `/auth/api-keys/${made.body.id}/rotate`, {})).status).toBe(200);
    expect((await call("delete", `/auth/api-keys/${made.body.id}`)).status).toBe(200);
    expect((await call("get", "/auth/accounts")).body).toMatchObject([{ provider: "credential" }]);
    expect((await call("get", "/auth/sessions")).body).toMatchObject([{ id: signedUp.body.session.id, current: true }]);
    expect((await call("delete", "/auth/sessions")).status).toBe(200);
    expect((await call("delete", `/auth/sessions/${signedUp.body.session.id}`)).status).toBe(200);
    expect((await call("get", "/auth/sessions")).status).toBe(401);
  });

  it("rule 12: changes the password, and goes on with new credentials while the old ones are dead", async () => {
    await start();
    const { call, email, agent, signedUp } = await person(transport);
    const jar = request.agent(app.server);
    await jar.post("/auth/sign-in").send({ email, password: PASSWORD, transport }).expect(200);
    const before = (signedUp.headers["set-cookie"] as unknown as string[] | undefined)?.map((cookie) => cookie.split(";")[0]).join("; ");

    const changed = await call("post", "/auth/password/change", { current_password: PASSWORD, password: OTHER });

    expect(changed.status).toBe(200);
    expect((await call("get", "/auth/sessions")).body).toHaveLength(1);
    const renew = (body: object, cookie = "") => request(app.server).post("/auth/refresh").set({ cookie }).send(body);
    if (transport === "bearer") {
      expect((await renew({ refresh_token: signedUp.body.refresh_token })).status).toBe(401);
      expect((await renew({ refresh_token: changed.body.refresh_token })).status).toBe(200);
    }
    if (transport === "cookie" || transport === "split") {
      expect((await renew({}, before)).status).toBe(401);
      expect((await agent.post("/auth/refresh").send({})).status).toBe(200);
    }
    expect((await request(app.server).post("/auth/sign-in").send({ email, password: PASSWORD })).status).toBe(401);
  });

  it("rule 21: needs a fresh session for keys and credentials, which a step-up gives", async () => {
    await start();
    const { call } = await person(transport);
    app.clock.advance(601);
    for (const [path, body] of [
      ["/auth/api-keys", { name: "deploy" }],
      ["/auth/password/change", { password: OTHER }],
      ["/auth/email/change", { email: "eve@example.com" }],
    ] as const) {
      const refused = await call("post", path, body);
      expect([path, refused.status, refused.body.code]).toEqual([path, 401, "insufficient_user_authentication"]);
    }
    expect((await call("get", "/fresh")).status).toBe(401);
    expect((await call("post", "/auth/reauthenticate", { method: "password", password: PASSWORD })).status).toBe(200);
    expect((await call("get", "/fresh")).status).toBe(200);
    expect((await call("post", "/auth/api-keys", { name: "deploy" })).status).toBe(200);
  });

  it("rule 19: proves by mail what they prove by mail, which never counts as a second factor", async () => {
    await start();
    const { call, email, userId, bearer } = await person(transport);
    const byMail = async () => {
      const sent = await call("post", "/auth/reauthenticate", { method: "magic_code" });
      const code = await app.mailbox.waitForCode(email);
      app.mailbox.clear();
      app.clock.advance(61);
      return await call("post", "/auth/reauthenticate", { method: "magic_code", code, request_id: sent.body.request_id as string });
    };
    const standing = async () => {
      const [session] = await app.auth.sessions.list(userId);
      return { type: session?.type, roles: session?.roles, methods: session?.methods };
    };
    const before = await standing();
    expect((await byMail()).status).toBe(200);
    expect((await byMail()).status).toBe(200);
    // Named once, as what it is: nothing says of the session that more than one factor was proven, and it may do no more than before.
    expect(await standing()).toEqual({ ...before, methods: ["password", "magic_code"] });
    const said = bearer()?.split(".")[1];
    if (said === undefined) return;
    const claims = JSON.parse(Buffer.from(said, "base64url").toString()) as Record<string, unknown>;
    expect(claims["amr"]).toEqual(["password", "magic_code"]);
    expect(claims).not.toHaveProperty("acr");
  });

  it("moves to a tenant, and out of it", async () => {
    await start({ session: { membership: () => true } });
    const { call, userId } = await person(transport);
    expect((await call("post", "/auth/tenant", { tenant_id: "acme" })).body).toMatchObject({ tenant_id: "acme" });
    expect((await app.auth.sessions.list(userId)).map((session) => session.tenantId)).toEqual(["acme"]);
    expect((await call("get", "/auth/sessions")).body).toMatchObject([{ tenant_id: "acme" }]);
    expect((await call("post", "/auth/tenant", { tenant_id: null })).body).toMatchObject({ tenant_id: null });
  });
});

describe("an access token", () => {
  it("manages nothing once its session has ended, though it lasts", async () => {
    await start();
    const { call, userId } = await person("bearer");
    await app.auth.sessions.revokeAll(userId);
    expect((await call("get", "/auth/me")).status).toBe(200);
    for (const path of ["/auth/api-keys", "/auth/sessions", "/auth/accounts"]) {
      const refused = await call("get", path);
      expect([path, refused.status, refused.body.code]).toEqual([path, 401, "session_not_found"]);
    }
  });

  it("rule 43: is answered 503 while nobody can say whether its session is there, and keeps its cookies", async () => {
    const clock = createTestClock();
    const store = openTestStore({ clock });
    let away = false;
    const unsteady: RecordStore = {
      ...store,
      get: async (from, key) => {
        if (away && from.name === sessionCollection.name) throw new StorageError("Redis is away");
        return store.get(from, key);
      },
    };
    await start({ clock, store: unsteady });
    const { call } = await person("cookie");
    away = true;
    for (const path of ["/auth/sessions", "/auth/api-keys", "/auth/accounts"]) {
      const refused = await call("get", path);
      expect([path, refused.status, refused.body.code, cookieNames(refused)]).toEqual([path, 503, "storage_unavailable", []]);
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    }
    expect((await call("get", "/auth/me")).status).toBe(200);
    away = false;
    expect((await call("get", "/auth/sessions")).status).toBe(200);
  });

  it("rule 12: is not made fresh by a step-up that was answered with another", async () => {
    await start();
    const { call, bearer } = await person("bearer");
    const stolen = bearer() ?? "";
    app.clock.advance(601);
    expect((await call("post", "/auth/reauthenticate", { method: "password", password: PASSWORD })).status).toBe(200);
    const thief = () => request(app.server).post("/auth/api-keys").set("authorization", `Bearer ${stolen}`).send({ name: "mine" });
    expect((await thief()).body.code).toBe("insufficient_user_authentication");
  });

  it("without a session manages nothing", async () => {
    await start({ tokens: { ...TOKENS, stateless: true } });
    const { call } = await person("bearer");
    const refused = await call("get", "/auth/sessions");
    expect([refused.status, refused.body.code]).toEqual([401, "session_not_found"]);
    expect((await call("post", "/auth/api-keys", { name: "deploy" })).status).toBe(401);
  });

  it("rule 33: is more than an API key, which manages nothing", async () => {
    await start();
    const { call } = await person("cookie");
    const { key } = (await call("post", "/auth/api-keys", { name: "deploy" })).body as { key: string };
    for (const [method, path] of [
      ["get", "/auth/api-keys"],
      ["post", "/auth/api-keys"],
      ["get", "/auth/sessions"],
      ["delete", "/auth/sessions"],
      ["post", "/auth/password/change"],
      ["post", "/auth/reauthenticate"],
    ] as const) {
      const refused = await request(app.server)[method](path).set("authorization", `Bearer ${key}`);
      expect([path, refused.status, refused.body.code]).toEqual([path, 403, "credential_not_allowed"]);
    }
  });
});

describe("a provider, where sessions travel as tokens in cookies", () => {
  let provider: FakeProvider;
  const withProvider = async (transport: "cookie" | "split" | "bearer") => {
    provider = await fakeProvider();
    const { issuer, clientId, clientSecret } = provider;
    const strategy = oidc({ name: "acme", issuer, clientId, clientSecret: clientSecret ?? "", allowInsecureRequests: true });
    await start({ session: { transport }, strategies: [strategy] });
  };
  afterEach(() => provider.close());

  /** Goes to the provider, agrees, and comes back from there. */
  const comeBack = async (agent: ReturnType<typeof request.agent>, begun: Response) => {
    const back = new URL(await provider.authorize((begun.body as { url: string }).url));
    return agent.get(back.pathname + back.search);
  };

  it.each([
    ["cookie", ["sid-access", "sid-refresh"]],
    ["split", ["sid-access", "sid-refresh"]],
    ["bearer", ["sid"]], // what would be in the body is lost at a redirect
  ] as const)("signs in by %s, in what a redirect carries", async (transport, names) => {
    await withProvider(transport);
    const agent = request.agent(app.server);
    const signedIn = await comeBack(agent, await agent.get("/auth/login/acme").expect(200));
    expect(signedIn.status).toBe(200);
    expect(cookieNames(signedIn).filter((name) => !name?.endsWith("-oauth"))).toEqual(names);
  });

  it("rule 25: is linked in the session that asked, and in no other", async () => {
    await withProvider("cookie");
    const ada = await person();
    const eve = await person();
    const begun = await ada.call("post", "/auth/accounts/acme/link", {});
    const back = new URL(await provider.authorize(begun.body.url as string));
    const binding = [begun.headers["set-cookie"] ?? []].flat().map((cookie) => String(cookie).split(";")[0] ?? "");
    for (const cookie of binding) eve.agent.jar.setCookie(cookie);
    const stolen = await eve.call("get", back.pathname + back.search);
    expect([stolen.status, stolen.body.code]).toEqual([403, "wrong_session"]);

    const again = await comeBack(ada.agent, await ada.call("post", "/auth/accounts/acme/link", {}));
    expect([again.status, again.body]).toEqual([200, { linked: "acme" }]);
    const linked = (await ada.call("get", "/auth/accounts")).body as { id: string; provider: string }[];
    expect(linked.map((account) => account.provider).sort()).toEqual(["acme", "credential"]);

    app.clock.advance(601);
    await ada.agent.post("/auth/refresh").send({}).expect(200);
    const stale = await ada.call("post", "/auth/accounts/acme/link", {});
    expect([stale.status, stale.body.code]).toEqual([401, "insufficient_user_authentication"]);
    await ada.call("post", "/auth/reauthenticate", { method: "password", password: PASSWORD });
    const { id } = linked.find((account) => account.provider === "acme") ?? { id: "" };
    expect((await ada.call("delete", `/auth/accounts/${id}`)).status).toBe(200);
  });
});

describe("the application's own transport", () => {
  it("is that of sign-ins which name none, under the names it chose", async () => {
    await start({ session: { transport: "cookie" }, cookie: { accessName: "access_token", refreshName: "refresh_token" } });
    const { signedUp, email, agent } = await person();
    expect(cookieNames(signedUp)).toEqual(["access_token", "refresh_token"]);
    const signIn = (body: object) =>
      request(app.server)
        .post("/auth/sign-in")
        .send({ email, password: PASSWORD, ...body });
    expect(cookieNames(await signIn({}))).toEqual(["access_token", "refresh_token"]);
    expect(cookieNames(await signIn({ transport: "session" }))).toEqual(["sid"]);
    expect((await agent.post("/auth/refresh").send({})).status).toBe(200);

    const sent = await request(app.server).post("/auth/magic/send").send({ email });
    const code = await app.mailbox.waitForCode(email);
    const verified = await request(app.server).post("/auth/magic/verify").send({ code, request_id: sent.body.request_id }).expect(200);
    expect(cookieNames(verified)).toEqual(expect.arrayContaining(["access_token", "refresh_token"]));
  });

  it.each([
    ["cookie", ["sid"]],
    ["bearer", []],
  ] as const)("%s leaves guests a session token", async (transport, names) => {
    await start({ session: { transport } });
    const guest = await request(app.server).post("/auth/guest").send({}).expect(200);
    expect(cookieNames(guest)).toEqual(names);
    expect(typeof guest.body.token).toBe(transport === "bearer" ? "string" : "undefined");
  });

  it("needs tokens to be switched on where it has some, and names of their own for its cookies", async () => {
    await start();
    const made = (options: AuthOptions) => () => createAuth({ secret: "x".repeat(32), ...options });
    expect(made({ session: { transport: "cookie" } })).toThrow(ConfigError);
    expect(made({ session: { transport: "carrier pigeon" as "token" } })).toThrow(/session\.transport/);
    expect(made({ cookie: { accessName: "sid" } })).toThrow(/name of its own/);
    expect(made({ cookie: { refreshName: "__Host-refresh" } })).toThrow(/cookie\.refreshName/);
  });
});
