import { createServer } from "node:http";
import express, { type Express, type RequestHandler } from "express";
import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAuth, type Auth } from "../../lib/auth.ts";
import * as first from "../../lib/http/request-auth.ts";
import { requireAuth } from "../../lib/http/require-auth.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

let auth: Auth;
let cookie: string;
beforeEach(async () => {
  const clock = createTestClock();
  auth = createAuth({ secret: TEST_SECRET, clock, store: openTestStore({ clock }) });
  cookie = `sid=${(await auth.sessions.create({ userId: "ada" })).token}`;
});
afterEach(() => auth.close());

const tell: RequestHandler = (req, res) => void res.json({ userId: req.auth?.userId, own: Object.hasOwn(req, "auth") });
const ask = (app: Express, path = "/", headers: Record<string, string> = { cookie }) => request(app).get(path).set(headers);

describe("req.auth", () => {
  it("costs a request no property of its own", async () => {
    const app = express().use(auth).get("/", tell);
    expect((await ask(app).expect(200)).body).toEqual({ userId: "ada", own: false });
  });

  it("is of one request alone, however many are under way", async () => {
    const app = express()
      .use(auth)
      .get("/", async (req, res, next) => {
        await new Promise((resolve) => setImmediate(resolve));
        tell(req, res, next);
      });
    const others = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => ({ cookie: `sid=${(await auth.sessions.create({ userId: `user-${n}` })).token}` })),
    );
    const answers = await Promise.all([...others.map((headers) => ask(app, "/", headers)), ask(app, "/", {})]);
    expect(answers.map(({ body }) => (body as { userId: string | null }).userId)).toEqual([...others.map((_, n) => `user-${n}`), null]);
  });

  it("is absent where latchkey did not run, also once it ran elsewhere in the process", async () => {
    await ask(express().use(auth).get("/", tell)).expect(200);
    expect((await ask(express().get("/", tell))).body).toEqual({ own: false });
  });

  it("stays with a request that comes back out of a mounted application, and goes into one", async () => {
    const inner = express().use(auth).get("/deeper", tell);
    const outer = express().use(inner).use("/guarded", requireAuth()).get("/guarded", tell).use(express().get("/last", tell));
    for (const path of ["/deeper", "/guarded", "/last"]) expect((await ask(outer, path).expect(200)).body.userId).toBe("ada");
  });

  it("leaves alone what another middleware sets by that name, before it or where it is not", async () => {
    await ask(express().use(auth).get("/", tell)).expect(200);
    const theirs: RequestHandler = (req, _res, next) => {
      Object.assign(req, { auth: { userId: "theirs" } });
      next();
    };
    expect((await ask(express().use(theirs).get("/", tell))).body.userId).toBe("theirs");
    expect((await ask(express().use(theirs).use(auth).get("/", tell))).body.userId).toBe("ada");
  });

  it("shows on the request itself where another's accessor stands already, such as that of a second copy of latchkey", async () => {
    await ask(express().use(auth).get("/", tell)).expect(200);
    const second = "../../lib/http/request-auth.ts?second";
    const { exposeAuth } = (await import(/* @vite-ignore */ second)) as typeof import("../../lib/http/request-auth.ts");
    expect(exposeAuth).not.toBe(first.exposeAuth);
    const theirs: RequestHandler = (req, _res, next) => {
      exposeAuth(req);
      Object.assign(req, { auth: { userId: "second" } });
      next();
    };
    expect((await ask(express().use(theirs).get("/", tell))).body).toEqual({ userId: "second", own: true });
  });

  it("refuses where the application throws res.locals away, and survives a copy of it", async () => {
    const replacing = (make: (locals: object) => object): RequestHandler => {
      return (_req, res, next) => {
        res.locals = make(res.locals);
        next();
      };
    };
    const behind = (middleware: RequestHandler) => express().use(auth).use(middleware).get("/", requireAuth(), tell);
    await ask(behind(replacing((locals) => ({ ...locals, title: "Home" })))).expect(200);
    expect((await ask(behind(replacing(() => ({ title: "Home" }))))).status).toBe(500);
  });

  it("needs Express: a bare server is told so", async () => {
    const server = createServer((req, res) => {
      const done = (error?: unknown) => res.writeHead(error instanceof TypeError ? 500 : 200).end();
      try {
        (auth as unknown as (...given: unknown[]) => void)(req, res, done);
      } catch (error) {
        done(error);
      }
    });
    expect((await request(server).get("/")).status).toBe(500);
  });
});
