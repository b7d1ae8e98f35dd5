import { scryptSync } from "node:crypto";
import { Strategy } from "passport";
import request from "supertest";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { eventNames, type AuthEvent } from "../../lib/core/events.ts";
import type { Identity, TokenSet } from "../../lib/core/strategy.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import { EmailDeliveryError } from "../../lib/email/transport.ts";
import { ProviderError, StorageError } from "../../lib/errors.ts";
import { betterAuthHashes, errorHandler, rateLimit } from "../../lib/index.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

const tokens: TokenSet = {
  accessToken: "canary-access-token",
  refreshToken: "canary-refresh-token",
  idToken: "canary-id-token",
  accessTokenExpiresAt: 0,
  refreshTokenExpiresAt: null,
  scope: "openid",
};

const identity = (subject: string): Identity => ({
  provider: "acme",
  issuer: "https://acme.example",
  subject,
  email: null,
  emailVerified: false,
  name: "Ada",
  image: null,
  tokens,
  providerSessionId: "canary-provider-sid",
  authenticatedAt: null,
});

/** A provider that vouches for whoever is named by the code. */
class Acme extends Strategy {
  override name = "acme";
  override authenticate(req: { query: Record<string, unknown> }) {
    const { code } = req.query;
    if (typeof code !== "string") return this.redirect("https://acme.example/authorize?state=canary-state");
    if (code === "canary-bad-code")
      return this.error(new Error("token endpoint said: client_secret=canary-client-secret code=canary-bad-code"));
    this.success(identity(code) as object as Express.User);
  }
}

afterEach(() => vi.restoreAllMocks());

