import { askRedis, freePort, startServerProcess, type ServerProcess } from "./server-process.ts";

export { startRedisCluster, type RedisCluster } from "./redis-cluster.ts";
export { startSentinel, type RedisSentinel } from "./redis-sentinel.ts";

/** One Redis on loopback, empty and without persistence. */
export interface RedisServer extends ServerProcess {
  /** `redis://127.0.0.1:port` */
  readonly url: string;
}

/** Options of {@link startRedis}. */
export interface StartRedisOptions {
  /** More command line arguments: `["--maxmemory", "2mb"]`. */
  args?: readonly string[];
  /** How far the cluster bus is from the port; only cluster nodes have one. */
  busOffset?: number;
}

/** Starts a Redis of its own for a test that stops, freezes, flushes or configures it. 30 ms. */
export async function startRedis({ args = [], busOffset = 0 }: StartRedisOptions = {}): Promise<RedisServer> {
  const server = await startServerProcess({
    command: "redis-server",
    args: (port, dir) => [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, "--logfile", `${dir}/log`],
      ...["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", ...args],
    ],
    // Asks for the pid too: on a port that another process just took, some other Redis might answer.
    ready: async (port, pid) => (await askRedis(port, "INFO server")).includes(`process_id:${pid}\r\n`),
    port: () => freePort(busOffset),
  });
  return Object.defineProperty(server, "url", { value: `redis://127.0.0.1:${server.port}`, enumerable: true }) as RedisServer;
}

let shared: Promise<RedisServer> | undefined;

/**
 * The Redis for tests that only need one: `REDIS_URL` if set, else one started for this process at the first call, which ends
 * with it. Other tests use the same, so keep to keys under a prefix of your own, and never flush it.
 */
export async function redisUrl(): Promise<string> {
  if (process.env["REDIS_URL"]) return process.env["REDIS_URL"];
  shared ??= startRedis();
  return (await shared).url;
}
