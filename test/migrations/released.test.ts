import { describe, expect, it } from "vitest";
import { fileURLToPath } from "node:url";
import { mysqlDialect } from "../../lib/adapters/mysql/dialect.ts";
import { postgresDialect } from "../../lib/adapters/postgres/dialect.ts";
import { sqliteDialect } from "../../lib/adapters/sqlite/dialect.ts";
import { releasedFile, statementsByVersion, versions } from "./versions.ts";

describe.each([postgresDialect, mysqlDialect, sqliteDialect])("the schema of $name", (dialect) => {
  it.each(versions)("at version %i is made by the statements it was released with", async (version) => {
    const made = statementsByVersion(dialect)[version - 1] ?? [];

    expect(made.flatMap(({ values }) => values)).toEqual([]);
    // A file for a new version is written by `vitest -u`; those of released ones stay as they are.
    await expect(made.map(({ sql }) => `${sql};\n`).join("")).toMatchFileSnapshot(fileURLToPath(releasedFile(dialect.name, version)));
  });
});
