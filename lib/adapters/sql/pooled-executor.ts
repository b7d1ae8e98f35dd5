import { AuthError, StorageError } from "../../errors.ts";
import { createBreaker } from "./breaker.ts";
import { asStorageError, type Failures } from "./failures.ts";
import type { Executor } from "./executor.ts";
import { runInTurn, type Answer, type Program, type Statement } from "./program.ts";

/** A connection of the application's pool, while it is ours. */
export interface PooledConnection {
  query(statement: Statement): Promise<Answer>;
  begin(): Promise<unknown>;
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
  /** Runs a migration while no other process does, and waits for that at most `ms`. */
  migrate(program: () => Program<void>, ms: number): Promise<void>;
  /** Gives it back, or ends it: what it still does nobody waits for. */
  release(how: "good" | "broken"): void;
}

export interface PooledExecutorParts {
  /** Of the database, for messages: `PostgreSQL`. */
  readonly name: string;
  readonly connect: () => Promise<PooledConnection>;
  readonly failures: Failures;
  /** Of each call, ms. */
  readonly timeout: number;
}

/** How often a program is begun again, and the pause before, ms: 10, 20, 40, ... of which a random part. */
const MAX_RETRIES = 6;
const PAUSE = 10;
const MIGRATION_MS = 30_000;
/** Changes nothing, and needs no table. */
const NOTHING: Statement = { sql: "select 1", values: [], reads: true };

/**
 * Runs each program on a connection of a pool, all of it within one deadline: waiting for a connection, each statement, pauses.
 * A connection that is not done by then is ended, so that it holds no lock and answers nobody else. While the database is known to
 * be away, programs are refused at once.
 */
export function createPooledExecutor({ name, connect, failures, timeout }: PooledExecutorParts): Executor {
  let closed = false;

  const use = <T>(work: (connection: PooledConnection) => Promise<T>, ms: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const answersBefore = breaker.answers;
      let held: PooledConnection | null = null;
      let late = false;
      const release = (how: "good" | "broken") => {
        held?.release(how);
        held = null;
      };
      const timer = setTimeout(() => {
        late = true;
        release("broken");
        breaker.unanswered(answersBefore);
        reject(new StorageError(`${name} did not answer within ${ms} ms`));
      }, ms);

      const attempt = async (): Promise<T> => {
        const connection = await connect();
        if (late) {
          connection.release("good");
          throw new StorageError();
        }
        held = connection;
        try {
          const result = await work(connection);
          release("good");
          return result;
        } catch (error) {
          release(error instanceof AuthError || failures.isAnswer(error) ? "good" : "broken");
          throw error;
        }
      };

      const persist = async (): Promise<T> => {
        for (let retries = 0; ; retries += 1) {
          try {
            return await attempt();
          } catch (error) {
            if (late || retries === MAX_RETRIES || !failures.isLostRace(error)) throw error;
          }
          await new Promise((done) => setTimeout(done, PAUSE * 2 ** retries * Math.random()));
          if (late) throw new StorageError();
        }
      };

      persist()
        .finally(() => clearTimeout(timer))
        .then(
          (result) => {
            if (!late) breaker.answered();
            resolve(result);
          },
          (error: unknown) => {
            if (failures.isAnswer(error)) breaker.answered();
            else if (!late && !(error instanceof AuthError)) breaker.unanswered(answersBefore);
            reject(asStorageError(name, failures, error));
          },
        );
    });

  const breaker = createBreaker(() => use((connection) => connection.query(NOTHING), timeout));

  /** Like `use`, unless nobody is to be asked now. */
  const call = async <T>(work: (connection: PooledConnection) => Promise<T>, ms: number): Promise<T> => {
    if (closed) throw new StorageError(`The ${name} store is closed`);
    if (breaker.isOpen) throw new StorageError(`${name} does not answer`);
    return use(work, ms);
  };

  const inTransaction = async <T>(connection: PooledConnection, program: Program<T | null>): Promise<T | null> => {
    try {
      await connection.begin();
      const result = await runInTurn(program, (statement) => connection.query(statement));
      await (result === null ? connection.rollback() : connection.commit());
      return result;
    } catch (error) {
      if (error instanceof AuthError || failures.isAnswer(error)) await connection.rollback();
      throw error;
    }
  };

  return {
    run: (program) => call((connection) => runInTurn(program(), (statement) => connection.query(statement)), timeout),
    transact: (program) => call((connection) => inTransaction(connection, program()), timeout),
    migrate: (program) => call((connection) => connection.migrate(program, MIGRATION_MS), MIGRATION_MS),
    async close() {
      closed = true;
      breaker.close();
    },
  };
}
