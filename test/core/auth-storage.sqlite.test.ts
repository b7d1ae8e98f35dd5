import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { kitCollections } from "../../lib/adapters/sql/collections.ts";
import { authStorageContract } from "./auth-storage-contract.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-auth-storage-"));
let opened = 0;

afterAll(() => rmSync(dir, { recursive: true }));

authStorageContract("SQLite", async (clock) => {
  const store = sqliteStore({ path: join(dir, `${(opened += 1)}.db`), clock });
  await store.migrate();
  const dump = async () => {
    const pages = await Promise.all(kitCollections.map((from) => store.scan(from, { limit: 1000 })));
    const records = pages.flatMap(({ records: each }) => each);
    return JSON.stringify(records.map(({ value, ...rest }) => ({ ...rest, value: Buffer.from(value).toString("latin1") })));
  };
  return { store, dump };
});
