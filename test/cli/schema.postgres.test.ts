import { createPool } from "mysql2/promise";
import pg from "pg";
import { describe, it } from "vitest";
import { mysqlStore } from "../../lib/adapters/mysql/index.ts";
import { postgresStore } from "../../lib/adapters/postgres/index.ts";
import { startMariadb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { checkSchema, checkViews, type SchemaDatabase } from "./schema-checks.ts";

describe("latchkey schema", { timeout: 60_000 }, () => {
  it("prints SQL that leaves nothing for migrate() to do on PostgreSQL, and views over what is kept there", async () => {
    const server = await startPostgres();
    const pool = new pg.Pool({ connectionString: server.url });
    try {
      const database: SchemaDatabase = {
        dialect: "postgres",
        store: postgresStore({ pool }),
        run: (sql) => pool.query(sql),
        rows: async (sql) => (await pool.query(sql)).rows,
        quote: (name) => `"${name}"`,
        milliseconds: (time) => (time as Date).getTime(),
      };
      await checkSchema(database);
      await checkViews(database);
    } finally {
      await pool.end();
      await server.stop();
    }
  });

  it("prints SQL that leaves nothing for migrate() to do on MariaDB, and views over what is kept there", async () => {
    const server = await startMariadb();
    const pool = createPool({ uri: server.url, multipleStatements: true });
    try {
      const database: SchemaDatabase = {
        dialect: "mysql",
        store: mysqlStore({ pool }),
        run: (sql) => pool.query(sql),
        rows: async (sql) => (await pool.query(sql))[0] as Record<string, unknown>[],
        quote: (name) => `\`${name}\``,
        milliseconds: (time) => (time as Date).getTime(),
      };
      await checkSchema(database);
      await checkViews(database);
    } finally {
      await pool.end();
      await server.stop();
    }
  });
});
