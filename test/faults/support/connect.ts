import type { EventEmitter } from "node:events";
import { Cluster, Redis } from "ioredis";
import { createPool } from "mysql2";
import { Pool } from "pg";
import { mysqlStore } from "../../../lib/adapters/mysql/index.ts";
import { poolOptions, postgresStore } from "../../../lib/adapters/postgres/index.ts";
import { clientOptions, redisStore, type RedisClient } from "../../../lib/adapters/redis/index.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import type { StoreAddress } from "./app.ts";

/** A store as an application has it: over a client or pool of its own, with the options that the README gives. */
export interface Connected {
  readonly store: RecordStore;
  readonly client: EventEmitter;
  /** Ends the client. */
  disconnect(): Promise<void>;
}

export function connect(at: StoreAddress): Connected {
  if (at.kind !== "sql") {
    const client = redisClient(at);
    return { store: redisStore({ client }), client, disconnect: async () => client.disconnect() };
  }
  if (at.url.startsWith("postgres:")) {
    const client = new Pool({ connectionString: at.url, ...poolOptions });
    return { store: postgresStore({ pool: client }), client, disconnect: () => client.end() };
  }
  const client = createPool({ uri: at.url, connectTimeout: 2000 });
  return { store: mysqlStore({ pool: client }), client, disconnect: () => client.promise().end() };
}

function redisClient(at: Exclude<StoreAddress, { kind: "sql" }>): RedisClient {
  if (at.kind === "server") return new Redis(at.url, clientOptions);
  if (at.kind === "sentinel") return new Redis({ ...clientOptions, sentinels: [...at.sentinels], name: at.name });
  return new Cluster([...at.nodes], { redisOptions: clientOptions });
}
