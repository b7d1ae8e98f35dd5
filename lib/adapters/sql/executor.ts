import type { Program } from "./program.ts";

/** Runs programs on a database. All of it rejects with a {@link StorageError} when the database fails or takes too long. */
export interface Executor {
  /** Each statement commits by itself. */
  run<T>(program: () => Program<T>): Promise<T>;
  /** In one transaction, rolled back for `null`. Begun again, at most a few times, when the database gave it up for the sake of others. */
  transact<T>(program: () => Program<T | null>): Promise<T | null>;
  /** While no other process does the same; for as long as changing tables takes. */
  migrate(program: () => Program<void>): Promise<void>;
  close(): Promise<void>;
}
