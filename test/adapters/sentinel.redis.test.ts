import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { startSentinel, type RedisSentinel } from "../support/services.ts";

let sentinel: RedisSentinel;
let client: Redis;
let opened = 0;
const newPrefix = () => `sentinel ${(opened += 1)}:`;

beforeAll(async () => {
  sentinel = await startSentinel();
  const sentinels = sentinel.sentinels.map(({ host, port }) => ({ host, port }));
  client = new Redis({ ...clientOptions, sentinels, name: sentinel.name });
});

afterAll(async () => {
  client.disconnect();
  await sentinel.stop();
});

recordStoreConformance("redis behind Sentinel", async ({ clock }) => redisStore({ client, clock, prefix: newPrefix() }), { describe, it });

recordStoreConformance(
  "cached(redis behind Sentinel)",
  async ({ clock }) => {
    const collections = ["conformance_notes", "conformance_marks"];
    return cached(redisStore({ client, clock, prefix: newPrefix() }), { clock, collections });
  },
  { describe, it },
);
