import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { afterAll, describe, expect, it } from "vitest";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { userCollection } from "../../lib/core/user-directory.ts";
import { directoryKey } from "../../lib/storage/collection.ts";
import { runLatchkey } from "./cli-run.ts";
import { checkSchema, checkViews, type SchemaDatabase } from "./schema-checks.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-cli-"));
afterAll(() => rmSync(dir, { recursive: true }));
let files = 0;

function openSqlite() {
  const database = new Database(join(dir, `${(files += 1)}.db`));
  return {
    dialect: "sqlite" as const,
    store: sqliteStore({ database }),
    run: async (sql: string) => database.exec(sql),
    rows: async (sql: string) => database.prepare(sql).all() as Record<string, unknown>[],
    quote: (name: string) => `"${name}"`,
    milliseconds: (time: unknown) => Date.parse(String(time)),
  } satisfies SchemaDatabase;
}

describe("latchkey schema", () => {
  it("prints SQL that leaves nothing for migrate() to do on SQLite, and views over what is kept there", async () => {
    const database = openSqlite();
    await checkSchema(database);
    await checkViews(database);
  });

  it("makes views that leave out what is encrypted", async () => {
    const { store, run, rows } = openSqlite();
    await store.migrate();
    await run((await runLatchkey(["schema", "--dialect", "sqlite", "--better-auth"])).out);
    const sealed = encrypted(store, { keys: "k".repeat(40), indexKey: "i".repeat(40) });
    await sealed.commit([
      { op: "insert", in: userCollection, record: { ...directoryKey("u"), value: Buffer.from("{}"), expiresAt: null } },
    ]);
    for (const view of ["user", "session", "account", "verification"]) expect(await rows(`select * from "${view}"`)).toEqual([]);
  });

  it("takes another prefix, and refuses one that is no name", async () => {
    const { code, out } = await runLatchkey(["schema", "--dialect", "postgres", "--prefix", "auth"]);
    expect([code, out.includes('"auth_users"'), out.includes("latchkey")]).toEqual([0, true, false]);
    expect(await runLatchkey(["schema", "--dialect", "mysql", "--prefix", "a;b"])).toMatchObject({ code: 1, out: "" });
  });
});
