import { ConfigError } from "../../errors.ts";
import type { PooledConnection } from "../sql/pooled-executor.ts";
import { runInTurn, type SqlValue, type Statement } from "../sql/program.ts";

/** What is used of a pool of pg 8. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  on(event: "error", listener: (error: Error) => void): unknown;
  listenerCount(event: "error"): number;
}

export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
  on(event: "error" | "end", listener: () => void): unknown;
  on(event: "notification", listener: (message: { channel: string; payload?: string | undefined }) => void): unknown;
  off(event: "error" | "end", listener: () => void): unknown;
  off(event: "notification", listener: (message: { channel: string; payload?: string | undefined }) => void): unknown;
  release(error?: Error | boolean): void;
}

/**
 * Options that suit a pool of {@link postgresStore}: it gives up a connection that cannot be made, and the server a statement that
 * nobody waits for any more.
 *
 * @example new Pool({ connectionString, ...poolOptions })
 */
export const poolOptions = {
  connectionTimeoutMillis: 2000,
  statement_timeout: 5000,
  keepAlive: true,
};

/** @throws {ConfigError} unless it is a pool. */
export function assertPool(pool: PostgresPool): void {
  if (typeof pool !== "object" || pool === null || typeof pool.connect !== "function" || !("idleCount" in pool))
    throw new ConfigError("postgresStore.pool", "give a pool of pg: new Pool(...)");
}

/**
 * A connection of the pool. A transaction reads what was committed before each of its statements, whatever the database's default is,
 * and the server gives up a statement of it past the deadline: nobody would be told of its end.
 */
export async function connect(pool: PostgresPool, prefix: string, timeout: number): Promise<PooledConnection> {
  const client = await pool.connect();
  client.on("error", ignore); // a connection lost between two statements: the next one says so
  const query = (text: string, values: readonly SqlValue[] = []) => client.query(text, [...values]);
  const begin = (ms: number) => query(`begin isolation level read committed; set local statement_timeout = ${Math.ceil(ms)}`);
  const send = async ({ sql, values }: Statement) => {
    const { rows, rowCount } = await query(sql, values);
    return { rows, affected: rowCount ?? 0, insertId: 0 };
  };
  return {
    query: send,
    begin: () => begin(timeout),
    commit: () => query("commit"),
    rollback: () => query("rollback"),
    async migrate(program, ms) {
      await begin(ms);
      try {
        await query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`latchkey migration ${prefix}`]);
        await runInTurn(program(), send);
      } catch (error) {
        await query("rollback");
        throw error;
      }
      await query("commit");
    },
    release(how) {
      if (how === "good") client.off("error", ignore);
      client.release(how === "broken");
    },
  };
}

function ignore(): void {}
