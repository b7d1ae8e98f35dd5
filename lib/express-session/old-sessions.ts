import type { SessionData, Store } from "express-session";
import type { Clock } from "../clock.ts";
import { StorageError } from "../errors.ts";
import { cookieEnd } from "./session-collection.ts";

/** A store of express-session: what is needed of it, whoever wrote it. */
export type OldStore = Pick<Store, "get" | "destroy">;

/** The sessions that express-session kept, read as it reads them. */
export interface OldSessions {
  /** A live session, or `null`. @throws {StorageError} */
  read(sid: string): Promise<SessionData | null>;
  /** Resolves once the store confirmed it. Idempotent. @throws {StorageError} */
  destroy(sid: string): Promise<void>;
}

/** Milliseconds that the old store has for an answer. */
const DEADLINE = 1000;

export function createOldSessions(store: OldStore, clock: Clock): OldSessions {
  return {
    async read(sid) {
      const data = await ask<SessionData | null | undefined>((done) => store.get(sid, done));
      const end = data ? cookieEnd(data.cookie ?? {}, Infinity) : null;
      // Not every store looks at the end of what it holds.
      return data && (end === null || clock.now() < end) ? data : null;
    },
    async destroy(sid) {
      await ask<void>((done) => store.destroy(sid, done));
    },
  };
}

/** One call of the old store; it may throw, call back with an error, or never. */
function ask<T>(call: (done: (error?: unknown, value?: T) => void) => void): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown) => reject(new StorageError("The store of express-session is unavailable", { cause }));
    const timer = setTimeout(fail, DEADLINE);
    const settle = (then: () => void) => {
      clearTimeout(timer);
      then();
    };
    try {
      call((error, value) => {
        // express-session takes this code for "there is no such session".
        const none = (error as { code?: unknown } | null | undefined)?.code === "ENOENT";
        settle(() => (error && !none ? fail(error) : resolve(none ? null : (value ?? null))));
      });
    } catch (error) {
      settle(() => fail(error));
    }
  });
}
