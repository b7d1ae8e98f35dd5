import type { Clock } from "../clock.ts";
import { ownerTag } from "../crypto/hash.ts";
import { randomToken } from "../crypto/random.ts";
import { AuthError, CredentialError, NotFoundError, PermissionError } from "../errors.ts";
import type { Page, RecordStore } from "../storage/record-store.ts";
import type { Background } from "./background.ts";
import type { Events } from "./events.ts";
import { createGuestUpgrade, type GuestMerge } from "./guest-upgrade.ts";
import { createLiveSessions, keyOfSession, type LiveSessions } from "./live-sessions.ts";
import { isMember, type Membership } from "./membership.ts";
import { assertData, createSessionMaker, type IssuedSession, type NewSession } from "./new-session.ts";
import type { Principals } from "./principals.ts";
import type { ProviderSessions } from "./provider-sessions.ts";
import type { RefreshTokenText } from "./refresh-token-text.ts";
import { createSessionActivity } from "./session-activity.ts";
import { createSessionEndings, type SessionEndings } from "./session-endings.ts";
import type { SessionLife } from "./session-life.ts";
import { secretMatches, sessionCollection, type Session, type SessionDevice } from "./session-record.ts";
import { parseSessionId, type SessionTokens } from "./session-token.ts";
import { reportUnreadable } from "./unreadable-records.ts";

export type { GuestMerge } from "./guest-upgrade.ts";
export type { IssuedSession, NewSession } from "./new-session.ts";
export type { Session, SessionDevice, SessionTransport } from "./session-record.ts";

/** What a token turned out to be: a live session, or why it is none. */
export type Resolution =
  | { readonly session: Session; readonly resign: string | null; readonly failure: null }
  | { readonly session: null; readonly resign: null; readonly failure: AuthError };

/** A session as operators see it. */
export interface ListedSession extends Session {
  readonly expired: boolean;
}

export interface SessionsConfig {
  readonly life: SessionLife;
  /** `multi`: up to `max` sessions a user, the oldest ends. `single`: a new one ends the others. */
  readonly policy: "multi" | "single";
  readonly max: number;
  readonly membership: Membership | null;
  readonly onGuestMerge: GuestMerge | null;
}

