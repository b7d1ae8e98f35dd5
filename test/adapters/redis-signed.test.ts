import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { clientOptions, redisStore, type RedisClient } from "../../lib/adapters/redis/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { redisUrl, startRedisCluster, type RedisCluster } from "../support/services.ts";

const signed = { keys: "a key for tests, of 32 bytes or more" };

let servers: RedisCluster;
let client: Redis;
let cluster: Cluster;
let opened = 0;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
  servers = await startRedisCluster();
  cluster = new Cluster([...servers.nodes], { redisOptions: clientOptions });
});

afterAll(async () => {
  client.disconnect();
  cluster.disconnect();
  await servers.stop();
});

const open = (over: () => RedisClient) => async (given: { clock: Parameters<typeof redisStore>[0]["clock"] }) =>
  redisStore({ client: over(), clock: given.clock, signed, prefix: `signed ${process.pid} ${(opened += 1)}:` });

recordStoreConformance("rule 11: redis, signed", open(() => client), { describe, it }); // prettier-ignore
recordStoreConformance("rule 11: redis cluster, signed", open(() => cluster), { describe, it }); // prettier-ignore
