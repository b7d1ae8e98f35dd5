import { mysqlDialect } from "../../adapters/mysql/dialect.ts";
import { postgresDialect } from "../../adapters/postgres/dialect.ts";
import { kitCollections } from "../../adapters/sql/collections.ts";
import type { Dialect } from "../../adapters/sql/dialect.ts";
import { schemaSql } from "../../adapters/sql/schema.ts";
import { createTables } from "../../adapters/sql/tables.ts";
import { sqliteDialect } from "../../adapters/sqlite/dialect.ts";
import { betterAuthViews } from "../better-auth-views.ts";
import { defineCommand } from "../command.ts";

/** `latchkey schema`: what migrate() does to an empty database, as SQL; or views over it. */
export const schemaCommand = defineCommand({
  name: "schema",
  summary: "Prints the SQL that makes all tables, for those who run it by hand",
  details: [
    "Needs no database and no configuration. Run on an empty database, it leaves nothing for migrate() to do.",
    "Collections of the application's own are not in it: migrate() makes those.",
  ],
  options: {
    dialect: {
      type: "string",
      value: "name",
      choices: ["postgres", "mysql", "sqlite"],
      required: true,
      summary: "The database; mysql is MariaDB too",
    },
    prefix: { type: "string", value: "text", summary: "What the names of all tables begin with. Default: latchkey" },
    "better-auth": { type: "boolean", summary: "Print views named as better-auth's tables instead, for those who query and join" },
  },
  async run({ dialect: name, prefix, "better-auth": views }, io) {
    const tables = createTables("--prefix", prefix ?? "latchkey", kitCollections);
    const statements = schemaSql(dialects[name], tables, Math.floor(io.clock.now()));
    const texts = views ? betterAuthViews(name, tables) : statements.map((statement) => `${statement};`);
    for (const line of texts.join("\n").split("\n")) io.out(line);
    return 0;
  },
});

const dialects: Readonly<Record<"postgres" | "mysql" | "sqlite", Dialect>> = {
  postgres: postgresDialect,
  mysql: mysqlDialect,
  sqlite: sqliteDialect,
};
