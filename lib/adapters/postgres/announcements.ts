import { StorageError } from "../../errors.ts";
import type { Change } from "../../storage/record-store.ts";
import type { Announcements } from "../sql/announcements.ts";
import type { Statement } from "../sql/program.ts";
import { postgresDialect } from "./dialect.ts";
import type { PostgresClient, PostgresPool } from "./pool.ts";

export interface PostgresAnnouncementsParts {
  readonly pool: PostgresPool;
  /** A name that needs no quotes. */
  readonly channel: string;
  /** Of the first watch, ms: later it listens again whenever it can. */
  readonly timeout: number;
}

/** Pauses between tries to listen again, ms. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 1000;

/**
 * Announces by NOTIFY within the transaction that made the change, so all watchers hear of it if and only if it was committed.
 * Listening takes one connection of the pool; when that is lost it takes another, and what was announced meanwhile was not heard.
 */
export function createPostgresAnnouncements({ pool, channel, timeout }: PostgresAnnouncementsParts): Announcements {
  const watchers = new Set<(change: Change) => void>();
  let listening: Promise<void> | null = null;
  let client: PostgresClient | null = null;
  let retry: NodeJS.Timeout | null = null;
  let closed = false;

  const onNotification = (message: { channel: string; payload?: string | undefined }) => {
    const change = message.channel === channel ? decode(message.payload) : null;
    if (change) for (const watcher of watchers) watcher(change);
  };

  const drop = (how: "good" | "broken") => {
    const dropped = client;
    client = null;
    if (!dropped) return;
    dropped.off("notification", onNotification);
    dropped.off("end", onLost);
    if (how === "good") dropped.off("error", onLost);
    dropped.release(how === "broken");
  };

  const onLost = () => {
    if (!client) return;
    drop("broken");
    listenAgain(FIRST_PAUSE);
  };

  const listen = async () => {
    const connected = await pool.connect();
    if (closed || client) return connected.release();
    client = connected;
    client.on("error", onLost);
    client.on("end", onLost);
    client.on("notification", onNotification);
    try {
      await connected.query(`listen ${channel}`);
    } catch (error) {
      if (client === connected) drop("broken");
      throw error;
    }
  };

  const listenAgain = (pause: number) => {
    if (closed) return;
    retry = setTimeout(() => {
      listen().catch(() => listenAgain(Math.min(pause * 2, LONGEST_PAUSE)));
    }, pause).unref();
  };

  const listenFirst = async () => {
    try {
      await within(timeout, listen());
    } catch (error) {
      listening = null;
      if (client) drop("broken");
      throw new StorageError("PostgreSQL does not announce changes", { cause: postgresDialect.failures.withoutValues(error) });
    }
  };

  return {
    within({ sql, values }, change): Statement {
      const next = values.length + 1;
      return {
        sql: `with changed as (${sql} returning 1) select pg_notify($${next}, $${next + 1}) from (select 1 from changed limit 1) as told`,
        values: [...values, channel, encode(change)],
        reads: true,
      };
    },
    statements: (changes) => changes.map((change) => ({ sql: "select pg_notify($1, $2)", values: [channel, encode(change)], reads: true })),
    committed() {},
    async watch(onChange) {
      if (closed) throw new StorageError("The PostgreSQL store is closed");
      await (listening ??= listenFirst());
      const watcher = (change: Change) => onChange(change); // one per call, though a function may watch twice
      watchers.add(watcher);
      return { close: async () => void watchers.delete(watcher) };
    },
    async close() {
      if (closed) return;
      closed = true;
      watchers.clear();
      if (retry) clearTimeout(retry);
      const listener = client;
      if (!listener) return;
      const how = await within(timeout, listener.query(`unlisten ${channel}`)).then(
        () => "good" as const,
        () => "broken" as const,
      );
      drop(how);
    },
  };
}

/** Names in base64url, so that no byte is in the way and a message stays under the 8000 bytes that PostgreSQL allows. */
function encode({ collection, partition, id, keep }: Change): string {
  const names = [partition, id, keep ?? null].map((name) => (name === null ? null : Buffer.from(name).toString("base64url")));
  return JSON.stringify([collection, ...names]);
}

function decode(payload: string | undefined): Change | null {
  try {
    const [collection, partition, id, keep] = JSON.parse(payload ?? "") as [string, string, string | null, string | null];
    const text = (name: string) => Buffer.from(name, "base64url").toString();
    return {
      collection,
      partition: text(partition),
      id: id === null ? null : text(id),
      ...(keep === null ? {} : { keep: text(keep) }),
    };
  } catch {
    return null; // sent by somebody else
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
