import cookieParser from "cookie-parser";
import express from "express";
import session, { type SessionData } from "express-session";
import request from "supertest";
import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { createAuth } from "../../lib/auth.ts";
import type { AuthEvent } from "../../lib/core/events.ts";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { ConfigError, StorageError } from "../../lib/errors.ts";
import { expressSessionStore, migrateExpressSession, type MigrateExpressSessionOptions } from "../../lib/express-session/index.ts";
import { movedSessionCollection } from "../../lib/express-session/session-collection.ts";
import { requireAuth } from "../../lib/http/require-auth.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { withCookie } from "./store-expectations.ts";

const SECRET = "the secret of express-session";

type Change = Partial<MigrateExpressSessionOptions> & { records?: RecordStore; before?: express.RequestHandler; loadUser?: boolean };

/** An application that had express-session and now has latchkey, and in its old store a session of `user-1`. */
async function createMigratedApp({ records: given, before, loadUser, ...options }: Change = {}) {
  const clock = createTestClock(Date.now());
  const records = given ?? memoryStore({ clock });
  const old = new session.MemoryStore();
  const createProcess = () => {
    const auth = createAuth({ secret: TEST_SECRET, store: records, clock, email: memoryTransport(), loadUser });
    const app = express();
    if (before) app.use(before);
    app.use(migrateExpressSession({ auth, store: old, secret: SECRET, ...options }));
    app.use(auth);
    app.get("/public", (req, res) => void res.json({ kind: req.auth.kind, failure: req.auth.failure?.code ?? null }));
    app.get("/me", requireAuth(), (req, res) => void res.json({ id: req.auth.userId, methods: req.auth.methods, user: req.user ?? null }));
    app.post("/me", requireAuth(), (req, res) => void res.json({ id: req.auth.userId }));
    app.get("/fresh", requireAuth({ maxAge: 3600 }), (_req, res) => void res.json("fresh"));
    return { auth, app };
  };
  const { auth, app } = createProcess();
  const heard: AuthEvent[] = [];
  auth.events.on("*", (event) => heard.push(event));
  await auth.users.create({ id: "user-1", email: "ada@example.com" });

  const keep = (sid: string, data: Record<string, unknown>, cookie: Record<string, unknown> = {}) =>
    new Promise<void>((resolve) => old.set(sid, { ...withCookie(cookie), ...data }, () => resolve()));
  const kept = (sid: string) => new Promise<SessionData | null | undefined>((resolve) => old.get(sid, (_, data) => resolve(data)));
  await keep("sid-1", { passport: { user: "user-1" } });
  return { clock, records, old, keep, kept, auth, app, createProcess, heard, types: () => heard.map(({ type }) => type) };
}

/** The cookie that express-session itself sends for an id. */
async function signed(sid: string, secret = SECRET, name = "connect.sid"): Promise<string> {
  const app = express();
  app.use(session({ secret, name, genid: () => sid, resave: false, saveUninitialized: true }));
  app.get("/", (_req, res) => void res.end());
  const answer = await request(app).get("/");
  return String(answer.headers["set-cookie"]).split(";")[0] ?? "";
}

const setCookies = (answer: request.Response) => [answer.headers["set-cookie"] ?? []].flat().map(String);
const ours = (answer: request.Response) =>
  setCookies(answer)
    .find((cookie) => /^sid=[^;]/.test(cookie))
    ?.split(";")[0] ?? null;
const get = (app: express.Express, path: string, cookie: string | null) =>
  request(app)
    .get(path)
    .set("cookie", cookie ?? "");

