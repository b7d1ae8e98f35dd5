import { Redis } from "ioredis";
import Libsql from "libsql";
import mysql from "mysql2/promise";
import pg from "pg";
import { createKeys } from "../lib/adapters/redis/keys.ts";
import { sessionCollection } from "../lib/core/session-record.ts";
import { directoryCollection } from "../lib/storage/collection.ts";
import type { RecordStore, Write } from "../lib/storage/record-store.ts";
import type { BackendName } from "./stores.ts";

/** A directory with a lookup of each kind, whose table every SQL store has. */
export const accounts = directoryCollection("accounts", { identity: "unique", userId: "plain" });

/** Spreads neighbouring rows over all of an index: odd, so that no two numbers below 2^32 meet. */
const SPREAD = 2_654_435_761;
const DIGITS = 10;
const VALUE = "x".repeat(150);

/** What a row is called, and found by. */
export function nameOf(row: number): string {
  return String((row * SPREAD) % 2 ** 32).padStart(DIGITS, "0");
}

/** The owner of a row and of the one beside it. */
export function ownerOf(row: number): string {
  return nameOf(row >> 1);
}

/** Fills an empty store with sessions and accounts, two to an owner, as fast as the database itself can make them. */
export async function fill(name: BackendName, url: string, prefix: string, store: RecordStore, rows: number): Promise<void> {
  switch (name) {
    case "redis":
      return fillRedis(url, store, rows);
    case "postgres": {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const text = (number: string) => `convert_to(lpad((${number})::text, ${DIGITS}, '0'), 'UTF8')`;
      for (const sql of fillStatements(prefix, rows, text, (row) => `${row} / 2`, `convert_to('${VALUE}', 'UTF8')`, '"'))
        await client.query(sql);
      await client.query(`vacuum analyze ${prefix}_s`);
      await client.query(`vacuum analyze ${prefix}_accounts`);
      return client.end();
    }
    case "mariadb": {
      const connection = await mysql.createConnection(url);
      await connection.query(`set session max_recursive_iterations = ${rows}`);
      const text = (number: string) => `lpad(${number}, ${DIGITS}, '0')`;
      for (const sql of fillStatements(prefix, rows, text, (row) => `${row} div 2`, `'${VALUE}'`, "`")) await connection.query(sql);
      await connection.query(`analyze table ${prefix}_s, ${prefix}_accounts`);
      return connection.end();
    }
    case "sqlite": {
      const database = new Libsql(url);
      const text = (number: string) => `cast(printf('%0${DIGITS}d', ${number}) as blob)`;
      for (const sql of fillStatements(prefix, rows, text, (row) => `${row} / 2`, `cast('${VALUE}' as blob)`, '"')) database.exec(sql);
      database.close();
    }
  }
}

function fillStatements(
  prefix: string,
  rows: number,
  text: (number: string) => string,
  half: (row: string) => string,
  value: string,
  quote: string,
): string[] {
  const spread = (row: string) => text(`(${row} * ${SPREAD}) % ${2 ** 32}`);
  const name = spread("cast(n as decimal(20))");
  const owner = spread(`cast(${half("n")} as decimal(20))`);
  const rest = `1, null, ${value}`;
  const numbers = `with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n < ${rows - 1})`;
  const into = (table: string, columns: string[]) =>
    `insert into ${prefix}_${table} (${columns.map((each) => quote + each + quote).join(", ")})`;
  return [
    `${into("s", ["partition", "id", "version", "expires_at", "value"])} ${numbers} select ${owner}, ${name}, ${rest} from numbers`,
    `${into("accounts", ["id", "by_identity", "by_user_id", "version", "expires_at", "value"])} ${numbers} select ${name}, ${name}, ${owner}, ${rest} from numbers`,
  ];
}

/** Rows that a script makes at once, so that none runs long. */
const BATCH = 10_000;

/**
 * Copies records as the store wrote them, under other names of the same length. KEYS: the templates: a session's hash, an account, its unique
 * lookup, its plain one. ARGV: the template's name, the first row, how many.
 */
const COPY = `
local function name(row) return string.format('%0${DIGITS}.0f', (row * ${SPREAD}) % 4294967296) end
local function under(text, id) return (string.gsub(text, ARGV[1], id)) end
local session, account = redis.call('HGET', KEYS[1], ARGV[1]), redis.call('GET', KEYS[2])
for row = tonumber(ARGV[2]), ARGV[2] + ARGV[3] - 1 do
  local id, owner = name(row), name(math.floor(row / 2))
  redis.call('HSET', under(KEYS[1], owner), id, session)
  redis.call('SET', under(KEYS[2], id), (string.gsub(under(account, id), 'userId:' .. id, 'userId:' .. owner)))
  redis.call('SET', under(KEYS[3], id), id)
  redis.call('ZADD', under(KEYS[4], owner), 0, id)
end
`;

async function fillRedis(url: string, store: RecordStore, rows: number): Promise<void> {
  const client = new Redis(url);
  const keys = createKeys("lk:");
  const template = "~".repeat(DIGITS);
  const record = { id: template, value: Buffer.from(VALUE), expiresAt: null };
  const insert = async (write: Write) => {
    if (!(await store.commit([write]))) throw new Error("Redis is not empty");
  };
  await insert({ op: "insert", in: sessionCollection, record: { ...record, partition: template } });
  await insert({ op: "insert", in: accounts, record: { ...record, partition: "", lookups: { identity: template, userId: template } } });
  const made = [
    keys.partition(sessionCollection, template),
    keys.record(accounts, template),
    keys.lookup(accounts, "unique", "identity", template),
    keys.lookup(accounts, "plain", "userId", template),
  ];
  for (let row = 0; row < rows; row += BATCH) await client.eval(COPY, made.length, ...made, template, row, Math.min(BATCH, rows - row));
  await client.del(...made);
  client.disconnect();
}