describe("a walk through everything", () => {
  it("rule 42: tells every event of the catalogue, and no secret in an event, a log or a refusal", { timeout: 30_000 }, async () => {
    const secrets = new Set<string>([TEST_SECRET, ...Object.values(tokens).filter((value) => /canary/.test(String(value)))] as string[]);
    secrets.add("canary-").add("Basic-secret");
    const said: string[] = [];
    const listen = (spy: { mock: { calls: readonly unknown[][] } }) => () =>
      said.push(...spy.mock.calls.map((call) => call.map(String).join(" ")));
    const collect = [
      listen(vi.spyOn(process, "emitWarning").mockImplementation(() => {})),
      ...(["log", "info", "warn", "error", "debug"] as const).map((level) => listen(vi.spyOn(console, level).mockImplementation(() => {}))),
      listen(vi.spyOn(process.stdout, "write")),
      listen(vi.spyOn(process.stderr, "write")),
    ];

    const clock = createTestClock();
    const kept = openTestStore({ clock });
    let down: "get" | "principals" | "users" | null = null;
    const store: RecordStore = {
      ...kept,
      async get(from, key) {
        if (down === "users" && from.name === "users") throw new TypeError("driver said: access_token=canary-access-token");
        if (down === "get" || down === from.name) throw new StorageError("The store is down");
        return kept.get(from, key);
      },
    };
    const mailbox = memoryTransport();
    let mailDown = false;
    const members = new Set(["acme"]);
    const app = await startApp({
      store,
      clock,
      strategies: [new Acme() as Strategy],
      tokens: { audience: "https://api.example.com" },
      passwords: { foreignHashes: [betterAuthHashes] },
      email: { send: (mail) => (mailDown ? Promise.reject(new EmailDeliveryError("refused", { retryable: false })) : mailbox.send(mail)) },
      session: { membership: (_userId, tenantId) => members.has(tenantId) },
      routes(server) {
        server.get("/limited", rateLimit({ name: "limited", limit: "1/1h" }), (_req, res) => void res.json({}));
        server.use(errorHandler());
      },
    });
    const { auth } = app;
    const events: AuthEvent[] = [];
    auth.events.on("*", (event) => events.push(event));
    const refusals: string[] = [];

    const browser = () => {
      const agent = request.agent(app.server);
      return agent.set({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" });
    };
    /** Notes what a client must keep to itself: cookies, tokens, keys, and the bodies of refusals to look through. */
    const note = (response: request.Response) => {
      for (const cookie of [response.headers["set-cookie"] ?? []].flat()) {
        const value = String(cookie).split(";")[0]?.split("=")[1] ?? "";
        if (value) secrets.add(value);
      }
      const { token, key, request_id: requestId, access_token: access, refresh_token: refresh } = response.body as Record<string, unknown>;
      for (const value of [token, key, requestId, access, refresh]) if (typeof value === "string") secrets.add(value);
      if (response.status >= 400) refusals.push(JSON.stringify(response.headers) + response.text);
      return response;
    };
    const settle = async () => {
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    const codeTo = async (address: string) => {
      const code = await mailbox.waitForCode(address);
      secrets.add(code).add(`${code.slice(0, 4)} ${code.slice(4)}`);
      return code;
    };

    // A guest asks for a code, guesses, and signs in.
    const ada = browser();
    note(await ada.post("/auth/guest"));
    note(await ada.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200));
    const code = await codeTo("ada@example.com");
    note(
      await ada
        .post("/auth/magic/verify")
        .send({ code: code === "00000000" ? "11111111" : "00000000" })
        .expect(401),
    );
    const { user } = note(await ada.post("/auth/magic/verify").send({ code }).expect(200)).body as { user: { id: string } };
    const userId = user.id;
    await settle();

    // Steps up, and lives with keys.
    clock.advance(61);
    note(await ada.post("/auth/reauthenticate").send({ method: "magic_code" }).expect(200));
    note(
      await ada
        .post("/auth/reauthenticate")
        .send({ method: "magic_code", code: await codeTo("ada@example.com") })
        .expect(200),
    );
    const made = note(await ada.post("/auth/api-keys").send({ name: "ci" }).expect(200)).body as { id: string; key: string };
    note(await request(app.server).get("/auth/me").set("authorization", `Bearer ${made.key}`).expect(200));
    note(await request(app.server).get("/auth/me").set("authorization", `Bearer ${made.key}x`).expect(401));
    note(await request(app.server).get("/auth/me").set("authorization", "Basic Basic-secret").expect(401));
    await settle();
    const next = note(await ada.post(`/auth/api-keys/${made.id}/rotate`).send({}).expect(200)).body as { id: string };
    note(await ada.delete(`/auth/api-keys/${next.id}`).expect(200));

    // Enters a tenant, and is put out of it.
    note(await ada.post("/auth/tenant").send({ tenant_id: "acme" }).expect(200));
    note(await ada.post("/auth/tenant").send({ tenant_id: "rivals" }).expect(403));
    members.clear();
    clock.advance(61);
    note(await ada.get("/auth/me").expect(200));
    await settle();

    // A native client refreshes, and somebody else has its token too.
    const native = { user: userId, refreshToken: "" };
    native.refreshToken = (await auth.refreshTokens?.issue((await auth.sessions.create({ userId, transport: "bearer" })).session)) ?? "";
    secrets.add(native.refreshToken);
    const refreshing = () => request(app.server).post("/auth/refresh").send({ refresh_token: native.refreshToken });
    note(await refreshing().expect(200));
    clock.advance(61);
    note(await refreshing().expect(401));

    // Comes back from a provider, well and badly; links an account and unlinks it.
    const comeBack = async (agent: ReturnType<typeof browser>, path: string, authorizationCode: string) => {
      note(path.endsWith("/link") ? await agent.post(path).send({}).expect(200) : await agent.get(path));
      return note(await agent.get(`/auth/callback/acme?state=canary-state&code=${authorizationCode}`).set("accept", "application/json"));
    };
    await comeBack(browser(), "/auth/login/acme", "canary-bad-code");
    await comeBack(browser(), "/auth/login/acme", "subject-1");
    await comeBack(ada, "/auth/accounts/acme/link", "subject-2");
    const [account] = await auth.accounts.listForUser(userId);
    const refresh = async () => ({ ...tokens, accessToken: "canary-newer-token" });
    await auth.accounts.freshToken(userId, "acme", { refresh });
    const refuse = () => Promise.reject(new ProviderError("invalid_grant", "The provider ended this"));
    await auth.accounts.freshToken(userId, "acme", { refresh: refuse, refused: "canary-newer-token" }).catch(() => {});
    note(await ada.delete(`/auth/accounts/${account!.id}`).expect(200));

    // Links in mails, and passwords.
    const origin = app.url;
    const linkTo = async (address: string) => {
      const mail = await mailbox.waitFor(({ to, text }) => to === address && text.includes("token="));
      const token = /token=([\w-]+)/.exec(mail.text)?.[1] ?? "";
      secrets.add(token);
      mailbox.clear();
      return token;
    };
    const [weak, better, best] = ["an old canary password", "a new canary password", "the last canary password"] as const;
    for (const password of [weak, better, best]) secrets.add(password);
    const bob = "bob@example.com";
    mailbox.clear();
    await auth.passwords.signUp({ email: bob, password: weak, origin });
    const { userId: bobId } = await auth.passwords.confirm({ token: await linkTo(bob) });
    const old = scryptSync(weak, "c".repeat(32), 64, { N: 16_384, r: 16, p: 1, maxmem: 64 * 1024 * 1024 }).toString("hex");
    await auth.accounts.setPassword(bobId, `${"c".repeat(32)}:${old}`);
    await auth.passwords.signIn({ email: bob, password: weak });
    await auth.passwords.change({ userId: bobId, password: better });
    await auth.passwords.forgot({ email: bob, origin });
    await auth.passwords.reset({ token: await linkTo(bob), password: best });
    await auth.passwords.changeEmail({ userId: bobId, email: "robert@example.com", origin });
    await auth.passwords.confirm({ token: await linkTo("robert@example.com") });

    // Things fail: the store, a mail, a record, a background check, a handler, a limit.
    down = "get";
    note(await ada.get("/auth/me").expect(503));
    down = null;
    mailDown = true;
    note(await browser().post("/auth/magic/send").send({ email: "eve@example.com" }).expect(200));
    await settle();
    clock.advance(61);
    down = "principals";
    note(await ada.get("/auth/me").expect(200));
    await settle();
    down = "users";
    note(await ada.get("/auth/me").expect(500));
    down = null;
    const broken = await auth.sessions.create({ userId: "broken" });
    secrets.add(broken.token);
    const [stored] = await kept.list(sessionCollection, Buffer.from(broken.session.id, "base64url").subarray(0, 16).toString("base64url"));
    await kept.commit([{ op: "put", in: sessionCollection, record: { ...stored!, value: Buffer.from("canary-") } }]);
    note(await request(app.server).get("/auth/me").set("cookie", `sid=${broken.token}`).expect(503));
    note(await ada.get("/limited").expect(200));
    note(await ada.get("/limited").expect(429));

    await auth.users.create({ id: "root" });
    await auth.users.setRoles("root", ["admin"]);
    const root = await auth.sessions.create({ userId: "root" });
    secrets.add(root.token);
    note(await request(app.server).delete("/auth/admin/users/nobody").set("cookie", `sid=${root.token}`).expect(200));

    // The end.
    await auth.users.setRoles(userId, ["editor"]);
    note(await ada.delete("/auth/sessions").expect(200));
    note(await ada.post("/auth/sign-out").expect(200));
    await auth.users.disable(userId);
    await auth.users.enable(userId);
    await auth.users.delete(userId);
    await auth.erase(userId);
    await settle();
    await app.close();
    for (const look of collect) look();
    vi.restoreAllMocks();

    const heard = new Set(events.map(({ type }) => type));
    // The audit's own tests lose some.
    expect([...eventNames].filter((type) => !heard.has(type))).toEqual(["audit.lost"]);
    expect([...heard].filter((type) => !eventNames.has(type))).toEqual([]);
    expect(secrets.size).toBeGreaterThan(20);
    const told = { events: events.map((event) => JSON.stringify(event)), said, refusals };
    for (const [where, texts] of Object.entries(told)) {
      for (const text of texts) for (const secret of secrets) if (text.includes(secret)) expect.fail(`${where}: ${text} has ${secret}`);
    }
  });

  it("says who, when and where from", async () => {
    const app = await startApp();
    const events: AuthEvent[] = [];
    app.auth.events.on("*", (event) => events.push(event));
    try {
      const agent = request.agent(app.server).set({ "sec-fetch-site": "same-origin", "user-agent": "test/1" });
      await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
      const { body } = await agent.post("/auth/magic/verify").send({ code: await app.mailbox.waitForCode("ada@example.com") });
      await agent.post("/auth/sign-out").expect(200);
      const by = {
        userId: body.user.id,
        at: app.clock.now(),
        source: { ip: expect.stringMatching(/127\.0\.0\.1|::1/), userAgent: "test/1" },
      };
      const { id: sessionId } = body.session;
      const told = events.filter(({ type }) => /^(user|session|sign_in)\./.test(type));
      expect(told).toEqual([
        { type: "user.created", tenantId: null, details: { via: "email" }, ...by },
        { type: "session.created", tenantId: null, details: { sessionId, kind: "user", methods: ["magic_code"] }, ...by },
        { type: "sign_in.succeeded", tenantId: null, details: { method: "magic_code", sessionId }, ...by },
        { type: "session.revoked", tenantId: null, details: { sessionId, reason: "sign_out" }, ...by },
      ]);
    } finally {
      await app.close();
    }
  });
});
