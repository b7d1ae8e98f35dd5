import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { startRedisCluster, type RedisCluster } from "../support/services.ts";

const KEYS = { keys: "a key for tests, of 32 bytes or more", indexKey: "an index key for tests, of 32 bytes" };

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

// Rule 11: the contract suite, races included, through the wrappers.
recordStoreConformance(
  "encrypted(cached(redis cluster))",
  async ({ clock }) => {
    const names = ["conformance_notes", "conformance_marks"];
    return encrypted(cached(redisStore({ client, clock, prefix: `${(opened += 1)}:` }), { clock, collections: names }), KEYS);
  },
  { describe, it },
);
