import { expect, it } from "vitest";
import Database from "libsql";
import { sqliteDialect } from "../../../lib/adapters/sqlite/dialect.ts";
import { sqliteStore } from "../../../lib/adapters/sqlite/index.ts";
import { kitCollections } from "../../../lib/adapters/sql/collections.ts";
import { createStatements } from "../../../lib/adapters/sql/statements.ts";
import { createTables } from "../../../lib/adapters/sql/tables.ts";

it("no statement goes through a whole table: each finds its rows by an index", async () => {
  const database = new Database(":memory:");
  const store = sqliteStore({ database });
  await store.migrate();
  const tables = createTables("test", "latchkey", kitCollections);
  const anything = new Proxy({}, { get: () => 1 }) as Record<string, number>;

  const plans = kitCollections.flatMap((from) =>
    Object.entries(createStatements(sqliteDialect, tables, from))
      // A list by partition has no meaning for a directory, nor have its others.
      .filter(([name]) => from.kind === "partitioned" || !["list", "clear", "clearBut", "countOthers", "oldestOthers"].includes(name))
      .flatMap(([name, templates]) => (typeof templates === "function" ? [[name, templates] as const] : Object.entries(templates)))
      .map(([name, make]) => {
        const { sql, values } = make(anything);
        const steps = database.prepare(`explain query plan ${sql}`).all([...values] as never) as { detail: string }[];
        return { statement: `${from.name}.${name}`, plan: steps.map(({ detail }) => detail).join("; ") };
      }),
  );

  expect(plans.length).toBeGreaterThan(100);
  expect(plans.filter(({ plan }) => /\bSCAN\b/.test(plan))).toEqual([]);
  await store.close();
});
