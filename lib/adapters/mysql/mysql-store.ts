import { assertOptions, resolveClock } from "../../check-options.ts";
import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import type { Collection, RecordStore } from "../../storage/record-store.ts";
import { createLocalAnnouncements } from "../sql/announcements.ts";
import { kitCollections } from "../sql/collections.ts";
import { createPooledExecutor } from "../sql/pooled-executor.ts";
import { createSqlStore } from "../sql/sql-store.ts";
import { createTables } from "../sql/tables.ts";
import { mysqlDialect } from "./dialect.ts";
import { connect, resolvePool, type MysqlPool, type MysqlPromisePool } from "./pool.ts";

/** Options of {@link mysqlStore}. */
export interface MysqlStoreOptions {
  /** The application's pool, of mysql2 or mysql2/promise; it stays the application's to end. */
  pool: MysqlPool | MysqlPromisePool;
  /** What the names of all tables begin with. Default: `latchkey`. */
  prefix?: string | undefined;
  /** Collections of the application's own, to have tables too. Default: none. */
  collections?: readonly Collection[] | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
  /** Deadline of a call, ms, waiting for a connection included. Default: 2000. */
  timeout?: number | undefined;
}

/**
 * Keeps records in MySQL 8 or MariaDB 10.5, or newer, in tables of the pool's database. Call `migrate()` before the first use.
 *
 * A read is one statement, and so is a write alone, unless it has a cap; taking a record and counting are two. Every call rejects with
 * a {@link StorageError} within the deadline, and ends a connection that did not answer by then;
 * it does so at once while the database is known to be away. Deadlocks are tried again.
 * `watch` is told of changes made through this store, not of those by other processes.
 *
 * @throws {ConfigError} now rather than per request, when an option is unknown or misshapen.
 * @example
 * const store = mysqlStore({ pool: createPool({ uri, connectTimeout: 2000 }) });
 * await store.migrate();
 */
export function mysqlStore(options: MysqlStoreOptions): RecordStore {
  assertOptions("mysqlStore", options, ["pool", "prefix", "collections", "clock", "timeout"]);
  const { prefix = "latchkey", collections = [], timeout = 2000 } = options;
  const clock = resolveClock("mysqlStore.clock", options.clock);
  const pool = resolvePool(options.pool);
  if (typeof timeout !== "number" || !(timeout > 0)) throw new ConfigError("mysqlStore.timeout", "give a number of milliseconds above 0");
  const tables = createTables("mysqlStore", prefix, [...kitCollections, ...collections]);

  return createSqlStore({
    dialect: mysqlDialect,
    tables,
    executor: createPooledExecutor({
      name: "MySQL",
      connect: () => connect(pool, prefix),
      failures: mysqlDialect.failures,
      timeout,
    }),
    announcements: createLocalAnnouncements(),
    clock,
    ordered: false,
  });
}
