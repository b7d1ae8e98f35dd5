import mysql from "mysql2/promise";
import pg from "pg";
import { mysqlStore } from "../../../lib/adapters/mysql/index.ts";
import { poolOptions, postgresStore } from "../../../lib/adapters/postgres/index.ts";
import { sqliteStore } from "../../../lib/adapters/sqlite/index.ts";
import type { Clock } from "../../../lib/clock.ts";
import { directoryCollection, partitionedCollection } from "../../../lib/storage/collection.ts";
import type { Collection, NewRecord, RecordStore } from "../../../lib/storage/record-store.ts";

export const notes = partitionedCollection("notes");
export const people = directoryCollection("people", { email: "unique" });

export interface OpenStore {
  readonly store: RecordStore;
  /** Asks the database itself, on a connection of the store's pool. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  end(): Promise<void>;
}

export interface StoreSettings {
  prefix?: string;
  clock?: Clock;
  /** ms. Default: long enough for a machine that does other things too. */
  timeout?: number;
  collections?: readonly Collection[];
}

/** A store over `postgres://...`, `mysql://...` or a file, with a pool of its own. */
export function openStore(url: string, settings: StoreSettings = {}): OpenStore {
  const options = { timeout: 20_000, collections: [notes, people], ...settings };
  if (url.startsWith("postgres:")) {
    const pool = new pg.Pool({ connectionString: url, ...poolOptions });
    const store = postgresStore({ pool, ...options });
    return opened(
      store,
      async (sql) => (await pool.query<Record<string, unknown>>(sql)).rows,
      () => pool.end(),
    );
  }
  if (url.startsWith("mysql:")) {
    const pool = mysql.createPool({ uri: url, connectTimeout: 2000 });
    const store = mysqlStore({ pool, ...options });
    return opened(
      store,
      async (sql) => (await pool.query<mysql.RowDataPacket[]>(sql))[0],
      () => pool.end(),
    );
  }
  const store = sqliteStore({ path: url, ...options });
  return opened(
    store,
    () => Promise.reject(new Error("open the file yourself")),
    async () => {},
  );
}

function opened(store: RecordStore, query: OpenStore["query"], endPool: () => Promise<void>): OpenStore {
  return {
    store,
    query,
    async end() {
      await store.close();
      await endPool();
    },
  };
}

/** A record of {@link notes}, or with lookups of {@link people}. */
export function record(id: string, rest: Partial<NewRecord> = {}): NewRecord {
  return { partition: rest.lookups ? "" : "p", id, value: Buffer.from(id), expiresAt: null, ...rest };
}
