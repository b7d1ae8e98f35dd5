import { AuthError, StorageError } from "../../errors.ts";

/** What an error of the driver means. */
export interface Failures {
  /** A unique key is taken. */
  isTaken(error: unknown): boolean;
  /** The database gave up this transaction for the sake of others: the same may work a moment later. */
  isLostRace(error: unknown): boolean;
  /** What was to be created is there. */
  isMade(error: unknown): boolean;
  /** The migration was never run. */
  isMissingTable(error: unknown): boolean;
  /** The database itself answered so: the connection is still good. */
  isAnswer(error: unknown): boolean;
  /** The error for a log: without statements, and without what is stored. */
  withoutValues(error: unknown): unknown;
}

/** What a caller is told: our own errors as they are, all others as an outage whose cause is fit for a log. */
export function asStorageError(database: string, failures: Failures, error: unknown): AuthError {
  if (error instanceof AuthError) return error;
  const cause = failures.withoutValues(error);
  if (failures.isMissingTable(error)) return new StorageError("The tables are missing: call the store's migrate()", { cause });
  return new StorageError(`${database} failed`, { cause });
}

/** An error's own code: of the database, of SQLite or of the network. */
export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}
