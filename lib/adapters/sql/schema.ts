import { sql } from "kysely";
import { collectionsByVersion } from "./collections.ts";
import type { Dialect } from "./dialect.ts";
import { createSchema, furtherThanOurs, versions } from "./migrations.ts";
import { ask, type Program } from "./program.ts";
import { readNumber } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { template } from "./template.ts";

/** What a migration would do now, one line each. Writes nothing. */
export function* pendingMigrations(dialect: Dialect, tables: Tables): Program<readonly string[]> {
  const isThere = function* (table: string): Program<boolean> {
    try {
      yield* ask(template(dialect.build.records.selectFrom(table).select("version").limit(1), true)());
      return true;
    } catch (error) {
      if (!dialect.failures.isMissingTable(error)) throw error;
      return false;
    }
  };
  const newest = dialect.build.versions.selectFrom(tables.versions).select((eb) => eb.fn.max("version").as("version"));

  let reached = 0;
  if (yield* isThere(tables.versions)) {
    const { rows } = yield* ask(template(newest, true)());
    reached = readNumber(rows[0]?.["version"] ?? 0);
  }
  const pending = versions.slice(reached).map((_, index) => {
    const version = reached + index + 1;
    const made = (collectionsByVersion[version - 1] ?? []).map((each) => tables.of(each));
    return `version ${version} of the tables${made.length > 0 ? `: ${made.join(", ")}` : ""}`;
  });
  for (const each of furtherThanOurs(tables)) {
    if (!(yield* isThere(tables.of(each)))) pending.push(`the table of the application's collection "${each.name}": ${tables.of(each)}`);
  }
  return pending;
}

/** All that a migration of an empty database does, as SQL without values: to be printed, read and run by hand. `now`: Unix ms. */
export function schemaSql(dialect: Dialect, tables: Tables, now: number): readonly string[] {
  const schema = createSchema(dialect, tables);
  const done = versions.map((_, index) => {
    const row = { version: sql.lit(index + 1), applied_at: sql.lit(now) };
    return template(dialect.build.versions.insertInto(tables.versions).values(row))();
  });
  const statements = [
    ...schema.versions(),
    ...versions.flatMap((steps) => steps(schema)),
    ...furtherThanOurs(tables).flatMap((each) => schema.collection(each)),
    ...done,
  ];
  return statements.map((statement) => {
    if (statement.values.length > 0) throw new TypeError("a statement of the schema has values to be sent beside it");
    return statement.sql;
  });
}
