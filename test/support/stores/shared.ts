import type { Clock } from "../../../lib/clock.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import type { ServerAddresses, ServerKind } from "./backends.ts";

/** A backend that several processes share. */
export type SharedBackend = ServerKind | "routed";

/** What any process needs to open the same store: the backend, where it is, and the part of it that one test file has. */
export interface SharedStore {
  readonly backend: SharedBackend;
  readonly servers: ServerAddresses;
  /** Letters, digits and underscores: tables are named by it, too. */
  readonly prefix: string;
}

/** A store of this process over a shared backend, and its end, with that of the client or pool it has to itself. */
export interface OpenedStore {
  readonly store: RecordStore;
  close(): Promise<void>;
}

/** A deadline that a busy machine meets: no race is about outages. */
const TIMEOUT = 20_000;

/** Opens a process's own store. Whoever shares it calls `migrate` once before; drivers are loaded when they are needed. */
export function openShared({ backend, servers, prefix }: SharedStore, clock?: Clock): Promise<OpenedStore> {
  const of = (kind: ServerKind): Promise<OpenedStore> => {
    const address = servers[kind];
    if (address === undefined) throw new Error(`no ${kind} was started for this race`);
    return openers[kind](address, prefix, clock);
  };
  return backend === "routed" ? routedOver(of("postgres"), of("redis")) : of(backend);
}

async function routedOver(directory: Promise<OpenedStore>, ephemeral: Promise<OpenedStore>): Promise<OpenedStore> {
  const [{ routed }, lasting, passing] = await Promise.all([import("../../../lib/adapters/routed/index.ts"), directory, ephemeral]);
  return {
    store: routed({ directory: lasting.store, ephemeral: passing.store }),
    close: async () => void (await Promise.all([lasting.close(), passing.close()])),
  };
}

const openers: Record<ServerKind, (address: string, prefix: string, clock: Clock | undefined) => Promise<OpenedStore>> = {
  async redis(url, prefix, clock) {
    const [{ Redis }, { clientOptions, redisStore }] = await Promise.all([
      import("ioredis"),
      import("../../../lib/adapters/redis/index.ts"),
    ]);
    const client = new Redis(url, { ...clientOptions, socketTimeout: TIMEOUT, lazyConnect: true });
    await client.connect();
    const store = redisStore({ client, prefix: `${prefix}:`, clock, timeout: TIMEOUT });
    return { store, close: () => store.close().then(() => client.disconnect()) };
  },

  async postgres(connectionString, prefix, clock) {
    const [{ default: pg }, { poolOptions, postgresStore }] = await Promise.all([
      import("pg"),
      import("../../../lib/adapters/postgres/index.ts"),
    ]);
    const pool = new pg.Pool({ connectionString, ...poolOptions, connectionTimeoutMillis: TIMEOUT });
    const store = postgresStore({ pool, prefix, clock, timeout: TIMEOUT });
    return { store, close: () => store.close().then(() => pool.end()) };
  },

  async mariadb(uri, prefix, clock) {
    const [{ createPool }, { mysqlStore }] = await Promise.all([import("mysql2/promise"), import("../../../lib/adapters/mysql/index.ts")]);
    const pool = createPool({ uri, connectTimeout: TIMEOUT });
    const store = mysqlStore({ pool, prefix, clock, timeout: TIMEOUT });
    return { store, close: () => store.close().then(() => pool.end()) };
  },

  async sqlite(path, prefix, clock) {
    const [{ openDatabase }, { sqliteStore }] = await Promise.all([
      import("../../../lib/adapters/sqlite/driver.ts"),
      import("../../../lib/adapters/sqlite/index.ts"),
    ]);
    // Nor about power cuts: as of the other servers, nothing has to be on disk.
    const database = openDatabase(path);
    for (const setting of ["journal_mode = wal", "synchronous = off"]) database.exec(`pragma ${setting}`);
    const store = sqliteStore({ database, prefix, clock, timeout: TIMEOUT });
    return { store, close: () => store.close().then(() => void database.close()) };
  },
};
