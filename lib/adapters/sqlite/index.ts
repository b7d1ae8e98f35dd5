export type { SqliteDatabase } from "./driver.ts";
export { sqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
