import { Redis } from "ioredis";
import { afterAll, beforeAll } from "vitest";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { oauthFlows } from "../support/oauth-flows.ts";
import { redisUrl } from "../support/services.ts";

let client: Redis;
let opened = 0;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});
afterAll(() => client.disconnect());

oauthFlows("Redis", (clock) => redisStore({ client, clock, prefix: `oauth flow ${process.pid} ${(opened += 1)}:` }));
