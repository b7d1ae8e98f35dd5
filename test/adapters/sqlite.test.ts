import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { recordStoreConformance } from "../../lib/testing/index.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-sqlite-"));
let opened = 0;

afterAll(() => rmSync(dir, { recursive: true }));

recordStoreConformance(
  "sqlite",
  async ({ clock, collections }) => {
    const store = sqliteStore({ path: join(dir, `${(opened += 1)}.db`), clock, collections });
    await store.migrate();
    return store;
  },
  { describe, it },
);
