import { promisify } from "node:util";
import session, { type SessionData } from "express-session";
import { afterEach, describe, expect, it } from "vitest";
import { expressSessionCollections, expressSessionStore } from "../../lib/express-session/index.ts";
import type { Collection, RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../lib/testing/clock.ts";

type Open = (given: { clock: TestClock; collections: readonly Collection[] }) => Promise<RecordStore>;

/** What express-session, and the stores written for it, expect of a store. */
export function expressSessionStoreExpectations(name: string, open: Open): void {
  const opened: RecordStore[] = [];
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });

  const openStore = async ({ prefix = "app:", ttl }: { prefix?: string; ttl?: number } = {}) => {
    const clock = createTestClock();
    const records = await open({ clock, collections: expressSessionCollections });
    opened.push(records);
    const at = (of: string) => promised(expressSessionStore({ session, store: records, prefix: of, ttl, clock }));
    return { clock, records, at, ...at(prefix) };
  };

  describe(`express-session's store over ${name}`, () => {
    it("knows no session that was never set", async () => {
      const { get, all, length } = await openStore();
      expect(await get("nobody")).toBeFalsy();
      expect(await all()).toEqual([]);
      expect(await length()).toBe(0);
    });

    it("gives back what was set, as JSON", async () => {
      const { clock, set, get } = await openStore();
      const expires = new Date(clock.now() + 60_000);
      await set("a", { ...withCookie({ expires }), passport: { user: "user-1" }, cart: ["ä", "\0"], none: undefined });
      expect(await get("a")).toEqual({
        cookie: { originalMaxAge: null, expires: expires.toISOString() },
        passport: { user: "user-1" },
        cart: ["ä", "\0"],
      });
    });

    it("sets over what is there", async () => {
      const { set, get, length } = await openStore();
      await set("a", { ...withCookie(), step: 1 });
      await set("a", { ...withCookie(), step: 2 });
      await set("a", { ...withCookie(), step: 3 });
      expect(await get("a")).toMatchObject({ step: 3 });
      expect(await length()).toBe(1);
    });

    it("gives each reader an object of their own", async () => {
      const { set, get } = await openStore();
      await set("a", { ...withCookie(), cart: [1] });
      const mine = await get("a");
      Object.assign(mine ?? {}, { cart: [] });
      expect(await get("a")).toMatchObject({ cart: [1] });
    });

    it("tells ids apart byte by byte, whatever they are", async () => {
      const { set, get, length } = await openStore();
      const ids = ["a", "A", "a ", " a", "a\0", "ä", "a\u0308", "__proto__", "constructor", "x".repeat(5000), "a:b", "a*"];
      for (const id of ids) await set(id, { ...withCookie(), is: id });
      for (const id of ids) expect(await get(id)).toMatchObject({ is: id });
      expect(await length()).toBe(ids.length);
    });

    it("destroys a session, once or twice", async () => {
      const { set, get, destroy } = await openStore();
      await set("a", withCookie());
      await set("b", withCookie());
      await destroy("a");
      await destroy("a");
      expect(await get("a")).toBeFalsy();
      expect(await get("b")).toBeTruthy();
    });

    it("ends a session with its cookie's `expires`, to the millisecond", async () => {
      const { clock, set, get, length } = await openStore();
      await set("date", withCookie({ expires: new Date(clock.now() + 1000) }));
      await set("text", withCookie({ expires: new Date(clock.now() + 1000).toISOString() }));
      await set("age", withCookie({ maxAge: 1000 }));
      clock.advance(0.999);
      expect(await length()).toBe(3);
      clock.advance(0.001);
      for (const sid of ["date", "text", "age"]) expect(await get(sid)).toBeFalsy();
      expect(await length()).toBe(0);
    });

    it("ends a session whose cookie has no end after `ttl`, a day by default", async () => {
      const byDefault = await openStore();
      const shorter = await openStore({ ttl: 60 });
      for (const { set, clock, get, ttl } of [
        { ...byDefault, ttl: 86_400 },
        { ...shorter, ttl: 60 },
      ]) {
        await set("a", withCookie({ expires: null }));
        clock.advance(ttl - 0.001);
        expect(await get("a")).toBeTruthy();
        clock.advance(0.001);
        expect(await get("a")).toBeFalsy();
      }
    });

    it("keeps nothing whose cookie has ended already, and removes what it was", async () => {
      const { clock, set, get, touch } = await openStore();
      const ended = withCookie({ expires: new Date(clock.now()) });
      await set("a", withCookie());
      await set("a", ended);
      await set("b", withCookie());
      await touch("b", ended);
      expect([await get("a"), await get("b")]).toEqual([null, null]);
    });

    it("touches: a later end, and no other change", async () => {
      const { clock, set, get, touch } = await openStore();
      await set("a", { ...withCookie({ expires: new Date(clock.now() + 1000) }), step: 1 });
      const later = new Date(clock.now() + 60_000);
      await touch("a", { ...withCookie({ expires: later }), step: 2 });
      clock.advance(30);
      expect(await get("a")).toMatchObject({ step: 1, cookie: { expires: later.toISOString() } });
      clock.advance(30);
      expect(await get("a")).toBeFalsy();
    });

    it("rule 8: touching brings back no session that was destroyed or has ended", async () => {
      const { clock, set, get, touch, destroy } = await openStore();
      await set("gone", withCookie());
      await set("ended", withCookie({ maxAge: 1000 }));
      const held = await Promise.all([get("gone"), get("ended")]);
      await destroy("gone");
      clock.advance(1);
      await touch("gone", held[0] ?? withCookie());
      await touch("ended", { ...held[1], ...withCookie({ maxAge: 1000 }) });
      await touch("never", withCookie());
      for (const sid of ["gone", "ended", "never"]) expect(await get(sid)).toBeFalsy();
    });

    it("rule 8: setting what was read brings back no session that was destroyed or has ended", async () => {
      const { clock, set, get, destroy, store } = await openStore();
      await set("gone", withCookie());
      await set("ended", withCookie({ maxAge: 1000 }));
      const [gone, ended] = await Promise.all([get("gone"), get("ended")]);
      const inRequest = store.createSession({ sessionID: "gone", sessionStore: store } as never, gone ?? withCookie());
      await destroy("gone");
      clock.advance(1);

      await set("gone", Object.assign(gone ?? {}, withCookie()));
      await set("gone", inRequest);
      await set("ended", Object.assign(ended ?? {}, withCookie()));
      expect([await get("gone"), await get("ended")]).toEqual([null, null]);
    });

    it("rule 8: setting again what was set brings back no session that was destroyed meanwhile", async () => {
      const { set, get, destroy } = await openStore();
      const made = withCookie();
      await set("a", made);
      await set("a", made);
      await destroy("a");
      await set("a", made);
      expect(await get("a")).toBeFalsy();
    });

    it("sets what was read as another session under another id", async () => {
      const { set, get, destroy } = await openStore();
      await set("a", { ...withCookie(), step: 1 });
      const read = await get("a");
      await destroy("a");
      await set("b", read ?? withCookie());
      expect(await get("b")).toMatchObject({ step: 1 });
    });

    it("rule 8: of 10 requests that end while one destroys their session none brings it back", async () => {
      const { set, get, touch, destroy } = await openStore();
      for (let round = 0; round < 10; round += 1) {
        const sid = `round ${round}`;
        await set(sid, withCookie());
        const held = await Promise.all(Array.from({ length: 10 }, () => get(sid)));
        const late = held.map((data, index) => (index % 2 ? touch : set)(sid, Object.assign(data ?? {}, withCookie(), { index })));
        await Promise.all(late.toSpliced(round, 0, destroy(sid)));
        expect(await get(sid)).toBeFalsy();
      }
    });

    it("lets the last of 10 requests at once win, and fails none", async () => {
      const { set, get } = await openStore();
      await set("a", withCookie());
      const held = await Promise.all(Array.from({ length: 10 }, () => get("a")));
      await Promise.all(held.map((data, by) => set("a", Object.assign(data ?? {}, withCookie(), { by }))));
      expect(await get("a")).toHaveProperty("by", expect.any(Number));
    });

    it("lists, counts and clears its own sessions, not those under another prefix", async () => {
      const { clock, at, all, set, length, clear } = await openStore({ prefix: "app:" });
      const [other, longer] = [at(""), at("app:2")];
      for (const { set: setThere } of [other, longer]) await setThere("a", withCookie());
      for (let index = 0; index < 120; index += 1) await set(`sid ${index}`, { ...withCookie(), index });
      await set("ended", withCookie({ maxAge: 1000 }));
      clock.advance(1);

      expect(await length()).toBe(120);
      const listed = (await all()) ?? [];
      expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(Array.from({ length: 120 }, (_, index) => `sid ${index}`)));
      expect(listed.find(({ id }) => id === "sid 7")).toMatchObject({ index: 7, cookie: { originalMaxAge: null } });

      await clear();
      expect(await length()).toBe(0);
      expect([await other.length(), await longer.length()]).toEqual([1, 1]);
    });

    it("loads a session as express-session does", async () => {
      const { set, load } = await openStore();
      const expires = new Date("2100-01-01T00:00:00Z");
      await set("a", { ...withCookie({ expires, httpOnly: true, path: "/" }), step: 1 });
      const loaded = await load("a");
      expect(loaded).toMatchObject({ id: "a", step: 1 });
      expect(loaded?.cookie.expires).toEqual(expires);
      expect(await load("nobody")).toBeUndefined();
    });
  });
}

type Data = SessionData & Record<string, unknown>;

/** A session with a cookie that lasts as long as the browser, but for what is given. */
export function withCookie(cookie: Record<string, unknown> = {}): Data {
  return { cookie: { originalMaxAge: null, ...cookie } };
}

/** A store's methods with promises for callbacks. */
function promised(store: ReturnType<typeof expressSessionStore>) {
  return {
    store,
    get: promisify<string, SessionData | null | undefined>((sid, done) => store.get(sid, done)),
    set: promisify<string, Data | SessionData, void>((sid, data, done) => store.set(sid, data, done)),
    touch: promisify<string, Data | SessionData, void>((sid, data, done) => store.touch(sid, data, done)),
    destroy: promisify<string, void>((sid, done) => store.destroy(sid, done)),
    all: promisify(store.all.bind(store)),
    length: promisify(store.length.bind(store)),
    clear: promisify<void>((done) => store.clear(done)),
    load: promisify<string, (SessionData & { id: string }) | undefined>((sid, done) => store.load(sid, done as never)),
  };
}
