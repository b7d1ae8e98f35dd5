import type { Redis } from "ioredis";
import { startApp, type Contender } from "./app-process.ts";
import { ask, wireRequest } from "./load.ts";

/** What sessions take in Redis, bytes each. */
export interface SessionMemory {
  /** As `MEMORY USAGE` of all keys adds up. */
  readonly keys: number;
  /** As the server's `used_memory` grew. */
  readonly server: number;
}

const SESSIONS = 10_000;

/** Makes sessions, two to a user, in an empty Redis. `path` makes one for `?user=`. */
export async function measureMemory(redis: Redis, url: string, contender: Contender, path: string): Promise<SessionMemory> {
  const app = await startApp(contender, url);
  await makeSessions(app.port, path, 100);
  await redis.flushall();
  const before = await usedMemory(redis);
  await makeSessions(app.port, path, SESSIONS);
  const server = (await usedMemory(redis)) - before;
  await app.stop();
  let keys = 0;
  for await (const batch of redis.scanStream({ count: 1000 }) as AsyncIterable<string[]>) {
    const pipeline = redis.pipeline();
    for (const key of batch) pipeline.memory("USAGE", key, "SAMPLES", "0");
    for (const [, bytes] of (await pipeline.exec()) ?? []) keys += Number(bytes);
  }
  await redis.flushall();
  return { keys: keys / SESSIONS, server: server / SESSIONS };
}

async function makeSessions(port: number, path: string, count: number): Promise<void> {
  await ask(
    port,
    Array.from({ length: count }, (_, i) => wireRequest("POST", `${path}?user=user-${i >> 1}`)),
  );
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
}
