import { Redis } from "ioredis";
import { clientOptions, redisStore } from "../lib/adapters/redis/index.ts";
import { createKeys } from "../lib/adapters/redis/keys.ts";
import { createAuth } from "../lib/auth.ts";
import { sessionCollection } from "../lib/core/session-record.ts";
import { startRedisCluster } from "../test/support/services.ts";
import { factor, type Bench } from "./race.ts";

const AT_ONCE = 64;
const MOST = 1.2;

/** How the sessions of many users spread over the masters of a Redis Cluster. */
export async function cluster({ report, quick }: Bench): Promise<void> {
  const users = quick ? 10_000 : 100_000;
  report.section(`Redis Cluster: where the sessions of ${users.toLocaleString("en")} users are`);
  const nodes = await startRedisCluster();
  const client = new Redis.Cluster([...nodes.nodes], { redisOptions: clientOptions });
  try {
    const store = redisStore({ client, timeout: 10_000 });
    const auth = createAuth({ secret: "a secret of the benchmark, which is long enough", baseUrl: "http://localhost", store });
    let next = 0;
    const signIn = async () => {
      while (next < users) await auth.sessions.create({ userId: `user-${next++}` });
    };
    await Promise.all(Array.from({ length: AT_ONCE }, signIn));
    const counts: number[] = [];
    for (const node of client.nodes("master")) counts.push(await countSessions(node));
    await auth.close();
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total !== users || counts.length !== 3) throw new Error(`${total} of ${users} sessions were found, on ${counts.length} masters`);
    const largest = Math.max(...counts) / (total / counts.length);
    report.add({
      what: "largest share of a master / mean",
      measured: `${factor(largest)} (${counts.map((count) => count.toLocaleString("en")).join(", ")})`,
      target: `< ${MOST}`,
      passed: largest < MOST,
    });
  } finally {
    client.disconnect();
    await nodes.stop();
  }
}

async function countSessions(node: Redis): Promise<number> {
  const found = new Set<string>();
  const stream = node.scanStream({ match: createKeys("lk:").pattern(sessionCollection), count: 1000 }) as AsyncIterable<string[]>;
  for await (const batch of stream) for (const key of batch) found.add(key);
  return found.size;
}
