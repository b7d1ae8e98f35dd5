import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll } from "vitest";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { unlinkAll } from "../races/arena.ts";
import { redisUrl } from "../support/services.ts";
import { authStorageContract } from "./auth-storage-contract.ts";

let client: Redis;
let opened = 0;
let stores: RecordStore[] = [];
const all = `auth-storage ${process.pid} `;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions).setMaxListeners(0); // a store a test, on one connection
});

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  stores = [];
});

afterAll(async () => {
  await unlinkAll(client, all);
  client.disconnect();
});

authStorageContract("Redis", async (clock) => {
  const prefix = `${all}${(opened += 1)}:`;
  /** Every key with what it holds, by DUMP: values, fields, members. */
  const dump = async () => {
    const keys: string[] = [];
    for await (const page of client.scanStream({ match: `${prefix}*`, count: 1000 }) as AsyncIterable<string[]>) keys.push(...page);
    const texts = keys.map(async (key) => {
      const type = await client.type(key);
      if (type === "hash") return JSON.stringify(await client.hgetall(key));
      if (type === "zset") return JSON.stringify(await client.zrange(key, "0", "-1"));
      return (await client.getBuffer(key))?.toString("latin1") ?? "";
    });
    return [...keys, ...(await Promise.all(texts))].join("\n");
  };
  const store = redisStore({ client, clock, prefix });
  stores.push(store);
  return { store, dump };
});
