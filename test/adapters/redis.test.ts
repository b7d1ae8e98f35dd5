import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { redisUrl } from "../support/services.ts";

let client: Redis;
let opened = 0;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => client.disconnect());

recordStoreConformance(
  "rule 11: redis",
  async ({ clock }) => redisStore({ client, clock, prefix: `conformance ${process.pid} ${(opened += 1)}:` }),
  {
    describe,
    it,
  },
);
