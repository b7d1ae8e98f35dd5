import mysql from "mysql2";
import promised from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mysqlStore } from "../../lib/adapters/mysql/index.ts";
import type { Change } from "../../lib/storage/record-store.ts";
import { startMariadb, type MariadbServer } from "../support/mariadb.ts";
import { until } from "../support/server-process.ts";
import { notes, openStore, people, record, type OpenStore } from "./sql/open-store.ts";

let server: MariadbServer;
let opened: OpenStore;

beforeAll(async () => {
  server = await startMariadb();
  opened = openStore(server.url);
  await opened.store.migrate();
});
afterAll(async () => {
  await opened.end();
  await server.stop();
});

describe("a deadlock on MariaDB", () => {
  it("is tried again, and the commit succeeds", async () => {
    const { store, query } = opened;
    const [a, b] = [record("a", { lookups: { email: "a" } }), record("b", { lookups: { email: "b" } })];
    await store.commit([
      { op: "insert", in: people, record: a },
      { op: "insert", in: people, record: b },
    ]);
    const status = async (name: string) => Number((await query(`show global status like '${name}'`))[0]?.["Value"]);
    const before = await status("Innodb_deadlocks");
    const other = await promised.createConnection(server.url);
    await other.query("create table bulk (n int primary key)");
    await other.beginTransaction();
    // It has done more than the commit, so that is not what InnoDB gives up.
    await other.query(`insert into bulk values ${Array.from({ length: 200 }, (_, n) => `(${n})`).join()}`);
    await other.query("select 1 from latchkey_people where id = 'b' for update");

    const committed = store.commit([
      { op: "replace", in: people, record: a, ifVersion: 1 },
      { op: "replace", in: people, record: b, ifVersion: 1 },
    ]);
    await until("the commit to wait", async () => (await status("Innodb_row_lock_current_waits")) === 1);
    await other.query("select 1 from latchkey_people where id = 'a' for update");
    await other.commit();

    expect(await committed).toBe(true);
    expect((await store.get(people, b))?.version).toBe(2);
    expect(await status("Innodb_deadlocks")).toBe(before + 1);
    await other.end();
  });
});

describe("mysqlStore", () => {
  it("takes a pool of mysql2 and of mysql2/promise, whatever their options, and leaves it to the application", async () => {
    const options = {
      uri: server.url,
      rowsAsArray: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      typeCast: false,
      decimalNumbers: true,
    };
    const plain = mysql.createPool(options);
    const promising = promised.createPool(options);
    for (const { pool, end } of [
      { pool: plain, end: () => plain.promise().end() },
      { pool: promising, end: () => promising.end() },
    ]) {
      const store = mysqlStore({ pool, collections: [notes, people] });
      await store.migrate();
      await store.commit([{ op: "put", in: notes, record: record("n", { expiresAt: Date.now() + 60_000 }) }]);

      expect(await store.take(notes, record("n"))).toMatchObject({ id: "n", value: Buffer.from("n"), version: 1 });
      expect(await store.count(`c ${pool.constructor.name}`, { by: 1, window: 60, now: 5 })).toEqual({ count: 1, resetAt: 60_005 });
      expect(await store.count(`c ${pool.constructor.name}`, { by: 1, window: 60, now: 6 })).toEqual({ count: 2, resetAt: 60_005 });
      await store.close();
      await expect(store.get(notes, record("n"))).rejects.toThrow("closed");
      await end();
    }
  });

  it("tells those who watch the same store, and not those of another process", async () => {
    const other = openStore(server.url);
    const [told, elsewhere]: Change[][] = [[], []];
    await opened.store.watch((change) => told?.push(change));
    await other.store.watch((change) => elsewhere?.push(change));

    await opened.store.commit([{ op: "put", in: notes, record: record("x") }]);

    expect(told).toEqual([{ collection: "notes", partition: "p", id: "x" }]);
    expect(elsewhere).toEqual([]);
    await other.end();
  });

  it("refuses keys that their columns would cut short", async () => {
    const { store } = opened;
    const long = "x".repeat(1025);
    await expect(store.commit([{ op: "insert", in: notes, record: record(long) }])).rejects.toThrow("at most 1024 bytes");
    expect(await store.get(notes, record(long))).toBeNull();
    expect((await store.count(`${long}a`, { by: 1, window: 60, now: 0 })).count).toBe(1);
    expect((await store.count(`${long}b`, { by: 1, window: 60, now: 0 })).count).toBe(1);
    expect((await store.count(`${long}b`, { by: 1, window: 60, now: 0 })).count).toBe(2);
  });

  it("checks its options when it is made", () => {
    expect(() => mysqlStore({ pool: server.url as never })).toThrow("mysqlStore.pool");
    expect(() => mysqlStore({ pool: {} as never })).toThrow("mysqlStore.pool");
    expect(() => mysqlStore({ pool: { getConnection() {} }, timeout: -1 })).toThrow("mysqlStore.timeout");
    expect(() => mysqlStore({ pool: { getConnection() {} }, prefix: "" })).toThrow("mysqlStore.prefix");
  });
});
