import { Redis } from "ioredis";
import mysql from "mysql2/promise";
import pg from "pg";
import { mysqlStore } from "../lib/adapters/mysql/index.ts";
import { postgresStore } from "../lib/adapters/postgres/index.ts";
import { clientOptions, redisStore } from "../lib/adapters/redis/index.ts";
import { sqliteStore } from "../lib/adapters/sqlite/index.ts";
import type { RecordStore } from "../lib/storage/record-store.ts";

/** The stores of the benchmark, each over a client of its own. */
export const backendNames = ["redis", "postgres", "mariadb", "sqlite"] as const;
export type BackendName = (typeof backendNames)[number];

/** A store that is ready, and what closes it and its client. */
export interface OpenStore {
  readonly store: RecordStore;
  close(): Promise<void>;
}

/** @param url of the server; the path of SQLite's file. `prefix` keeps stores apart on one server. */
export async function openStore(name: BackendName, url: string, prefix = "latchkey"): Promise<OpenStore> {
  const { store, end } = open(name, url, prefix);
  await store.migrate();
  return {
    store,
    async close() {
      await store.close();
      await end();
    },
  };
}

function open(name: BackendName, url: string, prefix: string): { store: RecordStore; end: () => unknown } {
  switch (name) {
    case "redis": {
      const client = new Redis(url, clientOptions);
      return { store: redisStore({ client, timeout: 10_000 }), end: () => client.disconnect() };
    }
    case "postgres": {
      const pool = new pg.Pool({ connectionString: url, max: 4 });
      return { store: postgresStore({ pool, prefix, timeout: 10_000 }), end: () => pool.end() };
    }
    case "mariadb": {
      const pool = mysql.createPool({ uri: url, connectionLimit: 4 });
      return { store: mysqlStore({ pool, prefix, timeout: 10_000 }), end: () => pool.end() };
    }
    case "sqlite":
      return { store: sqliteStore({ path: url, prefix }), end: () => {} };
  }
}
