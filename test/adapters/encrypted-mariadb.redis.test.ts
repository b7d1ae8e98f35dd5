import { Redis } from "ioredis";
import mysql from "mysql2";
import { afterAll, beforeAll, describe, it } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { mysqlStore } from "../../lib/adapters/mysql/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { openMariadb, type MariadbServer } from "../support/mariadb.ts";
import { redisUrl } from "../support/services.ts";

const KEYS = { keys: "a key for tests, of 32 bytes or more", indexKey: "an index key for tests, of 32 bytes" };
const prefix = `wrapped_${process.pid}`;

let server: Pick<MariadbServer, "url" | "stop">;
let pool: mysql.Pool;
let client: Redis;
let opened = 0;

beforeAll(async () => {
  server = await openMariadb();
  pool = mysql.createPool({ uri: server.url, connectTimeout: 2000 });
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(async () => {
  client.disconnect();
  await pool.promise().end();
  await server.stop();
});

// Rule 11: the contract suite, races included, through all wrappers over what production has.
recordStoreConformance(
  "encrypted(cached(routed(mysql, redis)))",
  async ({ clock, collections }) => {
    const directory = mysqlStore({ pool, prefix, clock, collections });
    const ephemeral = redisStore({ client, clock, prefix: `encrypted mariadb ${process.pid} ${(opened += 1)}:` });
    const names = ["conformance_notes", "conformance_marks"];
    const store = encrypted(cached(routed({ directory, ephemeral }), { clock, collections: names }), KEYS);
    await store.migrate();
    for (const name of [...collections.map((each) => each.name), "counters"]) await pool.promise().query(`delete from ${prefix}_${name}`);
    return store;
  },
  { describe, it },
);
