import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../lib/adapters/sqlite/driver.ts";
import { collectionsByVersion } from "../../lib/adapters/sql/collections.ts";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { StorageError } from "../../lib/errors.ts";
import type { Write } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { notes, people, record } from "./sql/open-store.ts";
import { raceMigrations } from "./sql/races.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-sqlite-"));
const collections = [notes, people];
let files = 0;
let path: string;

beforeEach(() => {
  path = join(dir, `${(files += 1)}.db`);
});
afterAll(() => rmSync(dir, { recursive: true }));

describe("sqliteStore", () => {
  it("has on disk what it has answered, and finds it when opened again", async () => {
    const store = sqliteStore({ path, collections });
    await store.migrate();
    await store.commit([{ op: "insert", in: notes, record: record("a") }]);
    const other = sqliteStore({ path, collections });

    expect((await other.list(notes, "p")).map(({ id }) => id)).toEqual(["a"]);

    await Promise.all([store.close(), other.close()]);
    const again = sqliteStore({ path, collections });
    expect((await again.get(notes, record("a")))?.value).toEqual(Buffer.from("a"));
    await again.close();
  });

  it("makes a file that its owner alone can read, and so is what lies beside it", async () => {
    const store = sqliteStore({ path });
    await store.migrate();

    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    await store.close();
  });

  it("lets no read pass a commit that was started before it, whatever that takes", async () => {
    const clock = createTestClock();
    const store = sqliteStore({ path, collections, clock });
    await store.migrate();
    const expiresAt = clock.now() + 1000;
    await store.commit([{ op: "insert", in: people, record: record("old", { lookups: { email: "e" }, expiresAt }) }]);
    await store.commit([{ op: "insert", in: notes, record: record("expired", { expiresAt }) }]);
    clock.advance(1);
    const commits: Record<string, readonly Write[]> = {
      capped: [{ op: "insert", in: notes, record: record("capped"), max: 5 }],
      several: [
        { op: "insert", in: notes, record: record("several") },
        { op: "put", in: notes, record: record("other") },
      ],
      expired: [{ op: "put", in: notes, record: record("expired") }],
      heir: [{ op: "insert", in: people, record: record("heir", { lookups: { email: "e" } }) }],
    };

    for (const [id, writes] of Object.entries(commits)) {
      const committing = store.commit(writes);
      const reading = store.get(id === "heir" ? people : notes, record(id, id === "heir" ? { partition: "" } : {}));
      expect([await committing, (await reading)?.id]).toEqual([true, id]);
    }
    await store.close();
  });

  it("refuses within the deadline while another process writes, lets this one go on meanwhile, and works when that is done", async () => {
    const store = sqliteStore({ path, collections, timeout: 300 });
    await store.migrate();
    await store.commit([{ op: "insert", in: notes, record: record("a") }]);
    const writer = openDatabase(path); // by the same library: two in one process do not see each other's locks
    writer.exec("begin immediate");
    let turns = 0;
    const turning = setInterval(() => (turns += 1), 5);

    const startedAt = performance.now();
    const commits = [1, 2, 3].map((n) => store.commit([{ op: "insert", in: notes, record: record(`${n}`) }]));
    const settled = await Promise.allSettled(commits);
    expect(settled.map((each) => each.status === "rejected" && each.reason instanceof StorageError)).toEqual([true, true, true]);
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(turns).toBeGreaterThan(3);
    expect((await store.list(notes, "p")).map(({ id }) => id)).toEqual(["a"]);

    const waiting = store.commit([{ op: "insert", in: notes, record: record("b") }]);
    const behind = store.get(notes, record("b"));
    writer.exec("rollback");
    expect(await waiting).toBe(true);
    expect((await behind)?.id).toBe("b");
    clearInterval(turning);
    writer.close();
    await store.close();
  });

  it("takes a database that the application opened, beside the application's own tables, and leaves it open", async () => {
    const database = new Database(path);
    database.exec("create table mine (n integer)");
    const store = sqliteStore({ database, collections });
    await store.migrate();
    const commits = Array.from({ length: 5 }, (_, n) =>
      store.commit([
        { op: "put", in: notes, record: record("a") },
        { op: "put", in: notes, record: record(`b${n}`) },
      ]),
    );
    database.exec("insert into mine values (1)"); // between commits, never within one
    await Promise.all(commits);
    expect(
      await store.commit([
        { op: "put", in: notes, record: record("z") },
        { op: "replace", in: notes, record: record("none"), ifVersion: 1 },
      ]),
    ).toBe(false);
    await store.close();

    expect(database.prepare("select n from mine").all([])).toEqual([{ n: 1 }]);
    await expect(store.get(notes, record("a"))).rejects.toThrow("closed");
    database.close();
  });

  it("says what is missing when it was never migrated", async () => {
    const store = sqliteStore({ path, collections });
    await expect(store.get(notes, record("a"))).rejects.toThrow("call the store's migrate()");
    await store.close();
  });

  it("is migrated by three processes at once, ten times over", { timeout: 60_000 }, async () => {
    const place = (round: number) => `${path}-${round}`;

    await raceMigrations(null, place);

    for (let round = 0; round < 10; round += 1) {
      const database = new Database(place(round));
      expect(database.prepare("select version from latchkey_versions").all([])).toEqual(
        collectionsByVersion.map((_, index) => ({ version: index + 1 })),
      );
      expect(database.prepare("pragma journal_mode").all([])).toEqual([{ journal_mode: "wal" }]);
      database.close();
    }
  });

  it("checks its options when it is made", () => {
    const database = new Database(":memory:");
    expect(() => sqliteStore({})).toThrow("either a `path` or a `database`");
    expect(() => sqliteStore({ path, database })).toThrow("either a `path` or a `database`");
    expect(() => sqliteStore({ path: "" })).toThrow("sqliteStore.path");
    expect(() => sqliteStore({ path: join(dir, "absent", "a.db") })).toThrow("is its folder there");
    expect(() => sqliteStore({ database: {} as never })).toThrow("sqliteStore.database");
    expect(() => sqliteStore({ path, timeout: Number.NaN })).toThrow("sqliteStore.timeout");
    expect(() => sqliteStore({ path, prefix: "1" })).toThrow("sqliteStore.prefix");
    expect(() => sqliteStore({ path, collections: [{ kind: "partitioned", name: "users" }] })).toThrow("same name");
    expect(() => sqliteStore({ path, collections: [{ kind: "partitioned", name: "a b" }] })).toThrow("sqliteStore.collections");
    expect(existsSync(path)).toBe(false);
    database.close();
  });
});