/** Sessions: one for each browser or native client, kept in the store, named by a token that only the client has. */
export interface Sessions extends SessionEndings {
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
  /** What {@link Sessions.resolve} would say at once of a good token, where the store holds its record in this process; `null`: nobody knows yet. */
  seen(token: string): Session | null;
  /**
   * Notes that a session was used: at most once a minute, off the response path; then also checks that its user still stands as it did,
   * and takes it out of a tenant that the user is no member of any more.
   */
  touch(session: Session): void;
  /** A live session by its public id. One read. */
  get(id: string): Promise<Session | null>;
  /** A user's live sessions, the latest used first. One read. */
  list(userId: string): Promise<Session[]>;
  /** All sessions, for operators, a page at a time. `expired` flags those that are over but rest still, such as merged guests; `unreadable` counts those left out. O(all). */
  listAll(page?: Page): Promise<{ sessions: ListedSession[]; next: string | null; unreadable: number }>;
  /** How many live sessions there are, for operators. O(all). */
  count(): Promise<number>;
  /** Gives a session a new secret, and new refresh tokens: the old ones are dead at once. @throws {CredentialError} `session_rotated` when another request did so first. */
  rotate(session: Session, change?: { authenticatedAt: number; methods: readonly string[] }): Promise<IssuedSession>;
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

export interface SessionsParts {
  readonly store: RecordStore;
  readonly tokens: SessionTokens;
  /** Session records, where refresh tokens share them. Default: of its own. */
  readonly live?: LiveSessions | undefined;
  /** Makes the state of refresh tokens. Default: no session has any. */
  readonly refreshText?: RefreshTokenText | null | undefined;
  /** Where sessions that a provider named are found by its name for them. Default: nowhere. */
  readonly providerSessions?: ProviderSessions | null | undefined;
  readonly principals: Principals;
  readonly clock: Clock;
  readonly events: Events;
  readonly background: Background;
  readonly config: SessionsConfig;
}

export function createSessions(parts: SessionsParts): Sessions {
  const { store, tokens, principals, clock, events, config } = parts;
  const sessions = parts.live ?? createLiveSessions(parts);
  const { load, isLive, change, remember } = sessions;
  const make = createSessionMaker({ ...parts, sessions });
  const touch = createSessionActivity({ ...parts, sessions });
  const endings = createSessionEndings({ ...parts, sessions });
  const upgrade = createGuestUpgrade({ ...parts, sessions, make, onGuestMerge: config.onGuestMerge });

  /** A new secret, and whatever `next` changes with it, if the session still has the secret it was resolved with. */
  const reissue = async (session: Session, next: (session: Session) => Session): Promise<IssuedSession> => {
    const known = sessions.known(session);
    const key = keyOfSession(session.id);
    const { token, secretHash } = tokens.issue(key.partition, key.id);
    const changed = await change(key, (record) => {
      if (known && !secretMatches(record, known.secretHash)) {
        throw new CredentialError("session_rotated", "This session was given a new token by another request");
      }
      // Its refresh tokens are credentials of it, too: a family of its own begins.
      const refresh = record.refresh && parts.refreshText ? parts.refreshText.begin(clock.now()) : record.refresh;
      return { ...record, secretHash, refresh, session: next(record.session) };
    });
    if (!changed) throw new CredentialError("session_revoked", "This session has ended");
    events.emit("session.rotated", { sessionId: session.id }, { userId: session.userId, tenantId: changed.session.tenantId });
    return { session: remember(changed), token };
  };

  const endedOrNever = () => failed(new CredentialError("session_not_found", "This session has ended: sign in again"));

  return {
    create: (options) => make({ ...options, kind: "user" }),

    createGuest: ({ data = {}, source = null, transport = "session" } = {}) =>
      make({ userId: `guest_${randomToken(16)}`, kind: "guest", data, source, transport }),

    async resolve(token) {
      const parsed = tokens.parse(token);
      if (!parsed) return failed(new CredentialError("invalid_token", "This is not a session token of ours"));
      const stored = await store.get(sessionCollection, { partition: parsed.tag, id: parsed.sid });
      if (!stored) return endedOrNever();
      const record = sessions.decode(stored, parsed.id);
      if (!secretMatches(record, parsed.secretHash) || !isLive(record)) return endedOrNever();
      return { session: remember(record), resign: parsed.current ? null : tokens.resign(token), failure: null };
    },

    seen(token) {
      const parsed = store.held && tokens.parse(token);
      const stored = parsed?.current ? store.held?.(sessionCollection, { partition: parsed.tag, id: parsed.sid }) : null;
      if (!parsed || !stored) return null;
      try {
        const record = sessions.decode(stored, parsed.id);
        return secretMatches(record, parsed.secretHash) && isLive(record) ? remember(record) : null;
      } catch {
        return null; // whoever asks is told what is wrong with it
      }
    },

    touch,
    upgrade,
    ...endings,

    async get(id) {
      const key = parseSessionId(id);
      const record = key && (await load(key));
      return record && isLive(record) ? remember(record) : null;
    },

    async list(userId) {
      const stored = await store.list(sessionCollection, ownerTag(userId));
      return sessions
        .readable(stored)
        .filter(isLive)
        .map(remember)
        .sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.createdAt - a.createdAt);
    },

    async listAll(page) {
      const { records: stored, next, unreadable = 0 } = await store.scan(sessionCollection, page);
      reportUnreadable(events, sessionCollection, unreadable);
      const records = sessions.readable(stored);
      return {
        sessions: records.map((record) => ({ ...record.session, expired: !isLive(record) })),
        next,
        unreadable: unreadable + stored.length - records.length,
      };
    },

    async count() {
      let total = 0;
      let after: string | undefined;
      do {
        const page = await store.scan(sessionCollection, { limit: 1000, ...(after === undefined ? {} : { after }) });
        reportUnreadable(events, sessionCollection, page.unreadable ?? 0);
        total += sessions.readable(page.records).filter(isLive).length;
        after = page.next ?? undefined;
      } while (after !== undefined);
      return total;
    },

    rotate: (session, fresh) =>
      reissue(session, (current) => (fresh ? { ...current, authenticatedAt: fresh.authenticatedAt, methods: fresh.methods } : current)),

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
      const changed = await change(keyOfSession(id), (record) => {
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
      for (const { tag, sid } of sessions.readable(stored)) {
        await change({ partition: tag, id: sid }, (record) => ({ ...record, session: { ...record.session, roles: principal.roles } }));
      }
    },

    sweep: (options) => store.sweep(options),
  };
}

function failed(failure: AuthError): Resolution {
  return { session: null, resign: null, failure };
}
