import { ConfigError, StorageError } from "../../errors.ts";
import type { PooledConnection } from "../sql/pooled-executor.ts";
import { runInTurn, type Answer, type SqlValue, type Statement } from "../sql/program.ts";
import { sha256 } from "../../crypto/hash.ts";

/** What is used of a pool of mysql2. */
export interface MysqlPool {
  getConnection(done: (error: Error | null, connection: MysqlConnection) => void): void;
}

/** A pool of mysql2/promise, which has the other inside. */
export interface MysqlPromisePool {
  readonly pool: MysqlPool;
}

export interface MysqlConnection {
  query(options: MysqlQuery, done: (error: Error | null, result: unknown) => void): unknown;
  release(): void;
  destroy(): void;
}

/** Whatever the pool's own options are, rows are objects of plain values. */
interface MysqlQuery {
  sql: string;
  values: unknown[];
  rowsAsArray: false;
  nestTables: false;
  typeCast: true;
}

/** @throws {ConfigError} unless it is a pool of either kind. */
export function resolvePool(pool: MysqlPool | MysqlPromisePool): MysqlPool {
  const inner = typeof pool === "object" && pool !== null && "pool" in pool ? pool.pool : pool;
  if (typeof inner !== "object" || inner === null || typeof inner.getConnection !== "function")
    throw new ConfigError("mysqlStore.pool", "give a pool of mysql2: createPool(...)");
  return inner;
}

/** A connection of the pool. A transaction reads what was committed before each of its statements, and locks no gaps. */
export async function connect(pool: MysqlPool, prefix: string): Promise<PooledConnection> {
  const connection = await new Promise<MysqlConnection>((resolve, reject) => {
    pool.getConnection((error, connected) => (error ? reject(error) : resolve(connected)));
  });

  const query = (sql: string, values: readonly SqlValue[] = []): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const options: MysqlQuery = { sql, values: [...values], rowsAsArray: false, nestTables: false, typeCast: true };
      connection.query(options, (error, result) => (error ? reject(error) : resolve(answerOf(result))));
    });
  const send = ({ sql, values }: Statement) => query(sql, values);

  return {
    query: send,
    async begin() {
      await query("set transaction isolation level read committed");
      await query("start transaction");
    },
    commit: () => query("commit"),
    rollback: () => query("rollback"),
    async migrate(program, ms) {
      // Locks have no database, and names of at most 64 characters.
      const { rows } = await query("select database() as name");
      const lock = `latchkey ${sha256(JSON.stringify([rows[0]?.["name"], prefix])).toString("base64url")}`;
      const got = await query("select get_lock(?, ?) as got", [lock, Math.floor(ms / 1000)]);
      if (Number(got.rows[0]?.["got"]) !== 1) throw new StorageError("Another process migrates for too long");
      try {
        await runInTurn(program(), send);
      } finally {
        await query("select release_lock(?)", [lock]);
      }
    },
    release: (how) => (how === "good" ? connection.release() : connection.destroy()),
  };
}

function answerOf(result: unknown): Answer {
  if (Array.isArray(result)) return { rows: result as Answer["rows"], affected: result.length, insertId: 0 };
  const { affectedRows, insertId } = result as { affectedRows: number; insertId: number };
  return { rows: [], affected: affectedRows, insertId };
}
