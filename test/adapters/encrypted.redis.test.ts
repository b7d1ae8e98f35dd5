import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkKeys, encrypted, reencrypt } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { createTestClock, recordStoreConformance } from "../../lib/testing/index.ts";
import { startApp } from "../support/app.ts";
import { redisUrl } from "../support/services.ts";

const [KEY, NEXT_KEY] = ["a key for tests, of 32 bytes or more", "the key after it, of 32 bytes or more"];
const KEYS = { keys: KEY, indexKey: "an index key for tests, of 32 bytes" };

let client: Redis;
let opened = 0;
const newPrefix = () => `encrypted ${process.pid} ${(opened += 1)}:`;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => client.disconnect());

// Rule 11: the contract suite, races included, through the wrapper.
recordStoreConformance("encrypted(redis)", async ({ clock }) => encrypted(redisStore({ client, clock, prefix: newPrefix() }), KEYS), {
  describe,
  it,
});

recordStoreConformance(
  "encrypted(routed(memory, redis))",
  async ({ clock }) =>
    encrypted(routed({ directory: memoryStore({ clock }), ephemeral: redisStore({ client, clock, prefix: newPrefix() }) }), KEYS),
  { describe, it },
);

/** All that Redis keeps under a prefix, names included, as text of one character a byte. */
async function dump(prefix: string): Promise<string> {
  const texts: (string | Buffer)[] = [];
  for (const key of await client.keys(`${prefix}*`)) {
    texts.push(key);
    const type = await client.type(key);
    if (type === "string") texts.push((await client.getBuffer(key)) ?? "");
    else if (type === "hash") for (const [id, value] of Object.entries(await client.hgetallBuffer(key))) texts.push(id, value);
    else if (type === "zset") for (const member of await client.zrange(key, "0", "-1")) texts.push(member);
    else throw new Error(`a ${type} is not looked into`);
  }
  return texts.map((text) => Buffer.from(text).toString("latin1")).join("\n");
}

describe("an encrypted store over Redis", () => {
  it("leaves nothing of a person in Redis in the clear, and loses nobody when its keys are rotated", async () => {
    const [prefix, clock] = [newPrefix(), createTestClock()];
    const redis = redisStore({ client, prefix, clock });
    const app = await startApp({ clock, store: encrypted(redis, KEYS) });
    const email = "canary.person@example.com";
    const user = await app.auth.users.create({ email, name: "Canary the Person" });
    const source = { ip: "203.0.113.77", userAgent: "CanaryBrowser/7" };
    const { token } = await app.auth.sessions.create({ userId: user.id, source });
    const { key } = await app.auth.apiKeys.create({ userId: user.id, name: "canary of a key" });
    await app.auth.magicCodes.request({ email, purpose: "sign_in", source });

    const text = await dump(prefix);
    expect(text.length).toBeGreaterThan(500);
    for (const canary of [email, "anary", "203.0.113.77", token, key]) expect(text).not.toContain(canary);

    const rotation = { ...KEYS, keys: [NEXT_KEY, KEY] };
    const report = await reencrypt(redis, rotation);
    expect(report).toMatchObject({ failed: 0, vanished: 0, finished: true });
    expect(report.rewritten).toBeGreaterThanOrEqual(5);
    expect((await checkKeys(redis, { keys: rotation.keys })).map(({ position }) => position)).toEqual([0]);
    const next = await startApp({ clock, store: encrypted(redisStore({ client, prefix, clock }), { ...KEYS, keys: NEXT_KEY }) });
    expect((await next.auth.sessions.resolve(token)).session?.userId).toBe(user.id);
    expect((await next.auth.apiKeys.authenticate(key)).userId).toBe(user.id);
    await expect(next.auth.users.create({ email })).rejects.toMatchObject({ code: "email_taken" });
    await next.close();
    await app.close();
  });
});
