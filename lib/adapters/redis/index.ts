export { clientOptions } from "./client.ts";
export { redisStore, type RedisClient, type RedisStoreOptions } from "./redis-store.ts";
