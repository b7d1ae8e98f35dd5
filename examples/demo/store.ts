import { Redis } from "ioredis";
import { memoryStore } from "latchkey/adapters/memory";
import { clientOptions, redisStore } from "latchkey/adapters/redis";

/** Where latchkey keeps its records: in Redis when there is a URL, else in memory. */
export async function openStore(redisUrl: string | undefined) {
  if (!redisUrl) return { records: memoryStore(), description: "in memory, gone when this stops", close: async () => {} };

  if (!URL.canParse(redisUrl)) throw new Error("REDIS_URL is no URL: write it like redis://127.0.0.1:6379");
  const { host } = new URL(redisUrl); // without the password it may have
  const client = new Redis(redisUrl, { ...clientOptions, lazyConnect: true });
  client.on("error", (error: Error) => console.error(`Redis: ${error.message}`));
  await client.connect().catch((cause: unknown) => {
    client.disconnect();
    throw new Error(`There is no Redis at ${host}. Start one, or leave REDIS_URL out`, { cause });
  });
  return {
    records: redisStore({ client, prefix: "latchkey-demo:" }),
    description: `in Redis at ${host}`,
    close: async () => client.disconnect(),
  };
}
