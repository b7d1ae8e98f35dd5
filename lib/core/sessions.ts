import type { Clock } from "../clock.ts";
import { randomToken } from "../crypto/random.ts";
import { ownerTag } from "../crypto/hash.ts";
import { AuthError, CredentialError, NotFoundError, PermissionError, RequestError, StorageError } from "../errors.ts";
import type { Page, RecordKey, RecordStore, Write } from "../storage/record-store.ts";
import type { Background } from "./background.ts";
import { deviceLabel } from "./device-label.ts";
import type { Events, RequestSource, RevocationReason } from "./events.ts";
import { isMember, mayStay, type Membership } from "./membership.ts";
import { assertUserId, sameEpoch, type Principals } from "./principals.ts";
import { guestLife, idleEnd, type SessionLife } from "./session-life.ts";
import {
  decodeSession as decodeRecord,
  encodeSession,
  secretMatches,
  sessionCollection,
  type Session,
  type SessionDevice,
  type SessionRecord,
  type SessionTransport,
} from "./session-record.ts";
import { parseSessionId, publicSessionId, type ParsedToken, type SessionTokens } from "./session-token.ts";
import { readable, reportingUnreadable } from "./unreadable-records.ts";

export type { Session, SessionDevice, SessionTransport } from "./session-record.ts";

/** What makes a session. */
export interface NewSession {
  readonly userId: string;
  /** How the user authenticated: `oidc`, `magic_code`, ... Default: none. */
  readonly methods?: readonly string[] | undefined;
  /** Unix ms of the authentication. Default: now. */
  readonly authenticatedAt?: number | undefined;
  /** Default: `full`. */
  readonly type?: string | undefined;
  /** Default: `session`, the cookie. */
  readonly transport?: SessionTransport | undefined;
  readonly tenantId?: string | null | undefined;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  readonly source?: RequestSource | null | undefined;
  readonly idp?: Session["idp"] | undefined;
  /** The epoch at which the proof behind it held. Default: not compared, so an ending between proof and session goes unnoticed. */
  readonly epoch?: Session["epoch"] | undefined;
}

/** A session together with the one copy of its token. */
export interface IssuedSession {
  readonly session: Session;
  /** Give it to the client; it is kept nowhere. */
  readonly token: string;
}

/** What a token turned out to be: a live session, or why it is none. */
export type Resolution =
  | { readonly session: Session; readonly resign: string | null; readonly failure: null }
  | { readonly session: null; readonly resign: null; readonly failure: AuthError };

/** A session as operators see it. */
export interface ListedSession extends Session {
  readonly expired: boolean;
}

/** Moves what a guest had to the user it became. Called at least once, so it must be idempotent. */
export type GuestMerge = (merge: { guestId: string; userId: string; data: Readonly<Record<string, unknown>> }) => void | Promise<void>;

export interface SessionsConfig {
  readonly life: SessionLife;
  /** `multi`: up to `max` sessions a user, the oldest ends. `single`: a new one ends the others. */
  readonly policy: "multi" | "single";
  readonly max: number;
  readonly membership: Membership | null;
  readonly onGuestMerge: GuestMerge | null;
}

