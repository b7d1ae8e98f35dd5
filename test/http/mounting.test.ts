import cookieParser from "cookie-parser";
import express from "express";
import request from "supertest";
import { afterEach, describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { authenticate, createAuth, errorHandler, requireAuth } from "../../lib/index.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { counting, TEST_SECRET } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

const closing: { close(): Promise<void> }[] = [];
const start = async (options: Parameters<typeof startApp>[0]) => {
  const app = await startApp(options);
  closing.push(app);
  return app;
};
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

const newAuth = (options: Parameters<typeof createAuth>[0] = {}) => {
  const auth = createAuth({ secret: TEST_SECRET, ...options });
  closing.push(auth);
  return auth;
};

describe("app.use(auth)", () => {
  it.each([
    ["no body parser", () => {}],
    [
      "body and cookie parsers before it",
      (app: express.Express) => app.use(express.json(), express.urlencoded({ extended: true }), cookieParser()),
    ],
    ["a raw parser that leaves JSON alone", (app: express.Express) => app.use(express.text(), express.raw())],
    ["signed cookies", (app: express.Express) => app.use(cookieParser("another secret"))],
  ])("works with %s", async (_name, before) => {
    const app = await start({ before });
    const agent = request.agent(app.server);
    await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
    const code = await app.mailbox.waitForCode("ada@example.com");
    await agent.post("/auth/magic/verify").type("form").send({ code }).expect(200);
    await agent.get("/auth/me").expect(200);
  });

  it("works before body parsers that come later", async () => {
    const app = await start({
      routes(server) {
        server.use(express.json());
        server.post("/echo", (req, res) => void res.json(req.body));
      },
    });
    await request(app.server).post("/echo").send({ a: 1 }).expect(200, { a: 1 });
  });

  it("works under a sub-app when basePath says so", async () => {
    const auth = newAuth({ basePath: "/api/auth" });
    const api = express().use(auth);
    const app = express().use("/api", api);
    await request(app).get("/api/auth/providers").expect(200, []);
    await request(app).get("/api/auth/me").expect(401);
    await request(app).get("/auth/me").expect(404);
  });

  it("takes a mount for itself in whatever case a request writes it, as Express does", async () => {
    const auth = newAuth({ basePath: "/api/auth" });
    const failed = vi.fn();
    auth.events.on("request.failed", failed);
    const app = express().use("/api", express().use(auth).get("/hello", (_req, res) => void res.json("hello"))); // prettier-ignore
    await request(app).get("/API/hello").expect(200, '"hello"');
    await request(app).get("/Api/auth/providers").expect(200, []);
    await request(express().use("/auth", newAuth().routes())).get("/AUTH/providers").expect(200, []);
    expect(failed).not.toHaveBeenCalled();
  });

  it("refuses a mount that basePath does not know, at the first request", async () => {
    const auth = newAuth();
    const app = express().use("/api", auth).use(errorHandler());
    const response = await request(app).get("/api/auth/me");
    expect([response.status, response.body.code]).toEqual([500, "config_error"]);
  });

  it("composes: authenticate(auth) alone, auth.routes() where they belong", async () => {
    const auth = newAuth({ basePath: "/account" });
    const app = express().use(authenticate(auth)).use("/account", auth.routes());
    app.get("/me", requireAuth(), (req, res) => void res.json({ id: req.auth.userId }));
    const { token } = await auth.sessions.create({ userId: "user-1" });
    await request(app).get("/me").set("cookie", `sid=${token}`).expect(200, { id: "user-1" });
    await request(app).get("/account/providers").expect(200, []);
    await request(app).get("/auth/providers").expect(404);
  });

  it("composes: auth.routes() alone finds out by itself who asks", async () => {
    const auth = newAuth({ basePath: "/account" });
    const app = express().use("/account", auth.routes());
    await auth.users.create({ id: "user-1" });
    const { token } = await auth.sessions.create({ userId: "user-1" });
    await request(app).get("/account/me").expect(401);
    const me = await request(app).get("/account/me").set("cookie", `sid=${token}`).expect(200);
    expect(me.body.id).toBe("user-1");
    await request(app).post("/account/guest").expect(200);
  });

  it("reads the session once, however often it is used on the way", async () => {
    const { store, calls } = counting(openTestStore());
    const auth = newAuth({ store });
    const app = express().use(authenticate(auth)).use(auth).use(auth.routes());
    const { token } = await auth.sessions.create({ userId: "user-1" });
    app.get("/", (req, res) => void res.json({ kind: req.auth.kind }));
    calls["get"] = 0;
    await request(app).get("/").set("cookie", `sid=${token}`).expect(200, { kind: "session" });
    expect(calls["get"]).toBe(1);
  });

  it("keeps two of them apart, each with its own cookie and store", async () => {
    const staff = newAuth({ basePath: "/staff/auth", cookie: { name: "staff" } });
    const auth = newAuth();
    const app = express().use("/staff", staff).use(auth);
    const { token } = await auth.sessions.create({ userId: "user-1" });
    await request(app).get("/auth/sessions").set("cookie", `sid=${token}`).expect(200);
    await request(app).get("/staff/auth/sessions").set("cookie", `sid=${token}; staff=${token}`).expect(401);
  });

  it("says once that it serves loopback hosts only, and once that the secret is made up", () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    closing.push(createAuth());
    expect(warned.mock.calls.map(([message]) => String(message)).sort()).toEqual([
      expect.stringContaining("no `baseUrl`"),
      expect.stringContaining("no `secret`"),
    ]);
    warned.mockRestore();
  });

  it("serves loopback hosts only while there is no baseUrl", async () => {
    const app = express().use(newAuth());
    for (const host of ["localhost:3000", "127.0.0.1:1", "[::1]:3000", "app.localhost"])
      await request(app).get("/auth/providers").set("host", host).expect(200);
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1]evil.example", "[::1]:80@evil.example"])
      await request(app).get("/auth/providers").set("host", host).expect(421);
  });

  it("knows who is signed in as Passport's users ask", async () => {
    const app = await start({
      routes(server) {
        server.post("/in", (req, res, next) =>
          req.login({ id: "user-1" } as Express.User, (error) => (error ? next(error) : res.json({ in: req.isAuthenticated() }))),
        );
        server.get("/who", (req, res) => void res.json({ in: req.isAuthenticated(), out: req.isUnauthenticated() }));
        server.post("/out", async (req, res) => {
          await (req.logout as unknown as () => Promise<void>)();
          res.json({ in: req.isAuthenticated() });
        });
      },
    });
    const agent = request.agent(app.server);
    await agent.get("/who").expect({ in: false, out: true });
    await agent.post("/in").expect({ in: true });
    await agent.get("/who").expect({ in: true, out: false });
    await agent.post("/out").expect({ in: false });
    await agent.get("/who").expect({ in: false, out: true });
  });

  it("waits on a store that keeps order but twice for req.login", async () => {
    const inner = memoryStore();
    /** What was asked of the store before it answered anything of it. */
    let waits: string[][] = [[]];
    const asking = async <T>(what: string, ask: () => Promise<T>): Promise<T> => {
      if (waits.at(-1)?.length === 0) setImmediate(() => waits.push([]));
      waits.at(-1)?.push(what);
      const answer = await ask();
      await new Promise((resolve) => setTimeout(resolve, 5));
      return answer;
    };
    const store: RecordStore = {
      ...inner,
      get: (from, key) => asking(`get ${from.name}`, () => inner.get(from, key)),
      commit: (writes) => asking(`commit ${writes.map((write) => write.op).join()}`, () => inner.commit(writes)),
    };
    const app = await start({
      store,
      routes: (server) =>
        void server.post("/in", (req, res, next) => req.login({ id: "user-1" }, (error) => (error ? next(error) : res.end()))),
    });
    waits = [[]];

    await request(app.server).post("/in").expect(200);

    const read = "get principals";
    expect(waits.filter((asked) => asked.length > 0)).toEqual([
      [read, read, read],
      ["commit insert", read, read],
    ]);
  });

  it("gives Passport's habits to the requests behind it alone", async () => {
    const seen: string[] = [];
    const note = (req: express.Request) => seen.push(typeof req.login);
    const app = express();
    app.use((req, res, next) => (note(req), next()));
    app.use("/inside", newAuth({ basePath: "/inside/auth" }), (req, res, next) => (note(req), next()));
    app.use(
      "/inside",
      express().get("/sub", (req, res) => (note(req), res.end())),
    );
    app.get("/outside", (req, res) => (note(req), res.end()));
    await request(app).get("/inside/sub");
    await request(app).get("/outside");
    expect(seen).toEqual(["undefined", "function", "function", "undefined", "undefined"]);
  });

  it("leaves cookies to a cookie-parser behind it", async () => {
    const app = express().use(newAuth(), cookieParser("a secret of the application"));
    app.get("/set", (req, res) => res.cookie("theme", "dark", { signed: true }).end());
    app.get("/read", (req, res) => res.json(req.signedCookies));
    const agent = request.agent(app);
    await agent.get("/set");
    await agent.get("/read").expect({ theme: "dark" });
  });

  it("finishes what it writes back before it closes", async () => {
    const clock = createTestClock();
    const store = openTestStore({ clock });
    const auth = createAuth({ secret: TEST_SECRET, store: { ...store, close: async () => {} }, clock });
    const app = express().use(auth);
    const { session, token } = await auth.sessions.create({ userId: "user-1" });
    clock.advance(61);
    await request(app).get("/auth/sessions").set("cookie", `sid=${token}`).expect(200);
    await auth.close();
    expect((await auth.sessions.get(session.id))?.lastSeenAt).toBe(clock.now());
  });

  it("loads the user for every request where that is asked for", async () => {
    const app = await start({
      loadUser: true,
      routes: (server) => server.get("/", (req, res) => void res.json({ name: req.user?.name ?? null })),
    });
    await app.auth.users.create({ id: "user-1", name: "Ada" });
    const { token } = await app.auth.sessions.create({ userId: "user-1" });
    await request(app.server).get("/").set("cookie", `sid=${token}`).expect({ name: "Ada" });
    await request(app.server).get("/").expect({ name: null });
  });
});

