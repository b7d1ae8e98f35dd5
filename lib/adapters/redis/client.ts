import type { Cluster, Redis, RedisOptions } from "ioredis";
import { ConfigError } from "../../errors.ts";

/** An ioredis 6 client: one connection (a server, or a master found by sentinels), or a Cluster. */
export type RedisClient = Redis | Cluster;

/**
 * Options that suit an ioredis client of {@link redisStore}: it gives up within 2 s, comes back within 1 s of the server, keeps nothing
 * in a queue of its own, sends nothing a second time, and looks for the master again when it was left with a replica. Under them ioredis's own defaults hold; for a Cluster they are its `redisOptions`.
 *
 * @example new Redis(url, clientOptions)
 */
export const clientOptions = {
  connectTimeout: 2000,
  socketTimeout: 2000,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  retryStrategy: (times: number) => Math.min(times * 50, 1000),
  reconnectOnError: (error: Error) => error.message.includes("READONLY "),
} satisfies RedisOptions;

/** Commands that ioredis has and its types leave out: scripts whose replies stay bytes. */
interface ScriptCommands {
  evalBuffer(script: string, keyCount: number, ...rest: (string | Buffer)[]): Promise<unknown>;
  evalshaBuffer(sha1: string, keyCount: number, ...rest: (string | Buffer)[]): Promise<unknown>;
}

/** A client that passed {@link assertClient}. */
export type CheckedClient = RedisClient & ScriptCommands;

export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster;
}

/**
 * Refuses a client whose answers could not be trusted: reads from a replica may miss what was just revoked.
 * @throws {ConfigError} naming the option of the client at fault.
 */
export function assertClient(client: RedisClient): asserts client is CheckedClient {
  if (!isClient(client)) throw new ConfigError("redisStore.client", "give an ioredis client: new Redis(...) or new Cluster(...)");
  const connection = isCluster(client) ? { ...client.options.redisOptions, ...client.options } : client.options;
  const refuse = (option: string, fix: string) => {
    throw new ConfigError(`redisStore.client.${option}`, fix);
  };

  if (isCluster(client) && client.options.scaleReads !== undefined && client.options.scaleReads !== "master") {
    refuse("scaleReads", 'must be "master": a replica may not know yet that a session was ended');
  }
  if ("role" in connection && connection.role === "slave") refuse("role", 'must be "master": a replica may lag, and takes no writes');
  if ("readOnly" in connection && connection.readOnly) refuse("readOnly", "must be off: a replica may lag, and takes no writes");
  if (connection.keyPrefix) refuse("keyPrefix", "must be empty: give redisStore its `prefix` instead, or a client.duplicate() without it");
  if ("replyMapping" in connection && connection.replyMapping === "resp3") refuse("replyMapping", 'must be "legacy"');
}

/** @throws {ConfigError} unless it is absent, or a client that listens where scripts announce: a prefix of its own would be put before the channel. */
export function assertSubscriber(client: RedisClient | null | undefined): void {
  if (client === undefined || client === null) return;
  if (!isClient(client)) throw new ConfigError("redisStore.subscriber", "give an ioredis client: client.duplicate()");
  const { keyPrefix } = isCluster(client) ? { ...client.options.redisOptions, ...client.options } : client.options;
  if (keyPrefix) throw new ConfigError("redisStore.subscriber.keyPrefix", "must be empty: give a client.duplicate() without it");
}

function isClient(client: unknown): client is CheckedClient {
  const has = (name: string) => name in (client as object) && typeof (client as Record<string, unknown>)[name] === "function";
  return typeof client === "object" && client !== null && ["evalBuffer", "evalshaBuffer", "hgetBuffer", "duplicate"].every(has);
}
