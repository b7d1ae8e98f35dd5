import { assertOptions, resolveClock } from "../../check-options.ts";
import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import type { Collection, RecordStore } from "../../storage/record-store.ts";
import { kitCollections } from "../sql/collections.ts";
import { createPooledExecutor } from "../sql/pooled-executor.ts";
import { createSqlStore } from "../sql/sql-store.ts";
import { createTables } from "../sql/tables.ts";
import { createPostgresAnnouncements } from "./announcements.ts";
import { postgresDialect } from "./dialect.ts";
import { assertPool, connect, type PostgresPool } from "./pool.ts";

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions {
  /** The application's pool of pg 8; it stays the application's to end. {@link poolOptions} suit. */
  pool: PostgresPool;
  /** What the names of all tables begin with, and that of the channel of changes. Default: `latchkey`. */
  prefix?: string | undefined;
  /** Collections of the application's own, to have tables too. Default: none. */
  collections?: readonly Collection[] | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
  /** Deadline of a call, ms, waiting for a connection included. Default: 2000: PostgreSQL looks for deadlocks after 1000. */
  timeout?: number | undefined;
}

/**
 * Keeps records in PostgreSQL 12 or newer, in tables of the first schema of the search path. Call `migrate()` before the first use.
 *
 * A read is one statement, and so is a write alone, unless it has a cap. Every call rejects with a {@link StorageError} within the
 * deadline, and ends a connection that did not answer by then;
 * it does so at once while the database is known to be away. Deadlocks are tried again.
 * `watch` takes one connection of the pool for good, and needs one that is not behind a pooler of transactions.
 *
 * @throws {ConfigError} now rather than per request, when an option is unknown or misshapen.
 * @example
 * const store = postgresStore({ pool: new Pool({ connectionString, ...poolOptions }) });
 * await store.migrate();
 */
export function postgresStore(options: PostgresStoreOptions): RecordStore {
  assertOptions("postgresStore", options, ["pool", "prefix", "collections", "clock", "timeout"]);
  const { pool, prefix = "latchkey", collections = [], timeout = 2000 } = options;
  const clock = resolveClock("postgresStore.clock", options.clock);
  assertPool(pool);
  if (typeof timeout !== "number" || !(timeout > 0))
    throw new ConfigError("postgresStore.timeout", "give a number of milliseconds above 0");
  const tables = createTables("postgresStore", prefix, [...kitCollections, ...collections]);

  const executor = createPooledExecutor({
    name: "PostgreSQL",
    connect: () => connect(pool, prefix, timeout),
    failures: postgresDialect.failures,
    timeout,
  });
  // Without a listener, pg ends the process when a connection is lost that nobody uses; it stays, as the pool outlives the store.
  if (pool.listenerCount("error") === 0) pool.on("error", ignore);
  return createSqlStore({
    dialect: postgresDialect,
    tables,
    executor,
    announcements: createPostgresAnnouncements({ pool, channel: `${prefix}_changes`, timeout }),
    clock,
    ordered: false,
  });
}

function ignore(): void {}
