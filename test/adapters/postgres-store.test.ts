import { once } from "node:events";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { poolOptions, postgresStore } from "../../lib/adapters/postgres/index.ts";
import type { Change } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startPostgres, type PostgresServer } from "../support/postgres.ts";
import { until } from "../support/server-process.ts";
import { notes, openStore, people, record, type OpenStore } from "./sql/open-store.ts";

let server: PostgresServer;
let opened: OpenStore;

beforeAll(async () => {
  server = await startPostgres(["-c", "deadlock_timeout=300ms"]);
  opened = openStore(server.url);
  await opened.store.migrate();
});
afterAll(async () => {
  await opened.end();
  await server.stop();
});

describe("a deadlock on PostgreSQL", () => {
  it("is tried again, and the commit succeeds", async () => {
    const { store, query } = opened;
    const [a, b] = [record("a", { lookups: { email: "a" } }), record("b", { lookups: { email: "b" } })];
    await store.commit([
      { op: "insert", in: people, record: a },
      { op: "insert", in: people, record: b },
    ]);
    const other = new pg.Client(server.url);
    await other.connect();
    await other.query("set deadlock_timeout = '1min'; begin");
    await other.query("select 1 from latchkey_people where id = 'b' for update");

    const committed = store.commit([
      { op: "replace", in: people, record: a, ifVersion: 1 },
      { op: "replace", in: people, record: b, ifVersion: 1 },
    ]);
    await until("the commit to wait", async () => (await query("select 1 from pg_locks where not granted")).length > 0);
    await other.query("select 1 from latchkey_people where id = 'a' for update"); // until the deadlock is found
    await other.query("commit");

    expect(await committed).toBe(true);
    expect((await store.get(people, b))?.version).toBe(2);
    await other.end();
    await until("the deadlock to be counted", async () => {
      const [row] = await query("select deadlocks from pg_stat_database where datname = 'postgres'");
      return Number(row?.["deadlocks"]) === 1;
    });
  });
});

describe("watching PostgreSQL", () => {
  it("is told of what another process commits, and of nothing that is rolled back", async () => {
    const other = openStore(server.url);
    const told: Change[] = [];
    await opened.store.watch((change) => told.push(change));

    await other.store.commit([{ op: "put", in: notes, record: record("x") }]);
    await other.store.commit([
      { op: "put", in: notes, record: record("y") },
      { op: "replace", in: notes, record: record("absent"), ifVersion: 1 },
    ]);
    await other.store.take(notes, record("x"));
    await other.store.commit([
      { op: "clear", in: notes, partition: "p", keep: "last" },
      { op: "put", in: notes, record: record("last") },
    ]);

    await expect.poll(() => told.length).toBe(4);
    expect(told).toEqual([
      { collection: "notes", partition: "p", id: "x" },
      { collection: "notes", partition: "p", id: "x" },
      { collection: "notes", partition: "p", id: null, keep: "last" },
      { collection: "notes", partition: "p", id: "last" },
    ]);
    await other.end();
  });

  it("is told again after its connection was lost", async () => {
    const watching = openStore(server.url);
    const told: Change[] = [];
    await watching.store.watch((change) => told.push(change));
    const listeners = "select pid from pg_stat_activity where query like 'listen%'";
    const before = (await opened.query(listeners)).map(({ pid }) => pid);

    await opened.query(`select pg_terminate_backend(pid) from (${listeners}) as listening`);
    await until("it to listen again", async () => {
      const now = (await opened.query(listeners)).map(({ pid }) => pid);
      return now.length === before.length && !now.some((pid) => before.includes(pid));
    });
    await opened.store.commit([{ op: "put", in: notes, record: record("after") }]);

    await expect.poll(() => told.map(({ id }) => id)).toEqual(["after"]);
    await watching.end();
  });

  it("announces names of any bytes and the greatest length", async () => {
    const told: Change[] = [];
    const { close } = await opened.store.watch((change) => told.push(change));
    const [partition, id] = ["\0".repeat(1024), "\n".repeat(1024)];

    expect(await opened.store.commit([{ op: "put", in: notes, record: record(id, { partition }) }])).toBe(true);

    await expect.poll(() => told).toEqual([{ collection: "notes", partition, id }]);
    await close();
  });

  it("gives its connection back when the store is closed, and leaves the pool to the application", async () => {
    const pool = new pg.Pool({ connectionString: server.url, ...poolOptions });
    const store = postgresStore({ pool });
    await store.watch(() => {});
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 0]);

    await store.close();

    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
    await expect(store.get(notes, record("a"))).rejects.toThrow();
    expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await pool.end();
  });

  it("does not end the process when a connection is lost that nobody uses", async () => {
    const pool = new pg.Pool({ connectionString: server.url });
    const store = postgresStore({ pool });
    await store.migrate();
    const lost = once(pool, "error");

    await opened.query("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and state = 'idle'");

    await lost;
    await store.migrate();
    await pool.end();
  });
});

describe("sweeping PostgreSQL", () => {
  it("removes what is kept to lock partitions, an hour after the last lock", async () => {
    const clock = createTestClock();
    const { store, query, end } = openStore(server.url, { prefix: "swept", clock });
    await store.migrate();
    const insert = (partition: string) => store.commit([{ op: "insert", in: notes, record: record("a", { partition }), max: 5 }]);
    const heads = async () => (await query('select "partition" from swept_heads order by 1')).map(({ partition }) => String(partition));
    await insert("old");
    clock.advance(3599);
    await insert("new");
    await store.sweep();
    expect(await heads()).toEqual(["new", "old"]);

    clock.advance(1);
    expect(await store.sweep()).toEqual({});

    expect(await heads()).toEqual(["new"]);
    expect(await insert("old")).toBe(true); // it repeats what is stored
    expect(await store.list(notes, "old")).toHaveLength(1);
    await end();
  });
});

describe("options of postgresStore", () => {
  it("are checked when it is made", async () => {
    const pool = new pg.Pool({ connectionString: server.url });
    expect(() => postgresStore({ pool: server.url as never })).toThrow("postgresStore.pool");
    expect(() => postgresStore({ pool: new pg.Client() as never })).toThrow("postgresStore.pool");
    expect(() => postgresStore({ pool, timeout: 0 })).toThrow("postgresStore.timeout");
    expect(() => postgresStore({ pool, prefix: 'a"; drop table x' })).toThrow("postgresStore.prefix");
    expect(() => postgresStore({ pool, timeOut: 1 } as never)).toThrow('did you mean "timeout"?');
    expect(() => postgresStore({ pool, collections: [{ kind: "partitioned", name: "s" }] })).toThrow("same name");
    await expect(postgresStore({ pool }).get(notes, record("a"))).rejects.toThrow('"notes" has no table');
    await pool.end();
  });
});
