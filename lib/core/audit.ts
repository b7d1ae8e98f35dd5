import { RequestError, StorageError } from "../errors.ts";
import { directoryKey } from "../storage/collection.ts";
import type { NewRecord, RecordStore } from "../storage/record-store.ts";
import {
  ALL_ENTRIES,
  auditCollection,
  auditPlace,
  createAuditId,
  decodeAuditEntry,
  encodeAuditEntry,
  type AuditEntry,
} from "./audit-record.ts";
import type { AuditConfig } from "./audit-options.ts";
import type { AuthEvent, Events } from "./events.ts";
import { assertUserId } from "./principals.ts";
import { readable, reportingUnreadable } from "./unreadable-records.ts";

export type { AuditEntry } from "./audit-record.ts";

/** Which entries to list: of one user, of one tenant, or of everybody. */
export interface AuditQuery {
  readonly userId?: string | undefined;
  /** Not together with `userId`. */
  readonly tenantId?: string | undefined;
  /** From this instant on, Unix ms. Default: as far back as they are kept. */
  readonly since?: number | undefined;
  /** Before this instant, Unix ms. Default: until now. */
  readonly until?: number | undefined;
  /** 1 to 1000. Default: 100. */
  readonly limit?: number | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
}

/** What happened, kept in the store. Switched on by the `audit` option. */
export interface Audit {
  /**
   * Entries, the newest first. One read, however many others there are. An event is here a moment after it happened: in this
   * process at once after {@link Audit.flush}.
   * @throws {RequestError} `invalid_audit_query`.
   */
  list(query?: AuditQuery): Promise<{ entries: AuditEntry[]; next: string | null }>;
  /** Resolves when everything that happened until now is written, or rejects with what the store said. */
  flush(): Promise<void>;
}

/** {@link Audit}, and what only the kit may do with it. */
export interface AuditTrail extends Audit {
  /** Removes what is kept about a user, a hundred entries at once; may be repeated until it succeeds. */
  forget(userId: string): Promise<void>;
  /**
   * Takes a user out of what administrators did to them: the act stays, and on whom becomes {@link ERASED}. `isTheirs` knows their other
   * ids; those in their own entries are known here, so call it before {@link AuditTrail.forget}. O(all) entries; may be repeated.
   */
  forgetTarget(userId: string, isTheirs: (target: string) => boolean): Promise<void>;
  /** For the end: writes what is left, or gives up after `ms`. */
  close(ms: number): Promise<void>;
}

export interface AuditParts {
  readonly store: RecordStore;
  readonly events: Events;
  readonly config: AuditConfig;
  /** Entries waiting for the store. Default: 10,000; while it is away longer, the newest are lost and counted. */
  readonly capacity?: number;
  /** Waits; given by tests. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** Records one commit writes. */
const BATCH = 100;
const MAX_PAGE = 1000;
/** What `admin.acted` tells in the place of somebody who was erased. */
const ERASED = "erased";
/** Waits after a failure, ms; the last again and again. */
const BACKOFF = [250, 500, 1000, 2000, 5000];

const unrefSleep = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms).unref());

