import type { Clock } from "../clock.ts";
import { deepFreeze } from "../deep-freeze.ts";
import { NotFoundError, StorageError } from "../errors.ts";
import type { RecordKey, RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { decodeSession, encodeSession, sessionCollection, type Session, type SessionRecord } from "./session-record.ts";
import { parseSessionId } from "./session-token.ts";
import { readable, reportingUnreadable } from "./unreadable-records.ts";

/** Session records as they come and go in the store: what every operation on sessions is made of. */
export interface LiveSessions {
  /** A record, live or not. One read. */
  load(key: RecordKey): Promise<SessionRecord | null>;
  /** A frozen record is read once, into a frozen session. @throws what `decodeSession` throws, after reporting it; the record stays. */
  decode(stored: StoredRecord, id?: string): SessionRecord;
  /** Those that can be read; the others are reported and left out. */
  readable(stored: readonly StoredRecord[]): SessionRecord[];
  isLive(record: SessionRecord): boolean;
  /** Writes over the version that was read. One commit. @returns false when the record moved on or is gone. */
  replace(record: SessionRecord, options?: { quiet?: true }): Promise<boolean>;
  /** Changes a live session by compare-and-set, tried again on the newer record; `null` when it is gone. A removed one never comes back. */
  change(key: RecordKey, next: (record: SessionRecord) => SessionRecord, options?: { quiet?: true }): Promise<SessionRecord | null>;
  /** The session to hand out, and from then on {@link LiveSessions.known} what it was made of. */
  remember(record: SessionRecord): Session;
  /** How a session was resolved last in this process, so that acting on it needs no second look-up of its secret. */
  known(session: Session): SessionRecord | undefined;
}

/** Far more than contention on one session makes likely. */
export const MAX_ATTEMPTS = 100;

export function createLiveSessions({ store, clock, events }: { store: RecordStore; clock: Clock; events: Events }): LiveSessions {
  const records = new WeakMap<Session, SessionRecord>();
  const read = reportingUnreadable(events, sessionCollection, decodeSession);
  /** What frozen records hold: the store serves those again and again. */
  const shared = new WeakMap<StoredRecord, SessionRecord>();

  const decode: LiveSessions["decode"] = (stored, id) => {
    if (!Object.isFrozen(stored)) return read(stored, id);
    const known = shared.get(stored);
    if (known) return known;
    const record = read(stored, id);
    deepFreeze(record.session);
    shared.set(stored, record);
    return record;
  };

  const load: LiveSessions["load"] = async ({ partition, id }) => {
    const stored = await store.get(sessionCollection, { partition, id });
    return stored && decode(stored);
  };

  const isLive: LiveSessions["isLive"] = ({ session, mergedInto }) =>
    mergedInto === null && clock.now() < Math.min(session.expiresAt, session.idleExpiresAt);

  const replace: LiveSessions["replace"] = (record, options = {}) =>
    store.commit([{ op: "replace", in: sessionCollection, record: encodeSession(record), ifVersion: record.version, ...options }]);

  return {
    load,
    decode,
    isLive,
    replace,
    readable: (stored) => readable(stored, decode),

    async change(key, next, options = {}) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const record = await load(key);
        if (!record || !isLive(record)) return null;
        const changed = next(record);
        if (changed === record) return record;
        if (await replace(changed, options)) return { ...changed, version: record.version + 1 };
      }
      throw new StorageError("A session is changing too fast");
    },

    remember(record) {
      records.set(record.session, record);
      return record.session;
    },

    known: (session) => records.get(session),
  };
}

/** Where a session rests, by its public id. @throws {NotFoundError} when that is no session id. */
export function keyOfSession(id: string): RecordKey {
  const key = parseSessionId(id);
  if (!key) throw new NotFoundError("No such session");
  return key;
}
