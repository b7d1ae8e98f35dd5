export { poolOptions, type PostgresPool } from "./pool.ts";
export { postgresStore, type PostgresStoreOptions } from "./postgres-store.ts";
