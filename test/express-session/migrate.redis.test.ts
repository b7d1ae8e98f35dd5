import express from "express";
import session from "express-session";
import { Redis } from "ioredis";
import request from "supertest";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { createAuth } from "../../lib/auth.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import { expressSessionStore, migrateExpressSession } from "../../lib/express-session/index.ts";
import { requireAuth } from "../../lib/http/require-auth.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { redisUrl } from "../support/services.ts";

const SECRET = "the secret of express-session";
const prefix = `migrate ${process.pid}:`;
const clients: Redis[] = [];

beforeAll(async () => {
  const url = await redisUrl();
  clients.push(new Redis(url, clientOptions), new Redis(url, clientOptions));
});

afterAll(() => {
  for (const client of clients) client.disconnect();
});

/** What one process has: its own connection, its own everything. */
function createProcess(client: Redis) {
  const store = redisStore({ client, prefix });
  const old = expressSessionStore({ session, store: redisStore({ client, prefix: `${prefix}old:` }) });
  const auth = createAuth({ secret: TEST_SECRET, store, email: memoryTransport() });
  const before = express();
  before.use(session({ store: old, secret: SECRET, resave: false, saveUninitialized: false }));
  before.get("/sign-in/:user", (req, res) => {
    Object.assign(req.session, { passport: { user: req.params.user } });
    res.end();
  });
  const after = express();
  after.use(migrateExpressSession({ auth, store: old, secret: SECRET }));
  after.use(auth);
  after.get("/me", requireAuth(), (req, res) => void res.json(req.auth.userId));
  return { auth, before, after, old };
}

describe("moving from express-session, by two processes on one Redis", () => {
  it("rule 1: gives 10 first requests at once one session, 20 times", async () => {
    const processes = clients.map(createProcess);
    const [one, other] = processes;
    if (!one || !other) throw new Error("there are two");
    for (let round = 0; round < 20; round += 1) {
      const user = `user-${round}`;
      await one.auth.users.create({ id: user });
      const signIn = await request(one.before).get(`/sign-in/${user}`);
      const cookie = String(signIn.headers["set-cookie"]).split(";")[0] ?? "";

      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          request((index % 2 ? one : other).after)
            .get("/me")
            .set({ cookie }),
        ),
      );

      expect(answers.map(({ status, body }) => [status, body as unknown])).toEqual(Array(10).fill([200, user]));
      const sent = answers.map(
        (answer) =>
          [answer.headers["set-cookie"]]
            .flat()
            .find((text) => /^sid=[^;]/.test(String(text)))
            ?.split(";")[0],
      );
      expect(new Set(sent).size).toBe(1);
      expect(await other.auth.sessions.list(user)).toHaveLength(1);
    }
    expect(await new Promise((done) => one.old.length((_, length) => done(length)))).toBe(0);
  });
});