describe("moving from express-session", () => {
  it("signs in by the old cookie once, and by ours from then on", async () => {
    const { app, auth, kept, types } = await createMigratedApp();
    const first = await get(app, "/me", await signed("sid-1"));
    expect([first.status, first.body]).toEqual([200, { id: "user-1", methods: ["express_session"], user: null }]);
    expect(setCookies(first)).toContainEqual(expect.stringMatching(/^connect\.sid=; Path=\/; Expires=Thu, 01 Jan 1970/));
    expect(first.headers["cache-control"]).toBe("no-store");
    expect(await kept("sid-1")).toBeFalsy();

    const second = await get(app, "/me", ours(first));
    expect([second.status, ours(second)]).toEqual([200, null]);
    expect(await auth.sessions.list("user-1")).toHaveLength(1);
    expect(types().filter((type) => type === "sign_in.succeeded")).toHaveLength(1);
  });

  it("works with any store of express-session, ours too", async () => {
    const store = expressSessionStore({ session, store: memoryStore() });
    await new Promise((done) => store.set("sid-1", { ...withCookie(), passport: { user: "user-1" } } as never, done));
    const { app } = await createMigratedApp({ store });
    expect((await get(app, "/me", await signed("sid-1"))).status).toBe(200);
    expect(await new Promise((done) => store.get("sid-1", (_, data) => done(data)))).toBeNull();
  });

  it("takes another cookie name, a list of secrets, a user kept elsewhere, and numbers for ids", async () => {
    const userId = (data: SessionData) => (data as SessionData & { account?: string }).account ?? null;
    const elsewhere = await createMigratedApp({ cookieName: "app", secret: ["newer", undefined, SECRET], userId });
    await elsewhere.keep("sid-2", { account: "user-1" });
    expect((await get(elsewhere.app, "/me", await signed("sid-2", SECRET, "app"))).status).toBe(200);

    const numbers = await createMigratedApp();
    await numbers.auth.users.create({ id: "42" });
    await numbers.keep("sid-3", { passport: { user: 42 } });
    expect((await get(numbers.app, "/me", await signed("sid-3"))).body).toMatchObject({ id: "42" });
  });

  it("loads the user where the application asked for it", async () => {
    const { app } = await createMigratedApp({ loadUser: true });
    expect((await get(app, "/me", await signed("sid-1"))).body).toMatchObject({ user: { email: "ada@example.com" } });
  });

  it("works behind cookie-parser, which takes signed cookies for itself", async () => {
    const { app } = await createMigratedApp({ before: cookieParser(SECRET) });
    expect((await get(app, "/me", await signed("sid-1"))).status).toBe(200);
  });

  it("never counts as a fresh authentication", async () => {
    const { app } = await createMigratedApp();
    const first = await get(app, "/fresh", await signed("sid-1"));
    expect([first.status, first.body.code]).toEqual([401, "insufficient_user_authentication"]);
    expect((await get(app, "/me", ours(first))).status).toBe(200);
  });

  it("rule 30: leaves who shows a credential of ours alone, and asks no old store", async () => {
    const { app, old } = await createMigratedApp();
    const mine = ours(await get(app, "/me", await signed("sid-1")));
    const read = vi.spyOn(old, "get");
    const again = await get(app, "/me", `${await signed("sid-1")}; ${mine}`);
    const bearer = await get(app, "/me", await signed("sid-1")).set("authorization", "Bearer nonsense");
    expect([again.status, bearer.status, read.mock.calls]).toEqual([200, 401, []]);
  });

  it.each([
    ["forged", "connect.sid=s%3Asid-1.Zm9yZ2Vk"],
    ["unsigned", "connect.sid=sid-1"],
    ["empty", "connect.sid="],
    ["of an empty id", "connect.sid=s%3A."],
    ["a JSON cookie", `connect.sid=${encodeURIComponent('j:{"a":1}')}`],
    ["of another name", "other=s%3Asid-1.Zm9yZ2Vk"],
  ])("asks no store for a cookie that is %s", async (_what, cookie) => {
    const { app, old, records } = await createMigratedApp();
    const [read, ask] = [vi.spyOn(old, "get"), vi.spyOn(records, "get")];
    expect((await get(app, "/public", cookie)).body).toEqual({ kind: "anonymous", failure: null });
    expect([read.mock.calls, ask.mock.calls]).toEqual([[], []]);
  });

  it("refuses a cookie signed by another secret", async () => {
    const { app, kept } = await createMigratedApp();
    expect((await get(app, "/me", await signed("sid-1", "another secret"))).status).toBe(401);
    expect(await kept("sid-1")).toBeTruthy();
  });

  it("makes nothing of old sessions that ended, are gone, have no user, or one that nobody knows", async () => {
    const ended = { passport: { user: "user-1" }, ...withCookie({ expires: new Date(Date.now() - 1).toISOString() }) };
    const { app, keep, kept, old, records } = await createMigratedApp();
    await keep("visitor", { cart: 1 });
    await keep("signed-out", { passport: {} });
    await keep("stranger", { passport: { user: "user-9" } });
    await keep("object", { passport: { user: { id: "user-1" } } });
    for (const sid of ["gone", "visitor", "signed-out", "stranger", "object"]) {
      const answer = await get(app, "/public", await signed(sid));
      expect([sid, answer.body, setCookies(answer)]).toEqual([sid, { kind: "anonymous", failure: null }, []]);
    }
    expect(await kept("stranger")).toBeTruthy();
    vi.spyOn(old, "get").mockImplementation((_sid, done) => done(null, ended as never)); // a store that does not look at the end
    expect((await get(app, "/me", await signed("ended"))).status).toBe(401);
    expect((await records.scan(sessionCollection)).records).toEqual([]);
    expect((await records.scan(movedSessionCollection)).records).toEqual([]);
  });

  it("rule 9: lets no disabled user in, now or when they are enabled again", async () => {
    const { app, auth, kept } = await createMigratedApp();
    await auth.users.disable("user-1");
    const cookie = await signed("sid-1");
    expect((await get(app, "/public", cookie)).body).toEqual({ kind: "anonymous", failure: "user_disabled" });
    expect(await kept("sid-1")).toBeFalsy();
    await auth.users.enable("user-1");
    expect((await get(app, "/me", cookie)).status).toBe(401);
  });

  it.each<[string, (app: Awaited<ReturnType<typeof createMigratedApp>>) => Promise<void>]>([
    ["theirs", ({ auth }) => auth.sessions.revokeAll("user-1")],
    ["everybody's", ({ auth }) => auth.principals.raiseGlobalEpoch()],
  ])("rule 9: ends old sessions that did not come yet with all of %s", async (_whose, end) => {
    const given = await createMigratedApp();
    await end(given);
    const cookie = await signed("sid-1");
    expect((await get(given.app, "/public", cookie)).body).toEqual({ kind: "anonymous", failure: "session_revoked" });
    expect(await given.kept("sid-1")).toBeFalsy();
    expect((await get(given.app, "/public", cookie)).body).toEqual({ kind: "anonymous", failure: null });
    expect(await given.auth.sessions.list("user-1")).toEqual([]);
  });

  it("rule 1: makes one session of one old one, for 10 requests at once in two processes", async () => {
    const { app, createProcess, auth, kept } = await createMigratedApp();
    const apps = [app, createProcess().app];
    const cookie = await signed("sid-1");
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => get(apps[index % 2] ?? app, "/me", cookie)));

    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(new Set(answers.map(ours)).size).toBe(1);
    expect(await auth.sessions.list("user-1")).toHaveLength(1);
    expect(await kept("sid-1")).toBeFalsy();
    expect((await get(app, "/me", ours(answers[9] as request.Response))).status).toBe(200);
  });

  it("gives a lost answer's cookie again within a minute, and not after it", async () => {
    const { app, clock } = await createMigratedApp();
    const cookie = await signed("sid-1");
    const lost = ours(await get(app, "/me", cookie));
    clock.advance(59);
    expect(ours(await get(app, "/me", cookie))).toBe(lost);
    clock.advance(1);
    expect((await get(app, "/me", cookie)).status).toBe(401);
  });

  it("rule 2: brings nobody back by the old cookie who signed out since", async () => {
    const { app, auth } = await createMigratedApp();
    const cookie = await signed("sid-1");
    await get(app, "/me", cookie);
    await auth.sessions.revokeAll("user-1");
    const answer = await get(app, "/me", cookie);
    expect([answer.status, ours(answer)]).toEqual([401, null]);
  });

  it("rule 36: refuses an unsafe request from another site, and moves nothing by it", async () => {
    const { app, kept } = await createMigratedApp();
    const cookie = await signed("sid-1");
    const foreign = await request(app).post("/me").set({ cookie, origin: "https://evil.example", "sec-fetch-site": "cross-site" });
    expect([foreign.status, foreign.body.code]).toEqual([403, "cross_site_request"]);
    expect(await kept("sid-1")).toBeTruthy();
    expect((await request(app).post("/me").set({ cookie, "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  it("keeps no token and no session id in the clear", async () => {
    const { app, records } = await createMigratedApp();
    const token = ours(await get(app, "/me", await signed("sid-1")))?.slice("sid=".length) ?? "";
    const { records: moved } = await records.scan(movedSessionCollection);
    const rest = moved.map(({ partition, id, value }) => partition + id + Buffer.from(value).toString("latin1")).join();
    expect(moved).toHaveLength(1);
    expect(rest).not.toContain(token.slice(0, 20));
    expect(rest).not.toContain("sid-1");
  });
});

describe("moving from express-session while a store is away", () => {
  const outage = () => new Error("ECONNREFUSED");

  it.each([
    ["fails", (done: (error: unknown) => void) => done(outage())],
    [
      "throws",
      () => {
        throw outage();
      },
    ],
    ["says nothing", () => {}],
  ])("rule 43: answers 503 when the old one %s, and leaves all as it is", async (_what, answer) => {
    const { app, old, kept } = await createMigratedApp();
    const cookie = await signed("sid-1");
    const read = vi.spyOn(old, "get").mockImplementation((_sid, done) => answer(done));

    const [guarded, open] = await Promise.all([get(app, "/me", cookie), get(app, "/public", cookie)]);
    expect([guarded.status, guarded.headers["retry-after"], setCookies(guarded)]).toEqual([503, "1", []]);
    expect([open.status, open.body, setCookies(open)]).toEqual([200, { kind: "anonymous", failure: "storage_unavailable" }, []]);

    read.mockRestore();
    expect(await kept("sid-1")).toBeTruthy();
    expect((await get(app, "/me", cookie)).status).toBe(200);
  });

  it.each(["get", "commit"] as const)("rule 43: answers 503 when ours fails at %s, and leaves all as it is", async (operation) => {
    const { app, records, kept } = await createMigratedApp();
    const cookie = await signed("sid-1");
    const failing = vi.spyOn(records, operation).mockRejectedValue(new StorageError());
    const answer = await get(app, "/me", cookie);
    expect([answer.status, setCookies(answer)]).toEqual([503, []]);
    expect(await kept("sid-1")).toBeTruthy();
    failing.mockRestore();
    expect((await get(app, "/me", cookie)).status).toBe(200);
  });

  it("rule 46: sends no session before the old one is confirmed to be gone, and the same one after it", async () => {
    const { app, old, auth } = await createMigratedApp();
    const cookie = await signed("sid-1");
    const destroy = vi.spyOn(old, "destroy").mockImplementation((_sid, done) => done?.(outage()));
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const answer = await get(app, "/me", cookie);
      expect([answer.status, setCookies(answer)]).toEqual([503, []]);
    }
    destroy.mockRestore();
    expect((await get(app, "/me", cookie)).status).toBe(200);
    expect(await auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("goes on after a process that died half-way, once its claim has ended", async () => {
    const { app, records, clock, auth } = await createMigratedApp();
    const cookie = await signed("sid-1");
    // Claims, and gets no further: every later write is lost.
    const commit = records.commit.bind(records);
    let writes = 0;
    const dying = vi
      .spyOn(records, "commit")
      .mockImplementation((list) => ((writes += 1) === 1 ? commit(list) : Promise.reject(new StorageError())));
    expect((await get(app, "/me", cookie)).status).toBe(503);
    dying.mockRestore();
    expect((await records.scan(movedSessionCollection)).records).toHaveLength(1);
    expect((await get(app, "/me", cookie)).status).toBe(503); // waits for who claimed it, but not for long
    clock.advance(10);
    expect((await get(app, "/me", cookie)).status).toBe(200);
    expect(await auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("undoes what it made when its claim had ended and another request was faster", async () => {
    const clock = createTestClock(Date.now());
    const records = memoryStore({ clock });
    let slow = true;
    const { app, auth } = await createMigratedApp({ records });
    const commit = records.commit.bind(records);
    const cookie = await signed("sid-1");
    vi.spyOn(records, "commit").mockImplementation(async (writes) => {
      const [write] = writes;
      if (slow && write?.in === movedSessionCollection && write.op === "replace") {
        slow = false;
        await commit([{ op: "delete", in: movedSessionCollection, key: write.record }]);
        expect((await get(app, "/me", cookie)).status).toBe(200);
      }
      return commit(writes);
    });
    expect((await get(app, "/me", cookie)).status).toBe(200);
    expect(await auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("tells the developer of a store without its tables", async () => {
    const records = sqliteStore({ path: ":memory:" });
    await records.migrate();
    const { app, heard, kept } = await createMigratedApp({ records });
    expect((await get(app, "/me", await signed("sid-1"))).status).toBe(500);
    expect(heard).toContainEqual(
      expect.objectContaining({ type: "request.failed", details: { path: "/me", message: expect.stringMatching(/no table/) } }),
    );
    expect(await kept("sid-1")).toBeTruthy();
  });

  it("rule 49: refuses what it cannot read of its own", async () => {
    const { app, records } = await createMigratedApp();
    const cookie = await signed("sid-1");
    await get(app, "/me", cookie);
    const [moved] = (await records.scan(movedSessionCollection)).records;
    if (!moved) throw new Error("nothing was moved");
    await records.commit([
      { op: "put", in: movedSessionCollection, record: { ...moved, lookups: {}, value: Buffer.from("other bytes, as many as it takes") } },
    ]);
    expect((await get(app, "/public", cookie)).body).toEqual({ kind: "anonymous", failure: "storage_unavailable" });
  });

  it("rule 32: a userId() that fails lets nobody in", async () => {
    const { app } = await createMigratedApp({ userId: () => Promise.reject(new Error("a bug")) });
    expect((await get(app, "/me", await signed("sid-1"))).status).toBe(503);
  });
});

describe("migrateExpressSession", () => {
  it("rule 32: refuses options that it does not know or cannot use", () => {
    const auth = createAuth({ secret: TEST_SECRET, email: memoryTransport() });
    const good = { auth, store: new session.MemoryStore(), secret: SECRET };
    expect(() => migrateExpressSession(good)).not.toThrow();
    for (const bad of [
      { auth: {} },
      { store: {} },
      { secret: undefined },
      { secret: "" },
      { secret: [] },
      { secret: [1] },
      { cookieName: "" },
      { userId: "user" },
      { cookie: "connect.sid" },
    ]) {
      expect(() => migrateExpressSession({ ...good, ...bad } as never)).toThrow(ConfigError);
    }
  });
});
