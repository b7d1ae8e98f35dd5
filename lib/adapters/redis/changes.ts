import { StorageError } from "../../errors.ts";
import type { Change, RecordStore } from "../../storage/record-store.ts";
import { isCluster, type RedisClient } from "./client.ts";

/** Tells of changes that any process announced. */
export interface Changes {
  watch: RecordStore["watch"];
  close(): Promise<void>;
}

/** What a script publishes of a change, as JSON: collection, partition, id or null, and what a clear keeps. */
export function announcement(collection: string, partition: string, id: string | null, keep?: string): string {
  return JSON.stringify(keep === undefined ? [collection, partition, id] : [collection, partition, id, keep]);
}

/** The same up to the id, which the script adds. */
export function announcementStart(collection: string, partition: string): string {
  return `${JSON.stringify([collection, partition]).slice(0, -1)},`;
}

function parseAnnouncement(message: string): Change | null {
  try {
    const [collection, partition, id, keep] = JSON.parse(message) as [string, string, string | null, string?];
    return { collection, partition, id, ...(keep === undefined ? {} : { keep }) };
  } catch {
    return null; // published by somebody else
  }
}

/**
 * @param given the application's subscriber; without it the first watch opens one like `client`, and `close` ends it.
 * @param timeout of the first watch, ms: later the subscriber comes back by itself.
 */
export function createChanges(client: RedisClient, given: RedisClient | undefined, channel: string, timeout: number): Changes {
  const watchers = new Set<(change: Change) => void>();
  let subscriber: RedisClient | null = null;
  let listening: Promise<void> | null = null;
  let closed = false;

  const onMessage = (from: string, message: string) => {
    const change = from === channel ? parseAnnouncement(message) : null;
    if (change) for (const watcher of watchers) watcher(change);
  };

  const onError = () => {};

  const listen = async () => {
    subscriber = given ?? duplicate(client);
    subscriber.on("message", onMessage);
    subscriber.on("error", onError);
    try {
      await within(timeout, subscriber.subscribe(channel));
    } catch (cause) {
      await end();
      throw new StorageError("Redis does not announce changes", { cause });
    }
  };

  const end = async () => {
    const ended = subscriber;
    subscriber = listening = null;
    if (!ended) return;
    ended.off("message", onMessage);
    if (!given) return ended.disconnect(); // its errors stay listened to
    ended.off("error", onError);
    if (ended.status === "ready") await within(timeout, ended.unsubscribe(channel)).catch(ignore);
  };

  return {
    async watch(onChange) {
      if (closed) throw new StorageError("The Redis store is closed");
      await (listening ??= listen());
      const watcher = (change: Change) => onChange(change);
      watchers.add(watcher);
      return { close: async () => void watchers.delete(watcher) };
    },
    async close() {
      closed = true;
      watchers.clear();
      await end();
    },
  };
}

/** A connection that waits for the server however long it takes, and subscribes again whenever it comes back. */
function duplicate(client: RedisClient): RedisClient {
  return isCluster(client)
    ? client.duplicate([], { enableOfflineQueue: true })
    : client.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, autoResubscribe: true, lazyConnect: false });
}

async function within(timeout: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StorageError(`Redis did not answer within ${timeout} ms`)), timeout);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function ignore(): void {}
