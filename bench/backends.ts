import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { Redis } from "ioredis";
import Libsql from "libsql";
import mysql from "mysql2/promise";
import pg from "pg";
import { createKeys } from "../lib/adapters/redis/keys.ts";
import { clientOptions } from "../lib/adapters/redis/index.ts";
import { sessionCollection } from "../lib/core/session-record.ts";
import type { NewRecord, RecordStore } from "../lib/storage/record-store.ts";
import { median } from "./duel.ts";
import { factor, type Bench } from "./race.ts";
import { startBackend } from "./servers.ts";
import { backendNames, openStore, type BackendName } from "./stores.ts";

/** The same work by the driver alone: one statement each. */
interface Plain {
  get(record: NewRecord): Promise<unknown>;
  insert(record: NewRecord): Promise<unknown>;
  replace(record: NewRecord): Promise<unknown>;
  end(): unknown;
}

type Operation = "get" | "insert" | "replace";

/** Calls under way at once, as in an application. */
const AT_ONCE = 16;

/** What `get` and `commit` cost on each backend, beside the driver's own single statement on the same bytes, by turns. */
export async function backends({ report, quick }: Bench): Promise<void> {
  report.section(`get and commit beside the driver's single statement on the same bytes, ${AT_ONCE} at once (median of turns, range)`);
  for (const name of backendNames) {
    const place = await startBackend(name);
    const { store, close } = await openStore(name, place.url);
    const plain = openPlain(name, place.url);
    try {
      for (const operation of ["get", "insert", "replace"] as const) {
        const { ratios, micros } = await compare(operation, store, plain, quick ? { turns: 4, calls: 500 } : { turns: 15, calls: 2000 });
        const range = `${factor(Math.min(...ratios))} to ${factor(Math.max(...ratios))}`;
        const times = micros.map((value) => value.toFixed(0)).join(" and ");
        const what = `${name}, ${operation === "get" ? "get" : `commit of one ${operation}`} / plain`;
        report.add({ what, measured: `${factor(median(ratios))} (${range}; ${times} µs)` });
      }
    } finally {
      await plain.end();
      await close();
      await place.stop();
    }
  }
}

async function compare(operation: Operation, store: RecordStore, plain: Plain, { turns, calls }: { turns: number; calls: number }) {
  const known = Array.from({ length: calls }, newRecord);
  for (const record of known) await store.commit([{ op: "insert", in: sessionCollection, record }]);
  const records = () => (operation === "insert" ? Array.from({ length: calls }, newRecord) : known);
  let version = 1;
  const ours = {
    get: (record: NewRecord) => store.get(sessionCollection, record),
    insert: (record: NewRecord) => store.commit([{ op: "insert", in: sessionCollection, record }]),
    replace: (record: NewRecord) => store.commit([{ op: "replace", in: sessionCollection, record, ifVersion: version, quiet: true }]),
  }[operation];
  const isDone = (answer: unknown) => {
    if (!answer) throw new Error(`${store.name}: ${operation} did nothing`);
  };
  const times: [number, number][] = [];
  for (let turn = 0; turn <= turns; turn += 1) {
    const own = async () => {
      const took = await time(records(), async (record) => isDone(await ours(record)));
      version += 1;
      return took;
    };
    const other = () => time(records(), plain[operation]);
    const [first, second] = turn % 2 === 0 ? [await own(), await other()] : [await other(), await own()];
    // The first turn warms up.
    if (turn > 0) times.push(turn % 2 === 0 ? [first, second] : [second, first]);
  }
  return {
    ratios: times.map(([own, other]) => other / own),
    micros: [median(times.map(([own]) => own)), median(times.map(([, other]) => other))],
  };
}

/** µs a call. */
async function time(records: readonly NewRecord[], call: (record: NewRecord) => Promise<unknown>): Promise<number> {
  let next = 0;
  const run = async () => {
    for (let record = records[next++]; record; record = records[next++]) await call(record);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  return ((performance.now() - start) * 1000) / records.length;
}

/** As long as a session's. */
function newRecord(): NewRecord {
  const name = () => randomBytes(16).toString("base64url");
  return { partition: name(), id: name(), value: randomBytes(100), expiresAt: Date.now() + 86_400_000 };
}

const COLUMNS = ["partition", "id", "version", "expires_at", "value"];

/** The statements are those that anybody would write for the tables that `migrate` made; none changes a version, so that ours still finds its own. */
function openPlain(name: BackendName, url: string): Plain {
  const placeholder = (i: number) => (name === "postgres" ? `$${i}` : "?");
  const quoted = (column: string) => (name === "mariadb" ? `\`${column}\`` : `"${column}"`);
  const key = (from: number) => `${quoted("partition")} = ${placeholder(from)} and ${quoted("id")} = ${placeholder(from + 1)}`;
  const get = `select * from latchkey_s where ${key(1)}`;
  const insert = `insert into latchkey_s (${COLUMNS.map(quoted).join(", ")}) values (${COLUMNS.map((_, i) => placeholder(i + 1)).join(", ")})`;
  const replace = `update latchkey_s set expires_at = ${placeholder(1)}, value = ${placeholder(2)} where ${key(3)}`;
  const keyOf = ({ partition, id }: NewRecord) => [Buffer.from(partition), Buffer.from(id)];
  const over = (run: (sql: string, values: unknown[], reads: boolean) => unknown, end: () => unknown): Plain => ({
    get: async (record) => run(get, keyOf(record), true),
    insert: async (record) => run(insert, [...keyOf(record), 1, record.expiresAt, record.value], false),
    replace: async (record) => run(replace, [record.expiresAt, record.value, ...keyOf(record)], false),
    end,
  });

  switch (name) {
    case "redis": {
      const client = new Redis(url, clientOptions);
      const keys = createKeys("lk:");
      const hash = ({ partition }: NewRecord) => keys.partition(sessionCollection, partition);
      const own = (record: NewRecord) => `plain:${hash(record)}`;
      const set = (record: NewRecord) => client.hset(own(record), record.id, Buffer.concat([Buffer.alloc(18), record.value]));
      return { get: (record) => client.hgetBuffer(hash(record), record.id), insert: set, replace: set, end: () => client.disconnect() };
    }
    case "postgres": {
      const pool = new pg.Pool({ connectionString: url, max: 4 });
      return over(
        (sql, values) => pool.query(sql, values),
        () => pool.end(),
      );
    }
    case "mariadb": {
      const pool = mysql.createPool({ uri: url, connectionLimit: 4 });
      return over(
        (sql, values) => pool.query(sql, values),
        () => pool.end(),
      );
    }
    case "sqlite": {
      const database = new Libsql(url);
      database.exec("pragma journal_mode = wal");
      database.exec("pragma synchronous = full");
      const prepared = [get, insert, replace].map((sql) => [sql, database.prepare(sql)] as const);
      const statements = new Map(prepared);
      return over(
        (sql, values, reads) => (reads ? statements.get(sql)?.all(values) : statements.get(sql)?.run(values)),
        () => database.close(),
      );
    }
  }
}
