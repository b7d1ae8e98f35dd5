import { assertOptions, resolveClock } from "../../check-options.ts";
import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import type { Collection, RecordStore } from "../../storage/record-store.ts";
import { createLocalAnnouncements } from "../sql/announcements.ts";
import { kitCollections } from "../sql/collections.ts";
import { createSqlStore } from "../sql/sql-store.ts";
import { createTables } from "../sql/tables.ts";
import { sqliteDialect } from "./dialect.ts";
import { openDatabase, type SqliteDatabase } from "./driver.ts";
import { createSqliteExecutor } from "./executor.ts";

/** Options of {@link sqliteStore}: a `path`, or a `database`. */
export interface SqliteStoreOptions {
  /** A file; made when it is not there, for its owner alone. Opened by node:sqlite, better-sqlite3 or libsql, whichever is there first, and closed by `close`. */
  path?: string | undefined;
  /** A database that the application opened with one of those, and closes itself. Its settings stay as they are, but for `busy_timeout`. */
  database?: SqliteDatabase | undefined;
  /** What the names of all tables begin with. Default: `latchkey`. */
  prefix?: string | undefined;
  /** Collections of the application's own, to have tables too. Default: none. */
  collections?: readonly Collection[] | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
  /** How long a call waits while another process writes, ms. Default: 2000. */
  timeout?: number | undefined;
}

/**
 * Keeps records in one SQLite file, for an application on one machine: what was answered is on disk. Several processes may share the
 * file; their writes take turns. Call `migrate()` before the first use.
 *
 * Every call runs in one go and blocks the process as long as the disk takes; it rejects with a {@link StorageError} when the file is
 * kept busy past the deadline. `watch` is told of changes made through this store, not of those by other processes.
 *
 * @throws {ConfigError} now rather than per request, when an option is unknown, no driver is there or the file cannot be opened.
 * @example
 * const store = sqliteStore({ path: "auth.db" });
 * await store.migrate();
 */
export function sqliteStore(options: SqliteStoreOptions): RecordStore {
  assertOptions("sqliteStore", options, ["path", "database", "prefix", "collections", "clock", "timeout"]);
  const { path, database: given, prefix = "latchkey", collections = [], timeout = 2000 } = options;
  const clock = resolveClock("sqliteStore.clock", options.clock);
  const tables = createTables("sqliteStore", prefix, [...kitCollections, ...collections]);
  if (typeof timeout !== "number" || !(timeout > 0)) throw new ConfigError("sqliteStore.timeout", "give a number of milliseconds above 0");
  if ((path === undefined) === (given === undefined)) throw new ConfigError("sqliteStore", "give either a `path` or a `database`");
  if (path !== undefined && (typeof path !== "string" || path === "")) throw new ConfigError("sqliteStore.path", "give the path of a file");
  if (given !== undefined && (typeof given?.prepare !== "function" || typeof given.exec !== "function"))
    throw new ConfigError("sqliteStore.database", "give a database opened by node:sqlite, better-sqlite3 or libsql");

  const database = given ?? openDatabase(path ?? "");
  const executor = createSqliteExecutor({
    database,
    settings: given ? [] : ["journal_mode = wal", "synchronous = full"],
    timeout,
    close: () => void (given ?? database.close()),
  });
  return createSqlStore({
    dialect: sqliteDialect,
    tables,
    executor,
    announcements: createLocalAnnouncements(),
    clock,
    ordered: true,
  });
}
