import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import mysql from "mysql2/promise";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import { openDatabase } from "../../../lib/adapters/sqlite/driver.ts";
import { sqliteStore } from "../../../lib/adapters/sqlite/index.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import { notes, openStore, people } from "../../adapters/sql/open-store.ts";
import { startMariadb } from "../../support/mariadb.ts";
import { startPostgres } from "../../support/postgres.ts";
import { startRedis } from "../../support/services.ts";
import { pause } from "./outage.ts";

/** A store that can be made to refuse writes, as a server does that is a standby or has no space. */
export interface RefusingStore {
  readonly store: RecordStore;
  /** From now on writes fail. */
  refuse(): Promise<void>;
  /** Whatever an operator does about it. */
  allow(): Promise<void>;
  end(): Promise<void>;
  /** Whether it still removes records then. */
  readonly removes: boolean;
}

/** Bytes of a record that does not fit into what others leave. */
export const LARGE = 60_000;

/** How each backend becomes read-only. */
export const readOnly: Readonly<Record<string, () => Promise<RefusingStore>>> = {
  async "a Redis that became a replica"() {
    const { store, ask, end } = await openRedis();
    return { store, removes: false, refuse: () => ask("replicaof", "127.0.0.1", "1"), allow: () => ask("replicaof", "no", "one"), end };
  },

  async "a PostgreSQL that became read-only"() {
    const server = await startPostgres();
    const { store, query, end } = openStore(server.url);
    await store.migrate();
    const set = async (value: "on" | "off") => {
      await query("set default_transaction_read_only = off");
      await query(`alter system set default_transaction_read_only = ${value}`);
      await query("reset default_transaction_read_only");
      await query("select pg_reload_conf()");
      await pause(100); // each connection reads it by and by
    };
    return { store, removes: false, refuse: () => set("on"), allow: () => set("off"), end: async () => (await end(), server.stop()) };
  },

  async "a MariaDB that became read-only"() {
    const server = await startMariadb();
    const root = await mysql.createConnection(server.url);
    await root.query("create user app@'127.0.0.1'");
    await root.query("grant all on app.* to app@'127.0.0.1'"); // root may write nevertheless
    const { store, end } = openStore(server.url.replace("root", "app"));
    await store.migrate();
    const set = async (value: 0 | 1) => void (await root.query(`set global read_only = ${value}`));
    return {
      store,
      removes: false,
      refuse: () => set(1),
      allow: () => set(0),
      end: async () => (await end(), await root.end(), server.stop()),
    };
  },

  async "a SQLite file that became read-only"() {
    const { store, exec, end } = await openSqlite();
    return { store, removes: false, refuse: async () => exec("query_only = on"), allow: async () => exec("query_only = off"), end };
  },
};

/** How each backend fills up. */
export const full: Readonly<Record<string, () => Promise<RefusingStore>>> = {
  async "a Redis whose memory is full"() {
    const { store, ask, end } = await openRedis();
    await ask("config", "set", "maxmemory-policy", "noeviction");
    return {
      store,
      removes: true,
      refuse: () => ask("config", "set", "maxmemory", "1"),
      allow: () => ask("config", "set", "maxmemory", "0"),
      end,
    };
  },

  async "a PostgreSQL whose tables may not grow"() {
    const server = await startPostgres([], { maxFile: 17 });
    const { store, query, end } = openStore(server.url);
    await store.migrate();
    const tables = ["latchkey_notes", "latchkey_people"];
    for (const table of tables) await query(`alter table ${table} alter value set storage external`);
    const refuse = async () => {
      for (const table of tables) {
        const partition = table === "latchkey_notes" ? { column: "partition, ", value: "'filling', " } : { column: "", value: "" };
        const id = "convert_to(gen_random_uuid()::text, 'UTF8')";
        const fill = `insert into ${table} (${partition.column}id, version, value) select ${partition.value}${id}, 1, repeat('x', ${LARGE})::bytea`;
        for (let rows = 256; rows >= 1; rows /= 4) while (await succeeds(query(`${fill} from generate_series(1, ${rows})`)));
      }
    };
    const allow = async () => {
      await query("delete from latchkey_notes where partition = 'filling'");
      await query("delete from latchkey_people where by_email is null");
      for (const table of tables) await query(`vacuum ${table}`);
    };
    return { store, removes: true, refuse, allow, end: async () => (await end(), server.stop()) };
  },

  async "a SQLite file that may not grow"() {
    const { store, exec, end } = await openSqlite();
    return {
      store,
      removes: true,
      refuse: async () => exec("max_page_count = 1"),
      allow: async () => exec("max_page_count = 1000000"),
      end,
    };
  },
};

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

async function openRedis() {
  const server = await startRedis();
  const client = new Redis(server.url, clientOptions);
  const operator = new Redis(server.url);
  const store = redisStore({ client });
  return {
    store,
    ask: async (...command: [string, ...string[]]) => void (await operator.call(...command)),
    async end() {
      await store.close();
      for (const each of [client, operator]) each.disconnect();
      await server.stop();
    },
  };
}

async function openSqlite() {
  const dir = mkdtempSync(join(tmpdir(), "latchkey-refusing-"));
  const database = openDatabase(join(dir, "auth.db"));
  const store = sqliteStore({ database, collections: [notes, people] });
  await store.migrate();
  return {
    store,
    exec: (pragma: string) => void database.exec(`pragma ${pragma}`),
    async end() {
      await store.close();
      database.close();
      rmSync(dir, { recursive: true });
    },
  };
}
