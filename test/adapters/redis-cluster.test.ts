import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { startRedisCluster, type RedisCluster } from "../support/services.ts";

let cluster: RedisCluster;
let client: Cluster;
let opened = 0;

beforeAll(async () => {
  cluster = await startRedisCluster();
  client = new Cluster([...cluster.nodes], { redisOptions: clientOptions });
});

afterAll(async () => {
  client.disconnect();
  await cluster.stop();
});

recordStoreConformance("rule 11: redis cluster", async ({ clock }) => redisStore({ client, clock, prefix: `${(opened += 1)}:` }), {
  describe,
  it,
});
