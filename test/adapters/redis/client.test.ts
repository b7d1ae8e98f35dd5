import { Cluster, Redis, type ClusterOptions, type RedisOptions } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { redisStore, type RedisClient, type RedisStoreOptions } from "../../../lib/adapters/redis/index.ts";

const clients: RedisClient[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

const redis = (options: Omit<RedisOptions, "replyMapping"> = {}) => {
  const client = new Redis({ ...options, lazyConnect: true });
  clients.push(client);
  return client;
};

const cluster = (options: Pick<ClusterOptions, "scaleReads" | "keyPrefix"> = {}) => {
  const client = new Cluster([{ host: "127.0.0.1", port: 1 }], { ...options, lazyConnect: true });
  clients.push(client);
  return client;
};

const refusal = (options: object) => {
  try {
    redisStore(options as RedisStoreOptions);
  } catch (error) {
    return error;
  }
  return null;
};

describe("redisStore", () => {
  it("takes a client of one server, of sentinels and of a Cluster, and connects none of them", async () => {
    for (const client of [redis(), redis({ sentinels: [{ host: "127.0.0.1", port: 1 }], name: "main" }), cluster()]) {
      const store = redisStore({ client });
      expect(store).toMatchObject({ name: "redis", persistent: true, ordered: !client.isCluster });
      expect(client.status).toBe("wait");
      await store.close();
    }
  });

  it("refuses a client whose reads could come from a replica, or whose keys would not be ours", () => {
    const cases: [RedisClient, string][] = [
      [redis({ role: "slave", sentinels: [{ host: "127.0.0.1", port: 1 }], name: "main" }), "role"],
      [redis({ readOnly: true }), "readOnly"],
      [redis({ keyPrefix: "app:" }), "keyPrefix"],
      [cluster({ scaleReads: "slave" }), "scaleReads"],
      [cluster({ scaleReads: "all" }), "scaleReads"],
      [cluster({ scaleReads: (nodes: Redis[]) => nodes[0] ?? redis() }), "scaleReads"],
      [cluster({ keyPrefix: "app:" }), "keyPrefix"],
    ];
    for (const [client, option] of cases) {
      expect(refusal({ client }), option).toMatchObject({ code: "config_error", option: `redisStore.client.${option}` });
    }
  });

  it("refuses what is no ioredis client, a misspelt option, a prefix with braces, and a timeout that is none", () => {
    for (const client of [undefined, null, {}, "redis://localhost", { get() {}, set() {} }]) {
      expect(refusal({ client })).toMatchObject({ code: "config_error", option: "redisStore.client" });
    }
    expect(refusal({ client: redis(), prefx: "a" })).toMatchObject({ code: "config_error", message: expect.stringContaining("prefix") });
    for (const prefix of ["{a}", "a{", "}"]) {
      expect(refusal({ client: redis(), prefix })).toMatchObject({ code: "config_error", option: "redisStore.prefix" });
    }
    for (const timeout of [0, -1, Number.NaN]) {
      expect(refusal({ client: redis(), timeout })).toMatchObject({ code: "config_error", option: "redisStore.timeout" });
    }
  });

  it("leaves a refused client without listeners", () => {
    const client = redis({ keyPrefix: "app:" });
    const before = client.eventNames();

    refusal({ client });
    refusal({ client: redis(), prefix: "{}" });

    expect(client.eventNames()).toEqual(before);
  });
});
