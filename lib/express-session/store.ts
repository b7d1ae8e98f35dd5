import type session from "express-session";
import { assertOptions, resolveClock } from "../check-options.ts";
import type { Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";
import { assertStore } from "../storage/check-store.ts";
import type { RecordStore } from "../storage/record-store.ts";
import { createSessionRecords, type SessionRecordsParts } from "./session-records.ts";

/** Options of {@link expressSessionStore}. */
export interface ExpressSessionStoreOptions {
  /** What `import session from "express-session"` gives: the store extends its `Store`. */
  session: Pick<typeof session, "Store">;
  /** Where sessions are kept. A store that makes tables is to be given `collections: expressSessionCollections`. */
  store: RecordStore;
  /** Keeps applications apart that share a store. Default: none. */
  prefix?: string | undefined;
  /** Seconds that a session is kept whose cookie has no end of its own; each request begins them anew. Default: a day. */
  ttl?: number | undefined;
  /** Default: the machine's. */
  clock?: Clock | undefined;
}

/** A store of express-session, with all that is optional there. */
export interface ExpressSessionStore extends session.Store {
  all(callback: Callback<ListedExpressSession[]>): void;
  length(callback: Callback<number>): void;
  clear(callback?: Callback): void;
  touch(sid: string, session: session.SessionData, callback?: Callback): void;
}

/** A session, with the id it has. */
export type ListedExpressSession = session.SessionData & { readonly id: string };

type Callback<T = void> = (error: unknown, value?: T) => void;
type SessionData = session.SessionData;

const DAY = 24 * 3600;

/**
 * Keeps the sessions of express-session in any latchkey store: in Redis by ioredis, in SQL, in memory.
 *
 * `get` is one read, `set` and `destroy` one write each, `touch` both; `all`, `length` and `clear` are for operators: O(all) of the store.
 * Callbacks are called once and later, with a {@link StorageError} when the store cannot tell.
 *
 * A session that came out of the store is written back only while it is there. So one that was destroyed, or expired, stays away however
 * late a request that still holds it ends: its `set` is as if it had come first. Of two requests that change one session the last to
 * end wins, as everywhere in express-session.
 *
 * @throws {ConfigError} when an option is missing, unknown or misshapen.
 * @see https://github.com/expressjs/session#session-store-implementation
 * @example app.use(session({ store: expressSessionStore({ session, store: redisStore({ client }) }), secret, resave: false, saveUninitialized: false }));
 */
export function expressSessionStore(options: ExpressSessionStoreOptions): ExpressSessionStore {
  const { Store, ...parts } = resolve(options);
  const records = createSessionRecords(parts);

  class LatchkeySessionStore extends Store implements ExpressSessionStore {
    override get(sid: string, callback: Callback<SessionData | null>): void {
      tell(records.read(sid), callback);
    }

    override set(sid: string, data: SessionData, callback?: Callback): void {
      tell(records.write(sid, data), callback);
    }

    override touch(sid: string, data: SessionData, callback?: Callback): void {
      tell(records.touch(sid, data), callback);
    }

    override destroy(sid: string, callback?: Callback): void {
      tell(records.destroy(sid), callback);
    }

    override all(callback: Callback<ListedExpressSession[]>): void {
      const listed = records.all().then((found) => found.map(({ sid, data }) => ({ ...data, id: sid })));
      tell(listed, callback);
    }

    override length(callback: Callback<number>): void {
      tell(records.count(), callback);
    }

    override clear(callback?: Callback): void {
      tell(records.clear(), callback);
    }

    override createSession(...[req, data]: Parameters<session.Store["createSession"]>) {
      const made = super.createSession(req, data);
      records.inherit(made, data);
      return made;
    }
  }

  return new LatchkeySessionStore();
}

/** Calls back outside of the promise, so that what a callback throws is its caller's and does not count as our failure. */
function tell<T>(work: Promise<T>, callback: Callback<T> = () => {}): void {
  work.then(
    (value) => setImmediate(callback, null, value),
    (error: unknown) => setImmediate(callback, error),
  );
}

function resolve(options: ExpressSessionStoreOptions): SessionRecordsParts & Pick<typeof session, "Store"> {
  assertOptions("expressSessionStore", options, ["session", "store", "prefix", "ttl", "clock"]);
  const { session: module, store, prefix = "", ttl = DAY, clock } = options;
  if (typeof module?.Store !== "function") {
    throw new ConfigError("expressSessionStore.session", 'give what `import session from "express-session"` gives');
  }
  assertStore("expressSessionStore.store", store);
  if (typeof prefix !== "string" || prefix.length > 100) throw new ConfigError("expressSessionStore.prefix", "give up to 100 characters");
  if (!Number.isInteger(ttl) || ttl < 1) throw new ConfigError("expressSessionStore.ttl", "give whole seconds, 1 or more");
  return { Store: module.Store, store, prefix, ttl, clock: resolveClock("expressSessionStore.clock", clock) };
}
