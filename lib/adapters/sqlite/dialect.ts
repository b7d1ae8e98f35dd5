import { sql, SqliteAdapter, SqliteQueryCompiler } from "kysely";
import { createBuilder, type Dialect } from "../sql/dialect.ts";
import { codeOf, messageOf } from "../sql/failures.ts";

/** SQLite 3.35 or newer, by any driver: node:sqlite, better-sqlite3 and libsql name their errors differently. */
export const sqliteDialect: Dialect = {
  name: "sqlite",
  build: createBuilder(
    () => new SqliteAdapter(),
    () => new SqliteQueryCompiler(),
  ),
  conflicts: "on conflict",
  oneWriter: true,
  keyType: sql`blob`,
  valueType: sql`blob`,
  seqType: "integer",
  seq: (column) => column.primaryKey().autoIncrement(),
  keyed: (table, _name, columns) => table.addUniqueConstraint("key", [...columns]),
  indexIfNotExists: true,
  serverTime: null,
  failures: {
    isTaken: (error) => messageOf(error).includes("UNIQUE constraint failed"),
    isLostRace: isBusy,
    isMade: () => false,
    isMissingTable: (error) => messageOf(error).includes("no such table"),
    isAnswer: () => true,
    withoutValues: (error) => error, // SQLite's own messages name tables and columns
  },
};

/** Another process, or another connection of this one, writes. */
export function isBusy(error: unknown): boolean {
  return /database (?:table )?is locked/.test(messageOf(error)) || codeOf(error).startsWith("SQLITE_BUSY");
}
