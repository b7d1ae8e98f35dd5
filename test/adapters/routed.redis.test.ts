import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { redisUrl } from "../support/services.ts";

let client: Redis;
let opened = 0;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => client.disconnect());

recordStoreConformance(
  "routed(memory, redis)",
  async ({ clock }) =>
    routed({
      directory: memoryStore({ clock }),
      ephemeral: redisStore({ client, clock, prefix: `routed ${process.pid} ${(opened += 1)}:` }),
    }),
  { describe, it },
);