/** Sessions: one for each browser or native client, kept in the store, named by a token that only the client has. */
export interface Sessions {
  /**
   * Makes a session. The epoch is read again after the insert and before anything is returned, so a session that raced
   * with "end all sessions" is refused. Three waits on the store, two where it keeps order.
   * @throws {CredentialError} `user_disabled`, or `session_revoked` when it raced with an ending; {@link RequestError} `invalid_user_id`,
   *   `session_data_too_large`.
   */
  create(options: NewSession): Promise<IssuedSession>;
  /** Makes a session for somebody not known: its user id is `guest_...`, and it never counts as signed in. */
  createGuest(options?: Pick<NewSession, "data" | "source" | "transport">): Promise<IssuedSession>;
  /** What a token stands for. One store read, none for a forged one; never throws for a bad token. @throws {StorageError} when nobody can tell. */
  resolve(token: string): Promise<Resolution>;
  /**
   * Notes that a session was used: at most once a minute, off the response path; then also checks that its user still stands as it did,
   * and takes it out of a tenant that the user is no member of any more.
   */
  touch(session: Session): void;
  /** A live session by its public id. One read. */
  get(id: string): Promise<Session | null>;
  /** A user's live sessions, the latest used first. One read. */
  list(userId: string): Promise<Session[]>;
  /** All sessions, for operators, a page at a time. `expired` flags those that are over but rest still, such as merged guests. O(all). */
  listAll(page?: Page): Promise<{ sessions: ListedSession[]; next: string | null }>;
  /** How many live sessions there are, for operators. O(all). */
  count(): Promise<number>;
  /** Gives a session a new secret: the old token is dead at once. @throws {CredentialError} `session_rotated` when another request did so first. */
  rotate(session: Session, change?: { authenticatedAt: number; methods: readonly string[] }): Promise<IssuedSession>;
  /** Ends one session by its public id; with `userId` only if it is theirs. @returns whether it was there. */
  revoke(
    id: string,
    options?: { userId?: string | undefined; reason?: RevocationReason | undefined; source?: RequestSource | null | undefined },
  ): Promise<boolean>;
  /**
   * Ends all sessions of a user, or all but `keep`: raises the epoch, then one command, whatever their number. The user's API keys end
   * by the epoch too, within a minute of use.
   * @throws {CredentialError} `session_revoked` when `keep` itself was ended before: then nothing is done.
   */
  revokeAll(
    userId: string,
    options?: { keep?: Session | undefined; reason?: RevocationReason | undefined; source?: RequestSource | null | undefined },
  ): Promise<void>;
  /** Sets the device label. @returns whether the session is there. */
  setDevice(id: string, label: string | null): Promise<boolean>;
  /** Moves a session to a tenant the `membership` callback admits the user to, with a new secret. @throws {PermissionError} `not_a_member`. */
  setTenant(session: Session, tenantId: string | null): Promise<IssuedSession>;
  /** Sets the named fields of `data` and leaves the others; `undefined` removes one. @throws {RequestError} `session_data_too_large`. */
  updateData(id: string, fields: Readonly<Record<string, unknown>>): Promise<Session>;
  /** Takes the user's present roles into all their sessions, at once. */
  refresh(userId: string): Promise<void>;
  /**
   * Makes a guest's session into a user's, or a new one where there was no guest: claims the guest record (one user can), makes the new session with its data, drops the guest.
   * Each step may be repeated, so a crash between them loses nothing.
   */
  upgrade(guestToken: string | null, options: NewSession): Promise<IssuedSession>;
  /** Removes expired records of every kind, some at a time. */
  sweep(options?: { limit?: number }): Promise<Readonly<Record<string, number>>>;
}

const TOUCH_INTERVAL = 60_000;
const MAX_DATA = 64 * 1024;
const MAX_GUEST_DATA = 16 * 1024;
/** Far more than contention on one session makes likely. */
const MAX_ATTEMPTS = 100;

export interface SessionsParts {
  readonly store: RecordStore;
  readonly tokens: SessionTokens;
  readonly principals: Principals;
  readonly clock: Clock;
  readonly events: Events;
  readonly background: Background;
  readonly config: SessionsConfig;
}

