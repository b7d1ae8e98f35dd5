import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { StorageError } from "../../lib/errors.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { startCuttingProxy, type CuttingProxy } from "../adapters/sql/cutting-proxy.ts";
import { startRedis, type RedisServer } from "../support/services.ts";
import { idsOf, insertNewcomer, parts } from "./support/newcomers.ts";

let redis: RedisServer;
let proxy: CuttingProxy;
let clients: Redis[];
let direct: RecordStore;
let cut: RecordStore;

beforeAll(async () => {
  redis = await startRedis();
  proxy = await startCuttingProxy(redis.port);
  clients = [redis.port, proxy.port].map((port) => new Redis({ ...clientOptions, port }));
  [direct, cut] = clients.map((client) => redisStore({ client })) as [RecordStore, RecordStore];
});
afterAll(async () => {
  await Promise.all([direct.close(), cut.close()]);
  for (const client of clients) client.disconnect();
  await proxy.close();
  await redis.stop();
});

describe("a connection to Redis that is cut", { timeout: 30_000 }, () => {
  it.each([
    { when: "before" as const, there: false },
    { when: "after" as const, there: true },
  ])("$when a commit reaches it leaves that whole or not there, and it may be repeated", async ({ when, there }) => {
    await insertNewcomer(direct, `known-${when}`); // Redis knows the script from now on
    const id = `cut-${when}`;
    const before = proxy.cuts;
    proxy.cutAt(new RegExp(id), when);

    await expect(insertNewcomer(cut, id)).rejects.toBeInstanceOf(StorageError);

    expect(proxy.cuts).toBe(before + 1);
    for (const part of parts) expect((await idsOf(direct, part)).includes(id), part.name).toBe(there);
    await expect.poll(() => insertNewcomer(cut, id).catch(() => false), { timeout: 5000 }).toBe(true);
    for (const part of parts) expect((await idsOf(direct, part)).filter((each) => each === id)).toEqual([id]);
  });
});
