import request from "supertest";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { StorageError } from "../../lib/errors.ts";
import { requireAuth } from "../../lib/index.ts";
import type { RecordStore, Write } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { openTestStore } from "../support/test-store.ts";

type App = Awaited<ReturnType<typeof startApp>>;
let app: App;

beforeEach(async () => {
  app = await startApp({ apiKeys: { scopes: ["reports:read"] } });
});
afterEach(() => app.close());

/** A browser: keeps cookies, and says where its requests come from. */
const browser = (from: App = app) => {
  const agent = request.agent(from.server);
  agent.set({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" });
  return agent;
};

const signIn = async (agent = browser(), email = "ada@example.com") => {
  await agent.post("/auth/magic/send").send({ email }).expect(200);
  const code = await app.mailbox.waitForCode(email);
  const response = await agent.post("/auth/magic/verify").send({ code }).expect(200);
  return { agent, body: response.body, cookies: [response.headers["set-cookie"] ?? []].flat() };
};

describe("signing in by a mailed code", () => {
  it("makes a user and a session, and leaves one session cookie", async () => {
    const { agent, body, cookies } = await signIn();
    expect(body.user).toMatchObject({ email: "ada@example.com", email_confirmed_at: expect.any(String) });
    expect(body).not.toHaveProperty("token");
    expect(cookies.filter((cookie) => cookie.startsWith("sid="))).toEqual([
      expect.stringMatching(/^sid=[\w-]{107}; Max-Age=2592000; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/),
    ]);
    const me = await agent.get("/auth/me").expect(200);
    expect(me.body).toEqual(body.user);
  });

  it("is one user for one address, in any spelling", async () => {
    const first = await signIn(browser(), "ada@example.com");
    app.clock.advance(61);
    const agent = browser();
    await agent.post("/auth/magic/send").send({ email: "  ADA@Example.COM" }).expect(200);
    const code = await app.mailbox.waitForCode("ada@example.com");
    const second = await agent.post("/auth/magic/verify").send({ code }).expect(200);
    expect(second.body.user.id).toBe(first.body.user.id);
  });

  it("rule 14: answers alike for known and unknown addresses", async () => {
    await signIn();
    app.clock.advance(61);
    const [known, unknown] = [
      await browser().post("/auth/magic/send").send({ email: "ada@example.com" }),
      await browser().post("/auth/magic/send").send({ email: "eve@example.com" }),
    ];
    expect(known.status).toBe(unknown.status);
    expect(known.body).toEqual(unknown.body);
    expect(Object.keys(known.headers).sort()).toEqual(Object.keys(unknown.headers).sort());
  });

  it("gives one answer to a wrong, a used, a foreign and an unknown code", async () => {
    const { agent } = await signIn();
    const answers = [];
    for (const body of [
      { code: "00000000" },
      { code: "12345678", email: "nobody@example.com" },
      { code: "12345678", request_id: "x".repeat(65) },
    ]) {
      answers.push(await agent.post("/auth/magic/verify").send(body));
    }
    for (const answer of answers)
      expect([answer.status, answer.body.code, answer.body.detail]).toEqual([401, "invalid_code", answers[0]!.body.detail]);
  });

  it("throttles a second code within a minute, and says how long to wait", async () => {
    await browser().post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
    const again = await browser().post("/auth/magic/send").send({ email: "ada@example.com" });
    expect([again.status, again.body.code]).toEqual([429, "rate_limited"]);
    expect(Number(again.headers["retry-after"])).toBe(60);
  });

  it("gives a client that is no browser its request id, and a token when it asks", async () => {
    const sent = await request(app.server).post("/auth/magic/send").send({ email: "cli@example.com" }).expect(200);
    const code = await app.mailbox.waitForCode("cli@example.com");
    const verified = await request(app.server)
      .post("/auth/magic/verify")
      .send({ code, request_id: sent.body.request_id, transport: "token" })
      .expect(200);
    const token: string = verified.body.token;
    const me = await request(app.server).get("/auth/me").set("authorization", `Bearer ${token}`).expect(200);
    expect(me.body.email).toBe("cli@example.com");
    await request(app.server).get("/auth/me").set("cookie", `sid=${token}`).expect(401);
    const refused = await browser().post("/auth/magic/verify").send({ code: "12345678", transport: "token" });
    expect(refused.status).not.toBe(200);
  });

  it("rule 12: ends the session the browser had before", async () => {
    const { agent } = await signIn();
    const [before] = await app.auth.sessions.list((await agent.get("/auth/me")).body.id);
    app.clock.advance(61);
    await signIn(agent);
    expect(await app.auth.sessions.get(before!.id)).toBeNull();
  });
});

describe("codes", () => {
  it("have as many digits and say what the application wants", async () => {
    const magicCode = ({ appName, code }: { appName: string; code: string }) => ({
      subject: `Hello from ${appName}`,
      text: code,
      html: code,
    });
    const other = await startApp({ magicCodes: { digits: 6 }, emailTemplates: { magicCode }, appName: "Acme" });
    try {
      const agent = browser(other);
      await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
      const mail = await other.mailbox.waitFor(({ to }) => to === "ada@example.com");
      expect([mail.subject, mail.text]).toEqual(["Hello from Acme", expect.stringMatching(/^\d{6}$/)]);
      await agent.post("/auth/magic/verify").send({ code: mail.text }).expect(200);
    } finally {
      await other.close();
    }
  });

  it("rule 42: are not to be had in production without a transport, least of all from its log", async () => {
    vi.stubEnv("NODE_ENV", "production");
    const clock = createTestClock();
    const store = { ...openTestStore({ clock }), persistent: true };
    const other = await startApp({ store, clock, email: undefined, baseUrl: "https://app.example.com" });
    vi.unstubAllEnvs();
    const printed = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    try {
      const user = await other.auth.users.create({ email: "ada@example.com", emailVerified: true });
      const { token } = await other.auth.sessions.create({ userId: user.id });
      await request(other.server).post("/auth/magic/send").send({ email: "ada@example.com" }).expect(404);
      const stepUp = request(other.server).post("/auth/reauthenticate").set("cookie", `__Host-sid=${token}`);
      expect((await stepUp.send({ method: "magic_code" }).expect(400)).body.code).toBe("method_not_available");
      const asked = other.auth.magicCodes.request({ email: "ada@example.com", purpose: "sign_in", source: null });
      await expect(asked).rejects.toMatchObject({ code: "config_error", option: "email" });
    } finally {
      await other.close();
    }
    expect(printed.mock.calls.flat().join("")).not.toMatch(/\d{4} ?\d{4}/);
    printed.mockRestore();
  });
});

describe("sessions", () => {
  it("are listed, ended one by one, and all but this one", async () => {
    const { agent } = await signIn();
    const userId = (await agent.get("/auth/me")).body.id;
    const other = await app.auth.sessions.create({ userId, source: { ip: "192.0.2.1", userAgent: null } });
    await app.auth.sessions.create({ userId });

    const list = await agent.get("/auth/sessions").expect(200);
    expect(list.body).toHaveLength(3);
    expect(list.body.filter((session: { current: boolean }) => session.current)).toHaveLength(1);
    expect(JSON.stringify(list.body)).not.toContain("secret");

    await agent.delete(`/auth/sessions/${other.session.id}`).expect(200);
    await agent.delete(`/auth/sessions/${other.session.id}`).expect(404);
    await agent.delete("/auth/sessions").expect(200);
    expect((await agent.get("/auth/sessions")).body).toHaveLength(1);
  });

  it("of others are not to be seen or ended", async () => {
    const { agent } = await signIn();
    const stranger = await app.auth.sessions.create({ userId: "stranger" });
    await agent.delete(`/auth/sessions/${stranger.session.id}`).expect(404);
    expect(await app.auth.sessions.get(stranger.session.id)).not.toBeNull();
  });

  it("rule 44: are over when sign-out has answered, and the cookie is cleared with its own attributes", async () => {
    const { agent } = await signIn();
    const [session] = await app.auth.sessions.list((await agent.get("/auth/me")).body.id);
    const out = await agent.post("/auth/sign-out").expect(200);
    expect([out.headers["set-cookie"]].flat()).toEqual([
      expect.stringMatching(/^sid=; Max-Age=0; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/),
    ]);
    expect(await app.auth.sessions.get(session!.id)).toBeNull();
    await agent.get("/auth/me").expect(401);
    await agent.post("/auth/sign-out").expect(401);
  });
});

describe("a store that does not confirm", () => {
  const startBroken = async () => {
    const clock = createTestClock();
    const store = openTestStore({ clock });
    let failing = (_writes: readonly Write[]) => false;
    const broken: RecordStore = {
      ...store,
      commit: (writes) => (failing(writes) ? Promise.reject(new StorageError()) : store.commit(writes)),
      take: (from, key) => (failing([]) ? Promise.reject(new StorageError()) : store.take(from, key)),
    };
    const other = await startApp({ store: broken, clock });
    return { other, fail: (when: typeof failing) => (failing = when) };
  };

  it("rule 46: gives no cookie of a session that was not stored, and has spent the code", async () => {
    const { other, fail } = await startBroken();
    try {
      const agent = browser(other);
      await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
      const code = await other.mailbox.waitForCode("ada@example.com");
      fail((writes) => writes.some(({ op, in: { name } }) => op === "insert" && name === sessionCollection.name));
      const refused = await agent.post("/auth/magic/verify").send({ code }).expect(503);
      expect([refused.headers["set-cookie"], refused.headers["retry-after"]]).toEqual([undefined, "1"]);
      expect(refused.body.code).toBe("storage_unavailable");
      fail(() => false);
      await agent.post("/auth/magic/verify").send({ code }).expect(401);
    } finally {
      await other.close();
    }
  });

  it("rule 44: is no success of signing out or ending sessions, and clears no cookie", async () => {
    const { other, fail } = await startBroken();
    try {
      const agent = browser(other);
      await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
      await agent
        .post("/auth/magic/verify")
        .send({ code: await other.mailbox.waitForCode("ada@example.com") })
        .expect(200);
      const [session] = (await agent.get("/auth/sessions").expect(200)).body;
      fail(() => true);
      for (const refused of [
        await agent.post("/auth/sign-out"),
        await agent.delete("/auth/sessions"),
        await agent.delete(`/auth/sessions/${session.id}`),
      ])
        expect([refused.status, refused.headers["set-cookie"]]).toEqual([503, undefined]);
      fail(() => false);
      await agent.get("/auth/me").expect(200);
      await agent.post("/auth/sign-out").expect(200);
    } finally {
      await other.close();
    }
  });
});

describe("a guest", () => {
  it("has a session that is no sign-in, and takes its data along when it signs in", async () => {
    const agent = browser();
    const guest = await agent.post("/auth/guest").expect(200);
    expect(guest.body).toMatchObject({ guest: true, user_id: expect.stringMatching(/^guest_/) });
    await agent.get("/auth/me").expect(401);
    const again = await agent.post("/auth/guest").expect(200);
    expect(again.body.user_id).toBe(guest.body.user_id);
    const [session] = await app.auth.sessions.list(guest.body.user_id);
    await app.auth.sessions.updateData(session!.id, { cart: [7] });

    await signIn(agent);
    const [mine] = await app.auth.sessions.list((await agent.get("/auth/me")).body.id);
    expect(mine!.data).toEqual({ cart: [7] });
    expect(await app.auth.sessions.list(guest.body.user_id)).toEqual([]);
  });
});

describe("a guest of a native client", () => {
  it("shows its token in the header, and takes its data along when it signs in", async () => {
    const guest = await request(app.server).post("/auth/guest").send({ transport: "token" }).expect(200);
    const bearer = { authorization: `Bearer ${guest.body.token}` };
    const [session] = await app.auth.sessions.list(guest.body.user_id);
    await app.auth.sessions.updateData(session!.id, { cart: [7] });
    const sent = await request(app.server).post("/auth/magic/send").set(bearer).send({ email: "cli@example.com" }).expect(200);
    const code = await app.mailbox.waitForCode("cli@example.com");
    const verified = await request(app.server)
      .post("/auth/magic/verify")
      .set(bearer)
      .send({ code, request_id: sent.body.request_id, transport: "token" })
      .expect(200);
    const [mine] = await app.auth.sessions.list(verified.body.user.id);
    expect(mine).toMatchObject({ transport: "token", data: { cart: [7] } });
    expect(await app.auth.sessions.list(guest.body.user_id)).toEqual([]);
  });
});

describe("stepping up", () => {
  it("makes an old session fresh again by a code to its own address, under a new secret", async () => {
    const { agent } = await signIn();
    app.clock.advance(601);
    const stale = await agent.post("/auth/api-keys").send({ name: "ci" });
    expect([stale.status, stale.body.code]).toEqual([401, "insufficient_user_authentication"]);

    await agent.post("/auth/reauthenticate").send({ method: "magic_code" }).expect(200);
    const code = await app.mailbox.waitForCode("ada@example.com");
    const fresh = await agent.post("/auth/reauthenticate").send({ method: "magic_code", code }).expect(200);
    expect([fresh.headers["set-cookie"]].flat().some((cookie) => cookie?.startsWith("sid="))).toBe(true);
    await agent.post("/auth/api-keys").send({ name: "ci" }).expect(200);
  });

  it("rule 4: takes no code that was mailed for signing in", async () => {
    const { agent } = await signIn();
    app.clock.advance(61);
    await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
    const code = await app.mailbox.waitForCode("ada@example.com");
    await agent.post("/auth/reauthenticate").send({ method: "magic_code", code }).expect(401);
    await agent.post("/auth/magic/verify").send({ code }).expect(200);
  });
});

describe("API keys", () => {
  it("are shown once, listed without their secret, used, rotated and ended", async () => {
    const { agent } = await signIn();
    const made = await agent
      .post("/auth/api-keys")
      .send({ name: "  ci  ", scopes: ["reports:read"] })
      .expect(200);
    expect(made.body).toMatchObject({ name: "ci", key: expect.stringMatching(/^sk-/), scopes: ["reports:read"], last_used_at: null });
    const list = await agent.get("/auth/api-keys").expect(200);
    expect(JSON.stringify(list.body)).not.toContain(made.body.key);

    const bearer = { authorization: `Bearer ${made.body.key}` };
    await request(app.server).get("/auth/me").set(bearer).expect(200);
    const rotated = await agent.post(`/auth/api-keys/${made.body.id}/rotate`).send({ overlap: 60 }).expect(200);
    await request(app.server).get("/auth/me").set(bearer).expect(200);
    app.clock.advance(61);
    await request(app.server).get("/auth/me").set(bearer).expect(401);
    await agent.delete(`/auth/api-keys/${rotated.body.id}`).expect(200);
    await request(app.server).get("/auth/me").set("authorization", `Bearer ${rotated.body.key}`).expect(401);
  });

  it("rule 33: manage no keys, pass on no foreign scope, and end no session", async () => {
    const { agent } = await signIn();
    const { key } = (await agent.post("/auth/api-keys").send({ name: "ci" }).expect(200)).body;
    const bearer = { authorization: `Bearer ${key}` };
    for (const [method, path] of [
      ["post", "/auth/api-keys"],
      ["get", "/auth/api-keys"],
      ["get", "/auth/sessions"],
      ["delete", "/auth/sessions"],
      ["get", "/auth/accounts"],
    ] as const) {
      const refused = await request(app.server)
        [method](path)
        .set(bearer)
        .send(method === "post" ? { name: "x" } : undefined);
      expect([path, refused.status, refused.body.code]).toEqual([path, 403, "credential_not_allowed"]);
    }
    const wide = await agent.post("/auth/api-keys").send({ name: "wide", scopes: ["admin"] });
    expect([wide.status, wide.body.code]).toEqual([403, "insufficient_scope"]);
  });
});

describe("requests from other sites", () => {
  const cross = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };

  it("rule 36: change nothing, signed in or not", async () => {
    const { agent } = await signIn();
    for (const [path, body] of [
      ["/auth/sign-out", {}],
      ["/auth/magic/send", { email: "eve@example.com" }],
      ["/auth/magic/verify", { code: "12345678" }],
      ["/auth/guest", {}],
      ["/auth/api-keys", { name: "x" }],
    ] as const) {
      for (const headers of [cross, { "sec-fetch-site": "same-site" }, { "sec-fetch-site": "", origin: "null" }]) {
        const refused = await agent.post(path).set(headers).send(body);
        expect([path, refused.status, refused.body.code]).toEqual([path, 403, "cross_site_request"]);
      }
    }
    await agent.get("/auth/me").expect(200);
  });

  it("rule 36: to the application's own routes do not carry the cookie's rights", async () => {
    const guarded = await startApp({ routes: (server) => server.post("/pay", requireAuth(), (_req, res) => void res.json({})) });
    try {
      const { token } = await guarded.auth.sessions.create({ userId: "user-1" });
      const cookie = `sid=${token}`;
      await request(guarded.server).post("/pay").set("cookie", cookie).expect(200);
      await request(guarded.server)
        .post("/pay")
        .set({ cookie, ...cross })
        .expect(403);
      await request(guarded.server)
        .post("/pay")
        .set({ cookie, origin: guarded.url, host: guarded.url.slice(7) })
        .expect(200);
      const { key } = await guarded.auth.apiKeys.create({ userId: "user-1", name: "x" });
      await request(guarded.server)
        .post("/pay")
        .set({ authorization: `Bearer ${key}`, ...cross })
        .expect(200);
    } finally {
      await guarded.close();
    }
  });
});

describe("answers", () => {
  it("rule 38: are never cached", async () => {
    const { agent } = await signIn();
    for (const path of ["/auth/me", "/auth/sessions", "/auth/providers", "/auth/nothing"]) {
      expect((await agent.get(path)).headers["cache-control"], path).toBe("no-store");
    }
  });

  it("rule 39: send nobody to another origin", async () => {
    for (const target of [
      "https://evil.example",
      "//evil.example",
      "/\\evil.example",
      "javascript:alert(1)",
      "https:/evil.example",
      "/\t/evil.example",
      "https://localhost@evil.example/",
    ]) {
      const { agent } = await signIn(browser(), `u${Math.abs(hash(target))}@example.com`);
      const out = await agent
        .post("/auth/sign-out")
        .set({ "sec-fetch-mode": "navigate", accept: "text/html" })
        .type("form")
        .send({ return_to: target });
      expect([target, out.status === 303 ? out.headers["location"] : out.status]).toEqual([target, out.status === 303 ? "/" : 400]);
      app.clock.advance(3601);
    }
  });

  it("tell a wrong method which ones there are", async () => {
    const response = await request(app.server).put("/auth/me").expect(405);
    expect(response.headers["allow"]).toBe("GET");
  });
});

function hash(text: string): number {
  return [...text].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) | 0, 7);
}
