import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { ConfigError } from "../../errors.ts";
import type { SqlValue } from "../sql/program.ts";

/** What node:sqlite, better-sqlite3 and libsql have in common. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  close(): unknown;
}

export interface SqliteStatement {
  all(...values: never[]): unknown[];
  run(...values: never[]): { changes: number | bigint };
}

/**
 * How a driver takes the values of a statement: node:sqlite one by one; the others also as one list, which libsql has to be given,
 * as it takes a lone Buffer for values by name.
 */
export function valuesFor(database: SqliteDatabase): (values: readonly SqlValue[]) => never[] {
  const oneByOne = database.constructor.name === "DatabaseSync";
  return (values) => (oneByOne ? values : [values]) as never[];
}

type Open = new (path: string) => SqliteDatabase;

/** In the order in which they are tried: what comes with Node, what most have, what needs no compiler. */
const drivers: readonly { readonly name: string; readonly open: (module: unknown) => Open }[] = [
  { name: "node:sqlite", open: (module) => (module as { DatabaseSync: Open }).DatabaseSync },
  { name: "better-sqlite3", open: (module) => module as Open },
  { name: "libsql", open: (module) => module as Open },
];

/**
 * Opens a file with the first driver that is there. A file that is made can be read by its owner alone, as can what SQLite puts beside it.
 * @throws {ConfigError} when none is, or the file cannot be opened.
 */
export function openDatabase(path: string, option = "sqliteStore.path"): SqliteDatabase {
  makePrivate(path, option);
  const require = createRequire(import.meta.url);
  for (const { name, open } of drivers) {
    let Database: Open;
    try {
      Database = open(require(name));
    } catch {
      continue; // not in this Node, not installed, or not built for it
    }
    try {
      return new Database(path);
    } catch (cause) {
      if (isUnusable(cause)) continue;
      throw new ConfigError(option, `${name} cannot open it`, cause);
    }
  }
  throw new ConfigError(option, "install better-sqlite3 or libsql, use Node 22.13 or newer, or pass an opened `database`");
}

function makePrivate(path: string, option: string): void {
  if (path.startsWith(":") || path.startsWith("file:")) return; // in memory, or a URI
  try {
    closeSync(openSync(path, "a", 0o600));
  } catch (cause) {
    throw new ConfigError(option, "it cannot be opened: is its folder there, and yours to write?", cause);
  }
}

/** better-sqlite3 loads what it was compiled to only when it opens a database. */
function isUnusable(error: unknown): boolean {
  return (
    error instanceof Error &&
    /bindings file|NODE_MODULE_VERSION|ERR_DLOPEN_FAILED/.test(`${error.message} ${"code" in error ? error.code : ""}`)
  );
}
