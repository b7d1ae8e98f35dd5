export type { MysqlPool, MysqlPromisePool } from "./pool.ts";
export { mysqlStore, type MysqlStoreOptions } from "./mysql-store.ts";
