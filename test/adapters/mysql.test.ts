import mysql from "mysql2";
import { afterAll, beforeAll, describe, it } from "vitest";
import { mysqlStore } from "../../lib/adapters/mysql/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { openMariadb, type MariadbServer } from "../support/mariadb.ts";

const prefix = `conformance_${process.pid}`;
let server: Pick<MariadbServer, "url" | "stop">;
let pool: mysql.Pool;

beforeAll(async () => {
  server = await openMariadb();
  pool = mysql.createPool({ uri: server.url, connectTimeout: 2000 });
});

afterAll(async () => {
  await pool.promise().end();
  await server.stop();
});

recordStoreConformance(
  "mysql",
  async ({ clock, collections }) => {
    const store = mysqlStore({ pool, prefix, clock, collections });
    await store.migrate();
    for (const name of [...collections.map((each) => each.name), "counters"]) await pool.promise().query(`delete from ${prefix}_${name}`);
    return store;
  },
  { describe, it },
);