describe("cookies", () => {
  it("are __Host- and Secure over https", async () => {
    const app = await start({ baseUrl: "https://app.example.com" });
    const guest = await request(app.server).post("/auth/guest").set("origin", "https://app.example.com").expect(200);
    expect([guest.headers["set-cookie"]].flat()).toEqual([
      expect.stringMatching(/^__Host-sid=[\w-]{107}; Max-Age=604800; Path=\/; Expires=.*; HttpOnly; Secure; SameSite=Lax$/),
    ]);
  });

  it("that an older secret signed are sent again under the first, and go on working without the older one", async () => {
    const old = "the old secret, which is long enough to use";
    const clock = createTestClock();
    const store = openTestStore({ clock });
    const before = await start({ secret: old, store, clock });
    const { token } = await before.auth.sessions.create({ userId: "user-1" });

    const during = await start({ secret: [TEST_SECRET, old], store, clock });
    const response = await request(during.server).get("/auth/sessions").set("cookie", `sid=${token}`).expect(200);
    const [renewed] = [response.headers["set-cookie"]].flat();
    expect(renewed).toMatch(/^sid=[\w-]{107}; Max-Age=2592000;/);
    const after = await start({ secret: TEST_SECRET, store, clock });
    await request(after.server).get("/auth/sessions").set("cookie", `sid=${token}`).expect(401);
    await request(after.server).get("/auth/sessions").set("cookie", renewed!.split(";")[0]!).expect(200);
  });

  it("are shared with subdomains at the price of the prefix, where a domain is given", async () => {
    const app = await start({ baseUrl: "https://app.example.com", cookie: { domain: "example.com", name: "acme" } });
    const guest = await request(app.server).post("/auth/guest").set("origin", "https://app.example.com").expect(200);
    expect([guest.headers["set-cookie"]].flat()[0]).toMatch(
      /^__Secure-acme=[\w-]{107}; Max-Age=604800; Domain=example.com; Path=\/; .*; Secure; SameSite=Lax$/,
    );
  });
});
