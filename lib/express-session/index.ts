export { expressSessionStore, type ExpressSessionStore, type ExpressSessionStoreOptions, type ListedExpressSession } from "./store.ts";
export { expressSessionCollections } from "./session-collection.ts";
export { migrateExpressSession, type MigrateExpressSessionOptions } from "./migrate.ts";
