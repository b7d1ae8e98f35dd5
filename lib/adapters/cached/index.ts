export { cached, type CachedOptions } from "./cached-store.ts";