/** Writes events to the store as they happen, off the response path: many in one commit, each once, however often a write is repeated. */
export function createAudit({ store, events, config, capacity = 10_000, sleep = unrefSleep }: AuditParts): AuditTrail {
  const decode = reportingUnreadable(events, auditCollection, decodeAuditEntry);
  const waiting: NewRecord[] = [];
  let turn = 0;
  let lost = 0;
  let writing: Promise<void> | null = null;
  let underWay: Promise<void> | null = null;
  let closed = false;

  /** A batch leaves the queue when it is written; written again after a failure it is the same records. */
  const writeOldest = async () => {
    const batch = waiting.slice(0, BATCH);
    await store.commit(batch.map((record) => ({ op: "put", in: auditCollection, record, quiet: true })));
    waiting.splice(0, batch.length);
    if (lost === 0) return;
    const count = lost;
    lost = 0;
    events.emit("audit.lost", { count });
  };

  const writeBatch = () => (underWay ??= writeOldest().finally(() => (underWay = null)));

  const writeAll = async () => {
    for (let failures = 0; waiting.length > 0 && !closed;) {
      try {
        await writeBatch();
        failures = 0;
      } catch {
        await sleep(BACKOFF[Math.min(failures, BACKOFF.length - 1)] ?? 0);
        failures += 1;
      }
    }
  };

  const wake = () => {
    writing ??= new Promise<void>((resolve) => setImmediate(resolve)).then(writeAll).finally(() => {
      writing = null;
      if (waiting.length > 0 && !closed) wake();
    });
  };

  const stop = events.on("*", (event) => {
    if (!config.events.has(event.type) || isOverLimit(event)) return;
    if (waiting.length >= capacity) return void (lost += 1);
    turn += 1;
    const entry = { id: createAuditId(event.at, turn), ...subjectKept(event) } as AuditEntry;
    waiting.push(encodeAuditEntry(entry, event.at + config.retention * 1000));
    wake();
  });

  const flush = async () => {
    const last = waiting.at(-1);
    while (last && waiting.includes(last)) await writeBatch();
  };

  /** What a user's own entries name: sessions, keys, accounts. */
  const idsIn = async (userId: string) => {
    const ids: string[] = [];
    for (let after: string | undefined; ;) {
      const found = await store.find(auditCollection, "userId", userId, { limit: MAX_PAGE, ...(after === undefined ? {} : { after }) });
      for (const { details } of readable(found, decode))
        for (const [name, value] of Object.entries(details)) if (name.endsWith("Id") && typeof value === "string") ids.push(value);
      if (found.length < MAX_PAGE) return ids;
      after = found.at(-1)?.id;
    }
  };

  return {
    async list({ userId, tenantId, since, until, limit = 100, after } = {}) {
      assertQuery({ userId, tenantId, since, until, limit, after });
      const [lookup, value] =
        userId !== undefined
          ? (["userId", userId] as const)
          : tenantId !== undefined
            ? (["tenantId", tenantId] as const)
            : (["all", ALL_ENTRIES] as const);
      const start = until === undefined ? undefined : auditPlace(until);
      const behind = [after, start]
        .filter((each) => each !== undefined)
        .sort()
        .at(-1);
      const page = { limit: limit + 1, ...(behind === undefined ? {} : { after: behind }) };
      const found = await store.find(auditCollection, lookup, value, page);
      const wanted = since === undefined ? found : found.filter(({ id }) => id < auditPlace(since));
      const shown = wanted.slice(0, limit);
      return { entries: readable(shown, decode), next: wanted.length > limit ? (shown.at(-1)?.id ?? null) : null };
    },

    flush,

    async forget(userId) {
      await flush();
      for (;;) {
        const found = await store.find(auditCollection, "userId", userId, { limit: BATCH });
        if (found.length === 0) return;
        await store.commit(found.map(({ id }) => ({ op: "delete", in: auditCollection, key: directoryKey(id) })));
      }
    },

    async forgetTarget(userId, isTheirs) {
      await flush();
      const theirs = new Set([userId, ...(await idsIn(userId))]);
      for (let after: string | undefined; ;) {
        const page = await store.scan(auditCollection, { limit: MAX_PAGE, ...(after === undefined ? {} : { after }) });
        // Whom they are about is in them, so that nobody could say that all is done.
        if (page.unreadable) throw new StorageError("Some stored entries of the audit could not be read");
        for (const stored of page.records) {
          const [entry] = readable([stored], decode);
          if (entry?.type !== "admin.acted") continue;
          const { action, target } = entry.details;
          if (!theirs.has(target) && !isTheirs(target)) continue;
          const record = encodeAuditEntry({ ...entry, details: { action, target: ERASED } }, 0);
          const { expiresAt, version: ifVersion } = stored;
          // Refused where it is gone, or was written so already: nothing else is ever made of an entry.
          await store.commit([{ op: "replace", in: auditCollection, record: { ...record, expiresAt }, ifVersion, quiet: true }]);
        }
        if (page.next === null) return;
        after = page.next;
      }
    },

    async close(ms) {
      stop();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
      await Promise.race([late, flush().catch(() => {})]);
      clearTimeout(timer);
      closed = true;
    },
  };
}

/** What a limit kept from being tried, anybody can have refused as often as they like: nothing came of it that the tries before do not tell. */
function isOverLimit(event: AuthEvent): boolean {
  return event.type === "sign_in.failed" && event.details.code === "rate_limited";
}

/** An event about somebody erased must not bring their id back. */
function subjectKept(event: AuthEvent): AuthEvent {
  return event.type === "user.erased" ? { ...event, userId: null, source: null } : event;
}

function assertQuery({ userId, tenantId, since, until, limit, after }: AuditQuery): void {
  if (userId !== undefined) assertUserId(userId);
  const isInstant = [since, until].every((at) => at === undefined || (Number.isSafeInteger(at) && at >= 0));
  const isPage = Number.isInteger(limit) && (limit ?? 0) >= 1 && (limit ?? 0) <= MAX_PAGE;
  const isPlace = after === undefined || (typeof after === "string" && /^[0-9a-f]{32}$/.test(after));
  const isTenant = tenantId === undefined || (typeof tenantId === "string" && tenantId !== "" && userId === undefined);
  if (isInstant && isPage && isPlace && isTenant) return;
  throw new RequestError(`Give one of userId and tenantId, instants in Unix ms, and a page of 1 to ${MAX_PAGE}`, "invalid_audit_query");
}
