import pg from "pg";
import { afterAll, beforeAll, describe, it } from "vitest";
import { poolOptions, postgresStore } from "../../lib/adapters/postgres/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";
import { openPostgres, type PostgresServer } from "../support/postgres.ts";

const prefix = `conformance_${process.pid}`;
let server: Pick<PostgresServer, "url" | "stop">;
let pool: pg.Pool;

beforeAll(async () => {
  server = await openPostgres();
  pool = new pg.Pool({ connectionString: server.url, ...poolOptions });
});

afterAll(async () => {
  await pool.end();
  await server.stop();
});

recordStoreConformance(
  "postgres",
  async ({ clock, collections }) => {
    const store = postgresStore({ pool, prefix, clock, collections });
    await store.migrate();
    const tables = [...collections.map(({ name }) => name), "counters"].map((name) => `${prefix}_${name}`);
    await pool.query(`truncate ${tables.join(", ")}`);
    return store;
  },
  { describe, it },
);
