import { MysqlAdapter, MysqlQueryCompiler, sql } from "kysely";
import { createBuilder, type Dialect } from "../sql/dialect.ts";
import { codeOf, messageOf } from "../sql/failures.ts";
import { MAX_KEY_BYTES } from "../sql/rows.ts";

/** MySQL 8 and MariaDB 10.5, or newer, with InnoDB. Codes of errors: MySQL's server error message reference. */
export const mysqlDialect: Dialect = {
  name: "mysql",
  build: createBuilder(
    () => new MysqlAdapter(),
    () => new MysqlQueryCompiler(),
  ),
  conflicts: "on duplicate key",
  oneWriter: false,
  keyType: sql`varbinary(${sql.lit(MAX_KEY_BYTES)})`,
  valueType: sql`longblob`,
  seqType: "bigint",
  seq: (column) => column.notNull().autoIncrement().unique(),
  keyed: (table, name, columns) => table.addPrimaryKeyConstraint(name, [...columns]),
  indexIfNotExists: false,
  serverTime: "select cast(unix_timestamp(now(3)) * 1000 as signed) as now",
  failures: {
    isTaken: (error) => codeOf(error) === "ER_DUP_ENTRY",
    // Of the last, MariaDB's code for a row that changed since the transaction began, mysql2 may not know the name.
    isLostRace: (error) => codeOf(error) === "ER_LOCK_DEADLOCK" || numberOf(error) === 1020,
    isMade: (error) => codeOf(error) === "ER_DUP_KEYNAME",
    isMissingTable: (error) => codeOf(error) === "ER_NO_SUCH_TABLE",
    isAnswer: (error) => stateOf(error) !== "" && !(error instanceof Error && "fatal" in error && error.fatal === true),
    withoutValues,
  },
};

/** What the server says of data, constraints and syntax quotes what was sent; all errors carry the whole statement. */
function withoutValues(error: unknown): unknown {
  const quotes = /^(?:2[23]|42|HY)/.test(stateOf(error));
  const code = codeOf(error);
  return Object.assign(new Error(quotes ? `MySQL refused a statement (${code})` : messageOf(error)), code === "" ? {} : { code });
}

function stateOf(error: unknown): string {
  const state = typeof error === "object" && error !== null && "sqlState" in error ? error.sqlState : null;
  return typeof state === "string" ? state : "";
}

function numberOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "errno" in error ? error.errno : null;
}
