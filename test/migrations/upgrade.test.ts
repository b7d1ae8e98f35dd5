import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import mysql from "mysql2/promise";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCuttingProxy } from "../adapters/sql/cutting-proxy.ts";
import { openStore } from "../adapters/sql/open-store.ts";
import { openDatabase } from "../../lib/adapters/sqlite/driver.ts";
import { sqliteStore, type SqliteDatabase } from "../../lib/adapters/sqlite/index.ts";
import type { Dialect } from "../../lib/adapters/sql/dialect.ts";
import { createAuth } from "../../lib/index.ts";
import type { Collection, RecordStore, StoredRecord } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { startMariadb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { collectionsAt, insertStatement, releasedSchema, versions } from "./versions.ts";

interface Backend {
  readonly dialect: Dialect["name"];
  /** What `openStore` takes, for tables of this prefix; SQLite has a file for each. */
  place(prefix: string): string;
  run(prefix: string, statement: string): Promise<readonly Record<string, unknown>[]>;
  /** The server's port. */
  readonly port: number | null;
  stop(): Promise<void>;
}

const newest = versions.at(-1) ?? 0;

async function openPostgresBackend(): Promise<Backend> {
  const server = await startPostgres();
  const pool = new pg.Pool({ connectionString: server.url });
  return {
    dialect: "postgres",
    place: () => server.url,
    run: async (_prefix, statement) => (await pool.query<Record<string, unknown>>(statement)).rows ?? [],
    port: server.port,
    async stop() {
      await pool.end();
      await server.stop();
    },
  };
}

async function openMariadbBackend(): Promise<Backend> {
  const server = await startMariadb();
  const pool = mysql.createPool(server.url);
  return {
    dialect: "mysql",
    place: () => server.url,
    async run(_prefix, statement) {
      const [rows] = await pool.query(statement);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    },
    port: server.port,
    async stop() {
      await pool.end();
      await server.stop();
    },
  };
}

async function openSqliteBackend(): Promise<Backend> {
  const dir = mkdtempSync(join(tmpdir(), "latchkey-migrations-"));
  const place = (prefix: string) => join(dir, `${prefix}.db`);
  return {
    dialect: "sqlite",
    place,
    async run(prefix, statement) {
      const database = new Database(place(prefix));
      try {
        if (statement.startsWith("select")) return database.prepare(statement).all([]) as Record<string, unknown>[];
        database.exec(statement);
        return [];
      } finally {
        database.close();
      }
    },
    port: null,
    stop: async () => rmSync(dir, { recursive: true }),
  };
}

/** Bytes that a wrong encoding would not bring back, and every lookup. */
function sample(from: Collection): StoredRecord {
  const lookups =
    from.kind === "directory" ? Object.fromEntries(Object.keys(from.lookups).map((name) => [name, `${name} Ünïcode \0 `])) : {};
  const value = Buffer.from([0, 255, 128, 10, 39, 92, ...Buffer.from(from.name)]);
  return {
    partition: from.kind === "directory" ? "" : "Owner \0",
    id: "Id \0é ",
    version: 7,
    expiresAt: 4_102_444_800_000,
    value,
    lookups,
  };
}

async function expectKept(store: RecordStore, version: number): Promise<void> {
  for (const from of collectionsAt(version)) {
    const record = sample(from);
    expect(await store.get(from, record), from.name).toEqual(record);
    for (const [lookup, value] of Object.entries(record.lookups))
      expect(await store.find(from, lookup, value ?? ""), `${from.name} by ${lookup}`).toEqual([record]);
  }
}

describe.each([
  { name: "PostgreSQL", open: openPostgresBackend },
  { name: "MariaDB", open: openMariadbBackend },
  { name: "SQLite", open: openSqliteBackend },
])("migrate() on $name", { timeout: 30_000 }, ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.stop());

  const opened = (prefix: string) => openStore(backend.place(prefix), { prefix, collections: [], clock: createTestClock() });
  const versionsIn = async (prefix: string) =>
    (await backend.run(prefix, `select version from ${prefix}_versions order by version`)).map(({ version }) => Number(version));

  it.each(versions)("brings version %i, as it was released, to the newest with all that was in it, once and again", async (version) => {
    const prefix = `from_${version}`;
    for (const statement of releasedSchema(backend.dialect, version, prefix)) await backend.run(prefix, statement);
    for (const from of collectionsAt(version)) await backend.run(prefix, insertStatement(backend.dialect, prefix, from, sample(from)));

    const { store, end } = opened(prefix);
    for (let times = 1; times <= 2; times += 1) {
      await store.migrate();
      expect(await versionsIn(prefix)).toEqual(versions);
      await expectKept(store, version);
    }

    for (const from of collectionsAt(newest)) {
      const fresh = { ...sample(from), id: "fresh", lookups: {} };
      expect(await store.commit([{ op: "put", in: from, record: fresh }]), from.name).toBe(true);
      expect(await store.take(from, fresh), from.name).toMatchObject({ value: fresh.value, version: 1 });
    }
    const auth = createAuth({ secret: TEST_SECRET, store, clock: createTestClock(), apiKeys: true });
    const { id } = await auth.users.create({ email: "ada@example.com" });
    const { token } = await auth.sessions.create({ userId: id });
    expect((await auth.sessions.resolve(token)).session).toMatchObject({ userId: id });
    await end();
  });

  it("leaves tables as they are to which a newer program has added, so that both go on beside each other", async () => {
    const prefix = "ahead";
    const { store, end } = opened(prefix);
    await store.migrate();
    await backend.run(prefix, `insert into ${prefix}_versions (version, applied_at) values (${newest + 1}, 0)`);
    await backend.run(prefix, `create table ${prefix}_future (n integer)`);

    await store.migrate();

    expect(await versionsIn(prefix)).toEqual([...versions, newest + 1]);
    expect(await store.count("c", { by: 1, window: 60, now: 0 })).toEqual({ count: 1, resetAt: 60_000 });
    await end();
  });

  it("refuses tables that a newer program has changed, and touches nothing", async () => {
    const prefix = "changed";
    await backend.run(prefix, `create table ${prefix}_versions (version integer not null primary key, applied_at bigint not null)`);
    await backend.run(prefix, `insert into ${prefix}_versions (version, applied_at) values (1000, 0)`);

    const { store, end } = opened(prefix);
    await expect(store.migrate()).rejects.toMatchObject({ code: "config_error", option: "migrate" });

    await expect(backend.run(prefix, `select * from ${prefix}_counters`)).rejects.toThrow();
    expect(await versionsIn(prefix)).toEqual([1000]);
    await end();
  });

  it("goes on where it was cut off, whatever the point", async () => {
    const interrupt = backend.port === null ? interruptInProcess : interruptConnection;
    const points = ["_counters_reset_at", "_users", "insert into", "_audit"];
    for (const [index, point] of points.entries()) {
      const prefix = `cut_${index}`;
      await interrupt(prefix, new RegExp(point));

      const { store, end } = opened(prefix);
      await store.migrate();

      expect(await versionsIn(prefix)).toEqual(versions);
      for (const from of collectionsAt(newest)) expect(await store.commit([{ op: "insert", in: from, record: sample(from) }])).toBe(true);
      await expect(backend.run(prefix, `insert into ${prefix}_users select * from ${prefix}_users`)).rejects.toThrow();
      await end();
    }
  });

  /** Cuts the connection when a statement arrives at the server: before, or when it was carried out. */
  async function interruptConnection(prefix: string, point: RegExp): Promise<void> {
    const proxy = await startCuttingProxy(backend.port ?? 0);
    const { store, end } = openStore(backend.place(prefix).replace(`:${backend.port}`, `:${proxy.port}`), { prefix, collections: [] });
    proxy.cutAt(point, prefix.charCodeAt(4) % 2 === 0 ? "before" : "after");
    await expect(store.migrate()).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(proxy.cuts).toBe(1);
    await end();
    await proxy.close();
  }

  async function interruptInProcess(prefix: string, point: RegExp): Promise<void> {
    const database = openDatabase(backend.place(prefix));
    let failed = 0;
    class Failing implements SqliteDatabase {
      exec = (sql: string) => database.exec(sql);
      close = () => database.close();
      prepare(sql: string) {
        if (point.test(sql) && (failed += 1) === 1) throw new Error("disk I/O error");
        return database.prepare(sql);
      }
    }
    const store = sqliteStore({ database: new Failing(), prefix });
    await expect(store.migrate()).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(failed).toBe(1);
    await store.close();
    database.close();
  }
});
