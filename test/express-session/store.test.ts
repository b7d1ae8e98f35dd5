import { EventEmitter, once } from "node:events";
import session from "express-session";
import express from "express";
import request from "supertest";
import { describe, expect, it, vi } from "vitest";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { ConfigError, StorageError } from "../../lib/errors.ts";
import { expressSessionStore } from "../../lib/express-session/index.ts";
import { expressSessionCollection, sessionKey } from "../../lib/express-session/session-collection.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { expressSessionStoreExpectations, withCookie } from "./store-expectations.ts";

expressSessionStoreExpectations("memory", async ({ clock }) => memoryStore({ clock }));

expressSessionStoreExpectations("sqlite", async ({ clock, collections }) => {
  const store = sqliteStore({ path: ":memory:", clock, collections });
  await store.migrate();
  return store;
});

expressSessionStoreExpectations("encrypted memory", async ({ clock }) =>
  encrypted(memoryStore({ clock }), {
    keys: ["a key for a store, of thirty-two bytes"],
    indexKey: "an index key for it, of thirty-two bytes",
  }),
);

/** An app whose sessions count visits, over this store. */
function createCounter(store: RecordStore = memoryStore()) {
  const sessions = expressSessionStore({ session, store });
  const app = express();
  const cookie = { maxAge: 60_000 };
  app.use(session({ store: sessions, secret: "a secret of express-session", resave: false, saveUninitialized: false, cookie }));
  app.get("/count", (req, res) => {
    const held = req.session as { visits?: number };
    held.visits = (held.visits ?? 0) + 1;
    res.json(held.visits);
  });
  app.get("/look", (req, res) => void res.json(req.session.cookie.maxAge ?? null));
  app.get("/slow", async (req, res) => {
    Object.assign(req.session, { late: true });
    slow.emit("begun");
    await once(slow, "end");
    res.json("late");
  });
  app.get("/again", (req, res, next) => req.session.regenerate((error) => (error ? next(error) : res.json(req.sessionID))));
  app.get("/leave", (req, res, next) => req.session.destroy((error) => (error ? next(error) : res.json("left"))));
  const slow = new EventEmitter();
  return { sessions, store, app, slow, agent: () => request.agent(app) };
}

const failing = (error: Error): RecordStore =>
  new Proxy(memoryStore(), {
    get: (store, name: keyof RecordStore) => (typeof store[name] === "function" ? () => Promise.reject(error) : store[name]),
  });

describe("express-session over our store", () => {
  it("keeps a visitor's session, each their own", async () => {
    const { agent } = createCounter();
    const [ada, bob] = [agent(), agent()];
    expect((await ada.get("/count")).body).toBe(1);
    expect((await ada.get("/count")).body).toBe(2);
    expect((await bob.get("/count")).body).toBe(1);
  });

  it("is one of its stores", () => {
    const { sessions } = createCounter();
    expect(sessions).toBeInstanceOf(session.Store);
  });

  it("regenerates and destroys", async () => {
    const { agent, sessions } = createCounter();
    const ada = agent();
    await ada.get("/count");
    await ada.get("/again");
    expect((await ada.get("/count")).body).toBe(1);
    await ada.get("/leave");
    expect((await ada.get("/count")).body).toBe(1);
    await vi.waitFor(() => sessions.length((_, length) => expect(length).toBe(1)));
  });

  it("rule 8: a request that ends after its session was destroyed leaves it so", async () => {
    const { agent, slow, store } = createCounter();
    const ada = agent();
    await ada.get("/count");
    const begun = once(slow, "begun");
    const late = ada.get("/slow").then(({ body }) => body as unknown);
    await begun;
    await ada.get("/leave");
    slow.emit("end");
    expect(await late).toBe("late");
    expect((await store.scan(expressSessionCollection)).records).toEqual([]);
  });

  it("answers 503 while the store is away", async () => {
    const { app } = createCounter(failing(new StorageError()));
    app.use(((error: { status?: number }, _req, res, _next) => void res.status(error.status ?? 500).end()) as express.ErrorRequestHandler);
    const cookie = String((await createCounter().agent().get("/count")).headers["set-cookie"]);
    expect(
      (
        await request(app)
          .get("/count")
          .set("cookie", cookie.slice(0, cookie.indexOf(";")))
      ).status,
    ).toBe(503);
  });

  it("touches a session that a request left as it was, and changes nothing else in it", async () => {
    const { agent, sessions, store } = createCounter();
    const ada = agent();
    await ada.get("/count");
    const { records: before } = await store.scan(expressSessionCollection);
    const touch = vi.spyOn(sessions, "touch");
    await ada.get("/look");
    const { records: after } = await store.scan(expressSessionCollection);
    expect(touch).toHaveBeenCalledOnce();
    expect(after[0]?.version).toBe(2);
    expect(after[0]?.expiresAt).toBeGreaterThanOrEqual(before[0]?.expiresAt ?? Infinity);
    expect((await ada.get("/count")).body).toBe(2);
  });

  it("costs one read of the store, and one write where the session changed", async () => {
    const store = memoryStore();
    const { agent } = createCounter(store);
    const ada = agent();
    await ada.get("/count");
    const [get, commit] = [vi.spyOn(store, "get"), vi.spyOn(store, "commit")];
    await ada.get("/count");
    expect([get.mock.calls.length, commit.mock.calls.length]).toEqual([1, 1]);
  });
});

