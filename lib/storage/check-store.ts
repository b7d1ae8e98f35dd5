import { ConfigError } from "../errors.ts";
import type { RecordStore } from "./record-store.ts";

const OPERATIONS = [
  "get", "list", "find", "take", "commit", "count", "scan", "sweep", "watch", "migrate", "close",
] as const satisfies readonly (keyof RecordStore)[]; // prettier-ignore

/** @throws {ConfigError} naming `option`, unless `store` is a {@link RecordStore}. */
export function assertStore(option: string, store: unknown): asserts store is RecordStore {
  if (typeof store !== "object" || store === null) throw new ConfigError(option, "give a store, such as redisStore({ client })");
  const missing = OPERATIONS.find((name) => typeof (store as Partial<RecordStore>)[name] !== "function");
  if (missing) throw new ConfigError(option, `lacks ${missing}(): give a store such as redisStore({ client })`);
}

/**
 * What a store that wraps others is called: `cached(redis)`, `encrypted(routed(postgres, redis))`.
 * {@link assertWithout} goes by it.
 */
export function wrapperName(wrapper: Wrapper, ...inner: readonly RecordStore[]): string {
  return `${wrapper}(${inner.map(({ name }) => name).join(", ")})`;
}

/** @throws {ConfigError} naming `option`, when `wrapper` is somewhere inside `store`. */
export function assertWithout(option: string, store: RecordStore, wrapper: Wrapper, fix: string): void {
  if (String(store.name).includes(`${wrapper}(`)) throw new ConfigError(option, fix);
}

type Wrapper = "cached" | "encrypted" | "routed";
