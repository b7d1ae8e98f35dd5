import { Redis } from "ioredis";
import { afterAll, beforeAll } from "vitest";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { redisUrl } from "../support/services.ts";
import { expressSessionStoreExpectations } from "./store-expectations.ts";

let client: Redis;
let opened = 0;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => client.disconnect());

expressSessionStoreExpectations("redis", async ({ clock }) =>
  redisStore({ client, clock, prefix: `express-session ${process.pid} ${(opened += 1)}:` }),
);