describe("express-session's store", () => {
  const call = (run: (done: (...args: unknown[]) => void) => void) => new Promise<unknown[]>((resolve) => run((...args) => resolve(args)));

  it("rule 43: tells every callback of a store that is away", async () => {
    const error = new StorageError();
    const store = expressSessionStore({ session, store: failing(error) });
    const data = withCookie();
    for (const run of [
      (done) => store.get("a", done),
      (done) => store.set("a", data, done),
      (done) => store.touch("a", data, done),
      (done) => store.destroy("a", done),
      (done) => store.all(done),
      (done) => store.length(done),
      (done) => store.clear(done),
    ] satisfies ((done: (...args: unknown[]) => void) => void)[]) {
      expect(await call(run)).toEqual([error]);
    }
  });

  it("rule 48: leaves no rejection where nobody asked for the outcome", async () => {
    const unhandled = vi.fn<(reason: unknown) => void>();
    process.on("unhandledRejection", unhandled);
    const store = expressSessionStore({ session, store: failing(new StorageError()) });
    store.set("a", withCookie());
    store.destroy("a");
    store.touch("a", withCookie());
    store.clear();
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it("tells of what cannot be JSON", async () => {
    const store = expressSessionStore({ session, store: memoryStore() });
    const [error] = await call((done) => store.set("a", { ...withCookie(), big: 1n } as never, done));
    expect(error).toBeInstanceOf(TypeError);
  });

  it("calls back once, later, and outside of what it does itself", async () => {
    const store = expressSessionStore({ session, store: memoryStore() });
    const order: string[] = [];
    const called = call((done) => {
      store.get("a", (...args) => {
        order.push("called");
        done(...args);
      });
      order.push("returned");
    });
    expect(await called).toEqual([null, null]);
    expect(order).toEqual(["returned", "called"]);
  });

  it("rule 49: refuses a record that it cannot read, and leaves it", async () => {
    const records = memoryStore();
    const store = expressSessionStore({ session, store: records });
    const record = { ...sessionKey("", "a"), value: Buffer.from("{"), expiresAt: null };
    await records.commit([{ op: "insert", in: expressSessionCollection, record }]);
    const [error] = await call((done) => store.get("a", done));
    expect(error).toBeInstanceOf(StorageError);
    expect(await records.get(expressSessionCollection, record)).not.toBeNull();
  });

  it("shows no session id in the keys of the store", async () => {
    const records = memoryStore();
    const store = expressSessionStore({ session, store: records, prefix: "app:" });
    await call((done) => store.set("a-session-id-of-length", withCookie(), done));
    const { records: found } = await records.scan(expressSessionCollection);
    expect(found.map(({ partition, id }) => partition + id)).toEqual([expect.not.stringContaining("a-session-id")]);
  });

  it("rule 32: refuses options that it does not know or cannot use", () => {
    const store = memoryStore();
    const bad = [
      {},
      { session },
      { store },
      { session: {}, store },
      { session, store: {} },
      { session, store, ttl: 0 },
      { session, store, ttl: 1.5 },
      { session, store, prefix: 1 },
      { session, store, clock: {} },
      { session, store, prefx: "a" },
    ];
    for (const options of bad) expect(() => expressSessionStore(options as never)).toThrow(ConfigError);
  });
});
