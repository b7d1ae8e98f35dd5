import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OpenTestStore } from "../test-store.ts";
import type { Backend, ServerAddresses, ServerKind } from "./backends.ts";
import { reusingTables } from "./namespaces.ts";

/** A call of these tests is never slow because of the kit: wait out a busy machine. */
const TIMEOUT = 15_000;

const ENCRYPTION = { keys: "a key for tests, of 32 bytes or more", indexKey: "an index key for tests, of 32 bytes" };

let opened = 0;
const nextName = () => `t${process.pid}_${(opened += 1)}`;

/** What a process keeps open from one file to the next: a client, a pool, the tables that are made already. */
const kept = new Map<string, Promise<OpenTestStore>>();

/** The way stores of a backend are opened; `undefined` for memory. Drivers are loaded and connected at the first call of a process. */
export async function openerOf(backend: Backend, servers: ServerAddresses): Promise<OpenTestStore | undefined> {
  const of = (kind: ServerKind): Promise<OpenTestStore> => {
    const address = servers[kind];
    if (address === undefined) throw new Error(`no ${kind} was started for these tests`);
    const opener = kept.get(kind) ?? openers[kind](address);
    kept.set(kind, opener);
    return opener;
  };

  if (backend === "memory") return undefined;
  if (backend === "encrypted") {
    const { encrypted } = await import("../../../lib/adapters/encrypted/index.ts");
    const redis = await of("redis");
    return (given) => encrypted(redis(given), ENCRYPTION);
  }
  if (backend === "cached") {
    const { cached } = await import("../../../lib/adapters/cached/index.ts");
    const redis = await of("redis");
    return ({ clock }) => cached(redis({ clock }), { clock });
  }
  if (backend === "routed") {
    const { routed } = await import("../../../lib/adapters/routed/index.ts");
    const [postgres, redis] = await Promise.all([of("postgres"), of("redis")]);
    return (given) => routed({ directory: postgres(given), ephemeral: redis(given) });
  }
  return of(backend);
}

const openers: Record<ServerKind, (address: string) => Promise<OpenTestStore>> = {
  async redis(url) {
    const [{ Redis }, { clientOptions, redisStore }] = await Promise.all([
      import("ioredis"),
      import("../../../lib/adapters/redis/index.ts"),
    ]);
    const client = new Redis(url, clientOptions);
    return ({ clock }) => redisStore({ client, clock, prefix: `${nextName()}:`, timeout: TIMEOUT });
  },

  async postgres(connectionString) {
    const [{ default: pg }, { poolOptions, postgresStore }] = await Promise.all([
      import("pg"),
      import("../../../lib/adapters/postgres/index.ts"),
    ]);
    const pool = new pg.Pool({ connectionString, ...poolOptions, connectionTimeoutMillis: TIMEOUT });
    return reusingTables({
      newPrefix: nextName,
      open: (prefix, clock) => postgresStore({ pool, clock, prefix, timeout: TIMEOUT }),
      async tablesOf(prefix) {
        const sql = "select tablename from pg_tables where schemaname = current_schema() and starts_with(tablename, $1)";
        const { rows } = await pool.query<{ tablename: string }>(sql, [`${prefix}_`]);
        return rows.map(({ tablename }) => tablename);
      },
      empty: (tables) => pool.query(tables.map((table) => `delete from ${table}`).join("; ")),
    });
  },

  async mariadb(uri) {
    const [{ createPool }, { mysqlStore }] = await Promise.all([import("mysql2"), import("../../../lib/adapters/mysql/index.ts")]);
    const pool = createPool({ uri, connectTimeout: TIMEOUT, multipleStatements: true });
    const query = async (sql: string) => (await pool.promise().query(sql))[0];
    return reusingTables({
      newPrefix: nextName,
      open: (prefix, clock) => mysqlStore({ pool, clock, prefix, timeout: TIMEOUT }),
      async tablesOf(prefix) {
        const rows = await query(`show tables like '${prefix.replaceAll("_", "\\_")}\\_%'`);
        return Array.isArray(rows) ? rows.flatMap((row) => Object.values(row)).map(String) : [];
      },
      empty: (tables) => query(tables.map((table) => `delete from ${table}`).join("; ")),
    });
  },

  async sqlite(empty) {
    const { sqliteStore } = await import("../../../lib/adapters/sqlite/index.ts");
    return ({ clock }) => {
      const path = join(dirname(empty), `${nextName()}.db`);
      copyFileSync(empty, path);
      return sqliteStore({ path, clock, timeout: TIMEOUT });
    };
  },
};
