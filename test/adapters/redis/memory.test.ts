import { randomBytes, randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import { ownerTag } from "../../../lib/crypto/hash.ts";
import { createAuth, type Auth } from "../../../lib/index.ts";
import { TEST_SECRET } from "../../support/kit.ts";
import { startRedis, type RedisServer } from "../../support/services.ts";

let server: RedisServer;
let client: Redis;
let auth: Auth;

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, clientOptions);
  auth = createAuth({ secret: TEST_SECRET, baseUrl: "http://localhost", store: redisStore({ client }) });
});

afterAll(async () => {
  await auth.close();
  client.disconnect();
  await server.stop();
});

const USERS = 50;
const SESSIONS = 2;

const bytesOf = async (key: string) => Number(await client.memory("USAGE", key, "SAMPLES", 0));

/** Bytes a session of ours, with what `use` does to it. */
const ours = async (use: (userId: string) => Promise<unknown> = () => Promise.resolve()) => {
  let total = 0;
  for (let user = 0; user < USERS; user += 1) {
    const userId = randomUUID();
    for (let made = 0; made < SESSIONS; made += 1) await auth.sessions.create({ userId });
    await use(userId);
    total += await bytesOf(`lk:{${ownerTag(userId)}}s`);
  }
  return total / (USERS * SESSIONS);
};

/** Bytes a session as express-session, passport and connect-redis store it. */
const theirs = async (cookie: object, ttl: number) => {
  let total = 0;
  for (let made = 0; made < USERS * SESSIONS; made += 1) {
    const key = `sess:${randomBytes(24).toString("base64url")}`;
    await client.set(key, JSON.stringify({ cookie, passport: { user: randomUUID() } }), "EX", ttl);
    total += await bytesOf(key);
  }
  return total / (USERS * SESSIONS);
};

describe("a session in Redis, of a user with two", () => {
  it("takes no more bytes than connect-redis does for the same user, whose cookie ends with the browser", async () => {
    const [mine, peer] = [await ours(), await theirs({ originalMaxAge: null, expires: null, httpOnly: true, path: "/" }, 86_400)];

    expect(mine).toBeLessThanOrEqual(peer);
    expect(mine).toBeLessThanOrEqual(248);
  });

  it("takes fewer than connect-redis does for a cookie that lives as long as ours", async () => {
    const originalMaxAge = 30 * 86_400_000;
    const expires = new Date(Date.now() + originalMaxAge).toISOString();
    const cookie = { originalMaxAge, expires, secure: true, httpOnly: true, path: "/", sameSite: "lax" };

    expect(await ours()).toBeLessThan(await theirs(cookie, 30 * 86_400));
  });

  it("takes no more once it was used and its token replaced", async () => {
    const use = async (userId: string) => {
      for (const session of await auth.sessions.list(userId)) await auth.sessions.rotate(session);
    };

    expect(await ours(use)).toBeLessThanOrEqual(248);
  });
});