export function createSessions({ store, tokens, principals, clock, events, background, config }: SessionsParts): Sessions {
  /** How a session was resolved last in this process, so that acting on it needs no second look-up of its secret. */
  const records = new WeakMap<Session, SessionRecord>();

  const decodeSession = reportingUnreadable(events, sessionCollection, decodeRecord);

  const remember = (record: SessionRecord): Session => {
    records.set(record.session, record);
    return record.session;
  };

  const lifeOf = (session: { kind: Session["kind"] }) => (session.kind === "guest" ? guestLife : config.life);

  const keyOf = (id: string): RecordKey => {
    const key = parseSessionId(id);
    if (!key) throw new NotFoundError("No such session");
    return key;
  };

  const load = async ({ partition, id }: RecordKey): Promise<SessionRecord | null> => {
    const stored = await store.get(sessionCollection, { partition, id });
    return stored && decodeSession(stored);
  };

  const isLive = ({ session, mergedInto }: SessionRecord) =>
    mergedInto === null && clock.now() < Math.min(session.expiresAt, session.idleExpiresAt);

  const replace = (record: SessionRecord, options: { quiet?: true } = {}): Promise<boolean> =>
    store.commit([{ op: "replace", in: sessionCollection, record: encodeSession(record), ifVersion: record.version, ...options }]);

  /** Changes a live session by compare-and-set, tried again on the newer record; `null` when it is gone. A removed one never comes back. */
  const change = async (
    key: RecordKey,
    next: (record: SessionRecord) => SessionRecord,
    options: { quiet?: true } = {},
  ): Promise<SessionRecord | null> => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await load(key);
      if (!record || !isLive(record)) return null;
      const changed = next(record);
      if (changed === record) return record;
      if (await replace(changed, options)) return { ...changed, version: record.version + 1 };
    }
    throw new StorageError("A session is changing too fast");
  };

  const revoked = (
    session: Pick<Session, "id" | "userId" | "tenantId"> | null,
    userId: string,
    reason: RevocationReason,
    source: RequestSource | null = null,
  ) => events.emit("session.revoked", { sessionId: session?.id ?? null, reason }, { userId, tenantId: session?.tenantId ?? null, source });

  /** Inserts under the policy, then makes sure that nothing ended in between what it was made under. */
  const insert = async (
    userId: string,
    make: (epoch: Session["epoch"], roles: readonly string[]) => Omit<SessionRecord, "version">,
    single: boolean,
    proven: Session["epoch"] | undefined,
  ): Promise<SessionRecord> => {
    const { epoch, principal } = await principals.activeStanding(userId);
    if (proven && !sameEpoch(epoch, proven)) throw endedMeanwhile();
    const record = make(epoch, principal.roles);
    const added: Write = { op: "insert", in: sessionCollection, record: encodeSession(record), max: config.max };
    const writes: Write[] = single ? [{ op: "clear", in: sessionCollection, partition: record.tag }, added] : [added];
    const inserted = store.commit(writes);
    const [done, after] = store.ordered
      ? await Promise.all([inserted, principals.standing(userId)])
      : [await inserted, await principals.standing(userId)];
    if (!done) throw new StorageError("A session could not be stored");
    if (after.principal.status !== "active" || !sameEpoch(after.epoch, epoch)) {
      await store.commit([{ op: "delete", in: sessionCollection, key: { partition: record.tag, id: record.sid } }]);
      throw endedMeanwhile();
    }
    return { ...record, version: 1 };
  };

  const make = async (options: NewSession & { kind: Session["kind"] }): Promise<IssuedSession> => {
    const { userId, kind, source = null, data = {} } = options;
    assertUserId(userId);
    assertData(data, kind);
    const now = clock.now();
    const tag = ownerTag(userId);
    const { token, sid, secretHash } = tokens.issue(tag);
    const life = lifeOf(options);
    const expiresAt = now + life.absoluteTtl * 1000;
    const record = await insert(
      userId,
      (epoch, roles) => ({
        tag,
        sid,
        secretHash,
        mergedInto: null,
        session: {
          id: publicSessionId(tag, sid),
          userId,
          kind,
          type: options.type ?? "full",
          transport: options.transport ?? "session",
          createdAt: now,
          expiresAt,
          idleExpiresAt: idleEnd(now, expiresAt, life),
          lastSeenAt: now,
          authenticatedAt: options.authenticatedAt ?? now,
          methods: options.methods ?? [],
          tenantId: options.tenantId ?? null,
          roles: kind === "guest" ? [] : roles,
          device: deviceOf(source),
          data,
          epoch,
          idp: options.idp ?? null,
        },
      }),
      kind === "user" && config.policy === "single",
      options.epoch,
    );
    const session = remember(record);
    events.emit(
      "session.created",
      { sessionId: session.id, kind, methods: session.methods },
      { userId, tenantId: session.tenantId, source },
    );
    return { session, token };
  };

  /** A new secret, and whatever `next` changes with it, if the session still has the secret it was resolved with. */
  const reissue = async (session: Session, next: (session: Session) => Session): Promise<IssuedSession> => {
    const known = records.get(session);
    const key = keyOf(session.id);
    const { token, secretHash } = tokens.issue(key.partition, key.id);
    const changed = await change(key, (record) => {
      if (known && !secretMatches(record, known.secretHash)) {
        throw new CredentialError("session_rotated", "This session was given a new token by another request");
      }
      return { ...record, secretHash, session: next(record.session) };
    });
    if (!changed) throw new CredentialError("session_revoked", "This session has ended");
    events.emit("session.rotated", { sessionId: session.id }, { userId: session.userId, tenantId: changed.session.tenantId });
    return { session: remember(changed), token };
  };

  const drop = async (session: Session, reason: RevocationReason) => {
    await store.commit([{ op: "delete", in: sessionCollection, key: keyOf(session.id) }]);
    revoked(session, session.userId, reason);
  };

  /** The minute's check and write-back. What it finds stale it ends; what it writes cannot bring a removed session back. */
  const writeActivity = async (known: SessionRecord) => {
    const { session } = known;
    const { principal, epoch } = await principals.standing(session.userId);
    if (principal.status !== "active") return drop(session, "disabled");
    if (!sameEpoch(epoch, session.epoch)) return drop(session, "stale_epoch");
    const lastSeenAt = session.createdAt + Math.floor((clock.now() - session.createdAt) / 1000) * 1000;
    const idleExpiresAt = idleEnd(lastSeenAt, session.expiresAt, lifeOf(session));
    const roles = session.kind === "guest" ? session.roles : principal.roles;
    const leaves = !(await mayStay(config.membership, session));
    const next = { ...session, lastSeenAt, idleExpiresAt, roles, tenantId: leaves ? null : session.tenantId };
    const sameRights = !leaves && roles.length === session.roles.length && roles.every((role) => session.roles.includes(role));
    const written = await replace({ ...known, session: next }, sameRights ? { quiet: true } : {});
    if (leaves && written) {
      events.emit("tenant.left", { sessionId: session.id }, { userId: session.userId, tenantId: session.tenantId });
    }
  };

  const endedOrNever = () => failed(new CredentialError("session_not_found", "This session has ended: sign in again"));

  const resolved = async (parsed: ParsedToken, token: string): Promise<Resolution> => {
    const stored = await store.get(sessionCollection, { partition: parsed.tag, id: parsed.sid });
    if (!stored) return endedOrNever();
    const record = decodeSession(stored, parsed.id);
    if (!secretMatches(record, parsed.secretHash) || !isLive(record)) return endedOrNever();
    return { session: remember(record), resign: parsed.current ? null : tokens.resign(token), failure: null };
  };

  return {
    create: (options) => make({ ...options, kind: "user" }),

    createGuest: ({ data = {}, source = null, transport = "session" } = {}) =>
      make({ userId: `guest_${randomToken(16)}`, kind: "guest", data, source, transport }),

    async resolve(token) {
      const parsed = tokens.parse(token);
      if (!parsed) return failed(new CredentialError("invalid_token", "This is not a session token of ours"));
      return await resolved(parsed, token);
    },

    touch(session) {
      if (clock.now() - session.lastSeenAt < TOUCH_INTERVAL) return;
      const known = records.get(session);
      // A copy: what the application does to the one it was given must not be written back.
      const copy = known && { ...known, session: structuredClone(session) };
      if (copy) background.run(`touch ${session.id}`, () => writeActivity(copy));
    },

    async get(id) {
      const key = parseSessionId(id);
      const record = key && (await load(key));
      return record && isLive(record) ? remember(record) : null;
    },

    async list(userId) {
      const stored = await store.list(sessionCollection, ownerTag(userId));
      return readable(stored, decodeSession)
        .filter(isLive)
        .map(remember)
        .sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.createdAt - a.createdAt);
    },

    async listAll(page) {
      const { records: stored, next } = await store.scan(sessionCollection, page);
      return {
        sessions: readable(stored, decodeSession).map((record) => ({ ...record.session, expired: !isLive(record) })),
        next,
      };
    },

    async count() {
      let total = 0;
      let after: string | undefined;
      do {
        const page = await store.scan(sessionCollection, { limit: 1000, ...(after === undefined ? {} : { after }) });
        total += readable(page.records, decodeSession).filter(isLive).length;
        after = page.next ?? undefined;
      } while (after !== undefined);
      return total;
    },

    rotate: (session, fresh) =>
      reissue(session, (current) => (fresh ? { ...current, authenticatedAt: fresh.authenticatedAt, methods: fresh.methods } : current)),

    async revoke(id, { userId, reason = "revoked", source = null } = {}) {
      const key = parseSessionId(id);
      if (!key || (userId !== undefined && key.partition !== ownerTag(userId))) return false;
      const taken = await store.take(sessionCollection, key);
      if (!taken) return false;
      // Gone is gone, also when it was one that nobody could read.
      const [record] = readable([taken], decodeSession);
      events.emit(
        "session.revoked",
        { sessionId: id, reason },
        { userId: record?.session.userId ?? userId ?? null, tenantId: record?.session.tenantId ?? null, source },
      );
      return true;
    },

    async revokeAll(userId, { keep, reason = "revoked_all", source = null } = {}) {
      assertUserId(userId);
      const partition = ownerTag(userId);
      const kept = keep ? await raiseAllBut(userId, keyOf(keep.id)) : await principals.raiseEpoch(userId).then(() => null);
      await store.commit([{ op: "clear", in: sessionCollection, partition, ...(kept ? { keep: kept.id } : {}) }]);
      revoked(null, userId, reason, source);
    },

    async setDevice(id, label) {
      const key = parseSessionId(id);
      if (!key) return false;
      const device = (session: Session): SessionDevice => ({ label: label?.slice(0, 80) ?? null, ip: session.device?.ip ?? null });
      return (
        (await change(key, (record) => ({ ...record, session: { ...record.session, device: device(record.session) } }), {
          quiet: true,
        })) !== null
      );
    },

    async setTenant(session, tenantId) {
      if (tenantId !== null && !(await isMember(config.membership, session.userId, tenantId))) {
        throw new PermissionError("not_a_member", "You are not a member of this tenant");
      }
      const issued = await reissue(session, (current) => ({ ...current, tenantId }));
      events.emit("tenant.switched", { sessionId: session.id }, { userId: session.userId, tenantId });
      return issued;
    },

    async updateData(id, fields) {
      const changed = await change(keyOf(id), (record) => {
        const data = Object.fromEntries(Object.entries({ ...record.session.data, ...fields }).filter(([, value]) => value !== undefined));
        assertData(data, record.session.kind);
        return { ...record, session: { ...record.session, data } };
      });
      if (!changed) throw new NotFoundError("No such session");
      return remember(changed);
    },

    async refresh(userId) {
      const { principal } = await principals.standing(userId);
      const stored = await store.list(sessionCollection, ownerTag(userId));
      for (const { tag, sid } of readable(stored, decodeSession)) {
        await change({ partition: tag, id: sid }, (record) => ({ ...record, session: { ...record.session, roles: principal.roles } }));
      }
    },

    async upgrade(guestToken, options) {
      const parsed = guestToken === null ? null : tokens.parse(guestToken);
      const key = parsed && { partition: parsed.tag, id: parsed.sid };
      const guest = key && (await claim(key, parsed, options.userId));
      if (!key || !guest) return make({ ...options, kind: "user" });
      const { userId: guestId, data } = guest.session;
      await config.onGuestMerge?.({ guestId, userId: options.userId, data });
      const issued = await make({ ...options, data: { ...data, ...options.data }, kind: "user" });
      await store.commit([{ op: "delete", in: sessionCollection, key }]);
      events.emit(
        "session.upgraded",
        { guestId, sessionId: issued.session.id },
        { userId: options.userId, source: options.source ?? null },
      );
      return issued;
    },

    sweep: (options) => store.sweep(options),
  };

  /**
   * Raises the epoch under every session but one, which moves on with it. One that was ended already, by an epoch raised before,
   * is not brought back, and ends nothing: of two sessions that each want to be the last one, one is.
   */
  async function raiseAllBut(userId: string, key: RecordKey): Promise<RecordKey> {
    const [{ epoch }, record] = await Promise.all([principals.activeStanding(userId), load(key)]);
    if (key.partition !== ownerTag(userId) || !record || !isLive(record) || !sameEpoch(record.session.epoch, epoch)) throw endedMeanwhile();
    if (!(await principals.raiseEpoch(userId, epoch[0]))) throw endedMeanwhile();
    const next: Session["epoch"] = [epoch[0] + 1, epoch[1]];
    await change(key, (current) => ({ ...current, session: { ...current.session, epoch: next } }));
    return key;
  }

  /** Marks a guest as merged into a user: of two users one wins; the same user may claim again. */
  async function claim(key: RecordKey, parsed: ParsedToken, userId: string): Promise<SessionRecord | null> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await load(key);
      if (!record || record.session.kind !== "guest" || !secretMatches(record, parsed.secretHash)) return null;
      if (record.mergedInto !== null) return record.mergedInto === userId ? record : null;
      if (await replace({ ...record, mergedInto: userId })) return record;
    }
    throw new StorageError("A guest session is changing too fast");
  }
}

function failed(failure: AuthError): Resolution {
  return { session: null, resign: null, failure };
}

function endedMeanwhile(): CredentialError {
  return new CredentialError("session_revoked", "All sessions of this user were ended meanwhile: sign in again");
}

function deviceOf(source: RequestSource | null): SessionDevice | null {
  if (!source) return null;
  const label = deviceLabel(source.userAgent);
  return label === null && source.ip === null ? null : { label, ip: source.ip };
}

function assertData(data: Readonly<Record<string, unknown>>, kind: Session["kind"]): void {
  const size = Buffer.byteLength(JSON.stringify(data));
  if (size > (kind === "guest" ? MAX_GUEST_DATA : MAX_DATA)) {
    throw new RequestError("The session holds too much data", "session_data_too_large", { status: 413 });
  }
}
