import type { Compilable, CreateTableBuilder } from "kysely";
import { ConfigError } from "../../errors.ts";
import type { Collection } from "../../storage/record-store.ts";
import { collectionsByVersion, kitCollections } from "./collections.ts";
import type { Dialect } from "./dialect.ts";
import { ask, type Program, type Statement } from "./program.ts";
import { readNumber } from "./rows.ts";
import { columnOf, lookupsOf, type Tables } from "./tables.ts";
import { param, template } from "./template.ts";

/**
 * How each version of the schema is made from the one before. A version that was released stays as it is, and one of these only adds
 * to those before: a program that knows fewer goes on beside it, while a newer one is rolled out and when that is rolled back.
 */
export const versions: readonly ((schema: Schema) => readonly Statement[])[] = [
  (schema) => [...schema.counters(), ...schema.heads(), ...tablesOf(schema, 1)],
  (schema) => tablesOf(schema, 2),
  (schema) => tablesOf(schema, 3),
];

/** From here on a version may change what is there. A program that knows none of these would do harm, and refuses. */
const FIRST_BREAKING = 1000;

/**
 * Brings the tables to the newest version, and makes those of further collections; what was interrupted is gone on with. Runs where no
 * other process does the same.
 * @throws {ConfigError} when a newer latchkey has changed the tables so that this one cannot use them: nothing was touched.
 */
export function* migration(dialect: Dialect, tables: Tables, now: number): Program<void> {
  const schema = createSchema(dialect, tables);
  const db = dialect.build.versions;
  const newest = template(
    db.selectFrom(tables.versions).select((eb) => eb.fn.max("version").as("version")),
    true,
  );
  const done = template(db.insertInto(tables.versions).values({ version: param<number>("version"), applied_at: param<number>("now") }));
  const make = function* (statements: readonly Statement[]): Program<void> {
    for (const statement of statements) {
      try {
        yield* ask(statement);
      } catch (error) {
        if (!dialect.failures.isMade(error)) throw error;
      }
    }
  };

  yield* make(schema.versions());
  const { rows } = yield* ask(newest());
  const reached = readNumber(rows[0]?.["version"] ?? 0);
  if (reached >= FIRST_BREAKING)
    throw new ConfigError("migrate", `the tables are of version ${reached}, made by a newer latchkey: update this one`);
  for (const [index, steps] of versions.entries()) {
    const version = index + 1;
    if (version <= reached) continue;
    yield* make(steps(schema));
    yield* ask(done({ version, now }));
  }
  yield* make(furtherThanOurs(tables).flatMap((each) => schema.collection(each)));
}

/** Collections of the application's own. */
export function furtherThanOurs(tables: Tables): readonly Collection[] {
  return tables.collections.filter((each) => !kitCollections.includes(each));
}

function tablesOf(schema: Schema, version: number): readonly Statement[] {
  return (collectionsByVersion[version - 1] ?? []).flatMap((each) => schema.collection(each));
}

/** The statements that make tables; each may be repeated. */
export interface Schema {
  collection(of: Collection): readonly Statement[];
  counters(): readonly Statement[];
  heads(): readonly Statement[];
  versions(): readonly Statement[];
}

export function createSchema(dialect: Dialect, tables: Tables): Schema {
  const { build, keyType, valueType, indexIfNotExists } = dialect;
  const table = (name: string) => build.records.schema.createTable(name).ifNotExists();
  const statement = (query: Compilable) => template(query)();
  const index = (on: string, columns: readonly string[], unique = false) => {
    const named = build.records.schema
      .createIndex(`${on}_${columns[0]}`)
      .on(on)
      .columns([...columns]);
    const kind = unique ? named.unique() : named;
    return statement(indexIfNotExists ? kind.ifNotExists() : kind);
  };

  return {
    collection(of) {
      const name = tables.of(of);
      const key = of.kind === "partitioned" ? ["partition", "id"] : ["id"];
      let made: CreateTableBuilder<string, string> = table(name).addColumn("seq", dialect.seqType, (column) => dialect.seq(column));
      for (const column of key) made = made.addColumn(column, keyType, (each) => each.notNull());
      made = made
        .addColumn("version", "integer", (column) => column.notNull())
        .addColumn("expires_at", "bigint")
        .addColumn("value", valueType, (column) => column.notNull());
      for (const lookup of lookupsOf(of)) made = made.addColumn(columnOf(lookup), keyType);
      return [
        statement(dialect.keyed(made, `${name}_key`, key)),
        index(name, ["expires_at"]),
        ...lookupsOf(of).map((lookup) => {
          const unique = lookupsOf(of, "unique").includes(lookup);
          return index(name, unique ? [columnOf(lookup)] : [columnOf(lookup), "id"], unique);
        }),
      ];
    },
    counters: () => [
      statement(
        table(tables.counters)
          .addColumn("counter", keyType, (column) => column.notNull().primaryKey())
          .addColumn("count", "integer", (column) => column.notNull())
          .addColumn("reset_at", "bigint", (column) => column.notNull()),
      ),
      index(tables.counters, ["reset_at"]),
    ],
    heads: () => [
      statement(
        table(tables.heads)
          .addColumn("partition", keyType, (column) => column.notNull().primaryKey())
          .addColumn("locked_at", "bigint", (column) => column.notNull()),
      ),
      index(tables.heads, ["locked_at"]),
    ],
    versions: () => [
      statement(
        table(tables.versions)
          .addColumn("version", "integer", (column) => column.notNull().primaryKey())
          .addColumn("applied_at", "bigint", (column) => column.notNull()),
      ),
    ],
  };
}
