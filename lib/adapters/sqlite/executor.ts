import { StorageError } from "../../errors.ts";
import type { Executor } from "../sql/executor.ts";
import { asStorageError } from "../sql/failures.ts";
import { runAtOnce, type Answer, type Program, type Statement } from "../sql/program.ts";
import { isBusy, sqliteDialect } from "./dialect.ts";
import { valuesFor, type SqliteDatabase, type SqliteStatement } from "./driver.ts";

export interface SqliteExecutorParts {
  readonly database: SqliteDatabase;
  /** Run before anything else: settings of the connection. */
  readonly settings: readonly string[];
  /** ms. */
  readonly timeout: number;
  readonly close: () => void;
}

/** How long the driver itself waits for another process, ms: this one stands still meanwhile. */
const BLOCKING_MS = 20;
/** Between tries, ms, at most. */
const MAX_PAUSE = 50;
const MIGRATION_MS = 30_000;

/**
 * Runs each program in one go, one after another as they came: nothing of this process comes between the statements of one.
 * While another process writes, it tries again until the deadline, and this process goes on.
 */
export function createSqliteExecutor({ database, settings, timeout, close }: SqliteExecutorParts): Executor {
  const given = valuesFor(database);
  const prepared = new Map<string, SqliteStatement>();
  let waiting: Promise<unknown> | null = null;
  let isReady = false;
  let closed = false;

  const send = ({ sql, values, reads }: Statement): Answer => {
    let statement = prepared.get(sql);
    if (!statement) prepared.set(sql, (statement = database.prepare(sql)));
    if (!reads) return { rows: [], affected: Number(statement.run(...given(values)).changes), insertId: 0 };
    const rows = statement.all(...given(values)) as Answer["rows"];
    return { rows, affected: rows.length, insertId: 0 };
  };

  const begin = () => {
    if (!isReady) {
      database.exec(`pragma busy_timeout = ${BLOCKING_MS}`);
      for (const setting of settings) database.exec(`pragma ${setting}`);
    }
    isReady = true;
  };

  const inTransaction = <T>(program: Program<T | null>): T | null => {
    database.exec("begin immediate");
    let result: T | null = null;
    try {
      result = runAtOnce(program, send);
      if (result !== null) database.exec("commit");
      return result;
    } catch (error) {
      result = null;
      throw error;
    } finally {
      if (result === null) rollback();
    }
  };

  const rollback = () => {
    try {
      database.exec("rollback");
    } catch {
      // SQLite has done so itself: the disk is full, say
    }
  };

  /** Whatever it takes to run at once; while the database is busy, again and again. */
  const tryNow = <T>(work: () => T): { done: true; value: T } | { done: false } => {
    try {
      if (closed) throw new StorageError("The SQLite store is closed");
      begin();
      return { done: true, value: work() };
    } catch (error) {
      if (isBusy(error)) return { done: false };
      throw asStorageError("SQLite", sqliteDialect.failures, error);
    }
  };

  const keepTrying = async <T>(work: () => T, deadline: number): Promise<T> => {
    for (let pause = 1; ; pause = Math.min(pause * 2, MAX_PAUSE)) {
      const tried = tryNow(work);
      if (tried.done) return tried.value;
      if (performance.now() > deadline) throw new StorageError("SQLite is kept busy by another process");
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
    }
  };

  const inOrder = async <T>(work: () => T, ms: number): Promise<T> => {
    const deadline = performance.now() + ms;
    if (!waiting) {
      const tried = tryNow(work);
      if (tried.done) return tried.value;
    }
    const before = waiting;
    const own = (async () => {
      await before;
      return keepTrying(work, deadline);
    })();
    const settled: Promise<unknown> = own.then(ignore, ignore).then(() => {
      if (waiting === settled) waiting = null;
    });
    waiting = settled;
    return own;
  };

  return {
    run: (program) => inOrder(() => runAtOnce(program(), send), timeout),
    transact: (program) => inOrder(() => inTransaction(program()), timeout),
    async migrate(program) {
      await inOrder(() => {
        inTransaction(
          (function* () {
            yield* program();
            return true;
          })(),
        );
      }, MIGRATION_MS);
    },
    async close() {
      if (closed) return;
      closed = true;
      await waiting;
      prepared.clear();
      close();
    },
  };
}

function ignore(): void {}
