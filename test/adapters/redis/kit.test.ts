import { Redis } from "ioredis";
import request from "supertest";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import { ownerTag, sha256 } from "../../../lib/crypto/hash.ts";
import { requireAuth } from "../../../lib/index.ts";
import { createTestClock } from "../../../lib/testing/index.ts";
import { startApp } from "../../support/app.ts";
import { until } from "../../support/server-process.ts";
import { redisUrl } from "../../support/services.ts";
import { sentCommands } from "./sent-commands.ts";

const clock = createTestClock();
const prefix = `kit ${process.pid}:`;
let client: Redis;
let sent: string[];
let app: Awaited<ReturnType<typeof startApp>>;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
  sent = sentCommands(client);
  app = await startApp({
    store: redisStore({ client, clock, prefix }),
    clock,
    routes: (express) => {
      express.get("/me", requireAuth(), (req, res) => void res.json({ id: req.auth.userId, kind: req.auth.kind }));
      express.get("/public", (_req, res) => void res.json({}));
    },
  });
  await signIn("warm");
  await app.auth.sessions.revokeAll("warm"); // the scripts are known from here on
});

afterAll(async () => {
  await app.close();
  client.disconnect();
});

const signIn = async (userId: string) => `sid=${(await app.auth.sessions.create({ userId, methods: ["test"] })).token}`;
const get = (path: string, headers: Record<string, string>) => request(app.server).get(path).set(headers);

/** The commands sent while `work` runs. */
const during = async (work: () => Promise<unknown>) => {
  sent.splice(0);
  await work();
  return sent.splice(0);
};

describe("the kit over Redis", () => {
  it("asks one command for a guarded request with a session, and writes nothing", async () => {
    const cookie = await signIn("user-1");

    const commands = await during(async () => {
      expect((await get("/me", { cookie })).body).toEqual({ id: "user-1", kind: "session" });
    });

    expect(commands).toEqual(["hget"]);
  });

  it("asks one command for a guarded request with an API key", async () => {
    const { key } = await app.auth.apiKeys.create({ userId: "user-1", name: "ci" });
    sent.splice(0);
    await get("/me", { authorization: `Bearer ${key}` });
    await until("its first use to be noted", () => Promise.resolve(sent.includes("evalsha")));
    const commands = await during(async () => {
      expect((await get("/me", { authorization: `Bearer ${key}` })).body).toEqual({ id: "user-1", kind: "api_key" });
    });

    expect(commands).toEqual(["hget"]);
  });

  it("asks nothing for a forged cookie, a mistyped key, garbage, or no credential at all", async () => {
    const cookie = await signIn("user-1");
    const { key } = await app.auth.apiKeys.create({ userId: "user-1", name: "ci" });
    const mistyped = `${key.slice(0, -3)}${key.at(-3) === "x" ? "y" : "x"}${key.slice(-2)}`;
    const flipped = `${cookie.slice(0, 40)}${cookie[40] === "A" ? "B" : "A"}${cookie.slice(41)}`;

    const commands = await during(async () => {
      for (const headers of [
        { cookie: flipped },
        { cookie: `sid=${"A".repeat(107)}` },
        { cookie: "sid=" },
        { authorization: `Bearer ${mistyped}` },
        { authorization: `Bearer ${cookie.slice(4, -1)}` },
        { authorization: "Bearer sk-" },
        {},
      ] as Record<string, string>[]) {
        expect((await get("/me", headers)).status).toBe(401);
        expect((await get("/public", headers)).status).toBe(200);
      }
    });

    expect(commands).toEqual([]);
  });

  it("makes a session in two waits: what it was made under is read, then it is stored while that is read again", async () => {
    const commands = await during(() => signIn("user-2"));

    expect(commands).toEqual(["get", "get", "evalsha", "get", "get"]);
  });

  it("ends all sessions of a user with the same commands for one and for 100 of them", async () => {
    const commands: string[][] = [];
    for (const [userId, count] of [["user-3", 1] as const, ["user-4", 100] as const]) {
      const cookies: string[] = [];
      for (let made = 0; made < count; made += 1) cookies.push(await signIn(userId));

      expect(await client.hlen(`${prefix}{${ownerTag(userId)}}s`)).toBe(count);
      commands.push(await during(() => app.auth.sessions.revokeAll(userId)));

      expect(await client.exists(`${prefix}{${ownerTag(userId)}}s`)).toBe(0);
      for (const cookie of cookies.slice(0, 3)) expect((await get("/me", { cookie })).status).toBe(401);
    }

    expect(commands[1]).toEqual(commands[0]);
    expect(commands[0]?.filter((name) => name.startsWith("eval"))).toHaveLength(2); // the epoch, then the sessions
  });

  it("keeps no secret that would open anything: only hashes and names", async () => {
    const { session, token } = await app.auth.sessions.create({ userId: "user-5", methods: ["test"] });
    const { key } = await app.auth.apiKeys.create({ userId: "user-5", name: "ci" });
    await request(app.server).post("/auth/magic/send").send({ email: "somebody@example.com" }).expect(200);
    const code = await app.mailbox.waitForCode("somebody@example.com");
    const secret = Buffer.from(token, "base64url").subarray(32, 64);
    const hidden = [token, secret.toString("base64url"), secret.toString("latin1"), key, key.slice(-49), code];

    const dump = await everything();

    expect(dump).toContain(session.userId);
    expect(dump).toContain(sha256(secret).toString("latin1"));
    for (const text of hidden) expect(dump).not.toContain(text);
  });
});

/** All keys and all bytes under the prefix, as latin1. */
async function everything(): Promise<string> {
  const parts: Buffer[] = [];
  for (const key of await client.keys(`${prefix}*`)) {
    parts.push(Buffer.from(key));
    const type = await client.type(key);
    if (type === "hash") for (const [id, value] of Object.entries(await client.hgetallBuffer(key))) parts.push(Buffer.from(id), value);
    else if (type === "zset") parts.push(...((await client.zrangeBuffer(key, 0, "-1")) as Buffer[]));
    else parts.push((await client.getBuffer(key)) ?? Buffer.alloc(0));
  }
  return Buffer.concat(parts).toString("latin1");
}
