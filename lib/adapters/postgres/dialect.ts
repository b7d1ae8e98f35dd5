import { PostgresAdapter, PostgresQueryCompiler, sql } from "kysely";
import { createBuilder, type Dialect } from "../sql/dialect.ts";
import { codeOf, messageOf } from "../sql/failures.ts";

/** PostgreSQL 12 or newer. Codes of errors: its manual, appendix A. */
export const postgresDialect: Dialect = {
  name: "postgres",
  build: createBuilder(
    () => new PostgresAdapter(),
    () => new PostgresQueryCompiler(),
  ),
  conflicts: "on conflict",
  oneWriter: false,
  keyType: sql`bytea`,
  valueType: sql`bytea`,
  seqType: "bigint",
  seq: (column) => column.notNull().generatedAlwaysAsIdentity().unique(),
  keyed: (table, name, columns) => table.addPrimaryKeyConstraint(name, [...columns]),
  indexIfNotExists: true,
  serverTime: "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now",
  failures: {
    isTaken: (error) => codeOf(error) === "23505",
    isLostRace: (error) => codeOf(error) === "40P01" || codeOf(error) === "40001",
    isMade: () => false,
    isMissingTable: (error) => codeOf(error) === "42P01",
    isAnswer: (error) => typeof error === "object" && error !== null && "severity" in error && error.severity === "ERROR",
    withoutValues,
  },
};

/** Classes 22 and 23, of data and of constraints, quote what is stored; all errors carry details that may. */
function withoutValues(error: unknown): unknown {
  const code = codeOf(error);
  const text = /^2[23]...$/.test(code) ? `PostgreSQL refused a value (${code})` : messageOf(error);
  return Object.assign(new Error(text), code === "" ? {} : { code });
}
