import type { SessionData } from "express-session";
import type { Clock } from "../clock.ts";
import { StorageError } from "../errors.ts";
import type { RecordStore, StoredRecord } from "../storage/record-store.ts";
import {
  cookieEnd,
  decodeExpressSession,
  encodeExpressSession,
  expressSessionCollection as collection,
  hasPrefix,
  sessionKey,
  type RestedSession,
} from "./session-collection.ts";

export interface SessionRecordsParts {
  readonly store: RecordStore;
  readonly prefix: string;
  /** Seconds. */
  readonly ttl: number;
  readonly clock: Clock;
}

/** express-session's sessions as records: what its store does, with promises. */
export interface SessionRecords {
  read(sid: string): Promise<SessionData | null>;
  write(sid: string, data: SessionData): Promise<void>;
  touch(sid: string, data: SessionData): Promise<void>;
  destroy(sid: string): Promise<void>;
  all(): Promise<RestedSession[]>;
  count(): Promise<number>;
  clear(): Promise<void>;
  /** Lets `made` count as read from the store where `data` was. */
  inherit(made: object, data: object): void;
}

/** More than contention on one session makes likely. */
const MAX_ATTEMPTS = 100;

export function createSessionRecords({ store, prefix, ttl, clock }: SessionRecordsParts): SessionRecords {
  /** The objects that are, or were, in the store: by which id and at which version; 0 when that is not known. */
  const stored = new WeakMap<object, { readonly sid: string; readonly version: number }>();

  const endOf = ({ cookie }: Partial<SessionData>) => cookieEnd(cookie ?? {}, clock.now()) ?? clock.now() + ttl * 1000;
  const load = (sid: string) => store.get(collection, sessionKey(prefix, sid));
  const encode = (sid: string, data: SessionData) => encodeExpressSession(prefix, { sid, data }, endOf(data));
  const remove = (partition: string) => store.commit([{ op: "clear", in: collection, partition }]);

  const replace = (sid: string, data: SessionData, ifVersion: number): Promise<boolean> =>
    store.commit([{ op: "replace", in: collection, record: encode(sid, data), ifVersion }]);

  /** Writes over a session while there is one, at `version` or else as `change` makes it of the newer one. */
  const overwrite = async (sid: string, data: SessionData, version: number, change: (newer: StoredRecord) => SessionData) => {
    if (version > 0 && (await replace(sid, data, version))) return void stored.set(data, { sid, version: version + 1 });
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const newer = await load(sid);
      if (!newer) return;
      if (await replace(sid, change(newer), newer.version)) return void stored.set(data, { sid, version: newer.version + 1 });
    }
    throw new StorageError("A session is changing too fast");
  };

  const scan = async function* () {
    for (let after: string | null = ""; after !== null;) {
      const page: Awaited<ReturnType<RecordStore["scan"]>> = await store.scan(collection, after === "" ? {} : { after });
      yield page.records.filter((record) => hasPrefix(record, prefix));
      after = page.next;
    }
  };

  return {
    async read(sid) {
      const record = await load(sid);
      if (!record) return null;
      const { data } = decodeExpressSession(record);
      stored.set(data, { sid, version: record.version });
      return data;
    },

    async write(sid, data) {
      if (endOf(data) <= clock.now()) return this.destroy(sid);
      const known = stored.get(data);
      if (known?.sid === sid) return overwrite(sid, data, known.version, () => data);
      if (await store.commit([{ op: "insert", in: collection, record: encode(sid, data) }]))
        return void stored.set(data, { sid, version: 1 });
      await store.commit([{ op: "put", in: collection, record: encode(sid, data) }]);
      stored.set(data, { sid, version: 0 });
    },

    async touch(sid, data) {
      if (endOf(data) <= clock.now()) return this.destroy(sid);
      // What was changed in `data` but never set, or set meanwhile by another request, is none of its business.
      await overwrite(sid, data, 0, (newer) => ({ ...decodeExpressSession(newer).data, cookie: data.cookie }));
    },

    async destroy(sid) {
      await remove(sessionKey(prefix, sid).partition);
    },

    async all() {
      const found: RestedSession[] = [];
      for await (const records of scan()) found.push(...records.map(decodeExpressSession));
      return found;
    },

    async count() {
      let count = 0;
      for await (const records of scan()) count += records.length;
      return count;
    },

    async clear() {
      for await (const records of scan()) await Promise.all(records.map(({ partition }) => remove(partition)));
    },

    inherit(made, data) {
      const read = stored.get(data);
      if (read) stored.set(made, read);
    },
  };
}
