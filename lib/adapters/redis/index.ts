export { clientOptions } from "./client.ts";
export { redisStore, type RedisClient, type RedisStoreOptions } from "./redis-store.ts";
export type { RefusedRecord, SignedOptions } from "./signatures.ts";
