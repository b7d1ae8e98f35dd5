import type { Clock } from "../clock.ts";
import { ConfigError, CredentialError, StorageError } from "../errors.ts";
import type { RecordStore } from "../storage/record-store.ts";
import type { Events, RequestSource } from "./events.ts";
import { keyOfSession, MAX_ATTEMPTS, type LiveSessions } from "./live-sessions.ts";
import { mayStay, type Membership } from "./membership.ts";
import { sameEpoch, type Principals } from "./principals.ts";
import type { Generations, ParsedRefreshToken, RefreshState, RefreshTokenText } from "./refresh-token-text.ts";
import { idleEnd, lifeOf, type SessionLife } from "./session-life.ts";
import { sessionCollection, type Session, type SessionRecord, type SessionTransport } from "./session-record.ts";
import { publicSessionId } from "./session-token.ts";

export interface RefreshedSession {
  readonly session: Session;
  /** Replaces the one presented. */
  readonly refreshToken: string;
}

export interface RefreshOptions {
  /** How the token came; a session whose tokens travel another way is not refreshed. Default: not compared. */
  readonly transport?: SessionTransport | undefined;
  readonly source?: RequestSource | null | undefined;
  /** Asked beside the first read, before anything changes; what it throws refuses, but that reuse is told all the same. Default: nobody is asked. */
  readonly admit?: (() => Promise<unknown>) | undefined;
}

/** Refresh tokens: each is good for one refresh, which replaces it. They end with their session, whatever ends that. */
export interface RefreshTokens {
  /** The latest refresh token of a session that has them. No store for one just made, else one read. @throws {ConfigError} for another session. */
  issue(session: Session): Promise<string>;
  /** Since when a session's access tokens are fresh; `null` for one without refresh tokens. No store for one just read, else one read. */
  generations(session: Session): Promise<Generations | null>;
  /** The public id of the session that a token was made for, whether or not it is there still; `null` for what was not made here. No store. */
  sessionOf(token: string): string | null;
  /**
   * Replaces a refresh token. Within the grace one that was just replaced gives the same successor again, so that neither parallel tabs
   * nor a lost answer sign anybody out. The user's standing and roles are looked up anew. Three reads and a write, in three waits; what was not made here
   * costs none.
   * @throws {CredentialError} `invalid_token` for what is none of ours; `session_not_found` when nothing stands behind it; `refresh_token_reused`
   *   when it was replaced before: by then the session has ended, unless `onReuse` is `refuse`; `user_disabled` or `session_revoked`.
   */
  rotate(token: string, options?: RefreshOptions): Promise<RefreshedSession>;
  /**
   * Ends the session of its latest refresh token, or of the one before it within the grace.
   * @throws {CredentialError} as {@link RefreshTokens.rotate}; then nothing but reuse ends anything.
   */
  revoke(token: string, options?: RefreshOptions): Promise<void>;
}

export interface RefreshTokensParts {
  readonly store: RecordStore;
  readonly sessions: LiveSessions;
  readonly text: RefreshTokenText;
  readonly principals: Principals;
  readonly clock: Clock;
  readonly events: Events;
  readonly config: {
    readonly life: SessionLife;
    readonly membership: Membership | null;
    /** Seconds. */
    readonly grace: number;
    readonly onReuse: "end" | "refuse";
  };
}

type Refreshable = SessionRecord & { readonly refresh: RefreshState };

export function createRefreshTokens(parts: RefreshTokensParts): RefreshTokens {
  const { store, sessions, text, principals, clock, events, config } = parts;

  /** The record behind a token of its family. One that is newer than the record says was read from a cache: a write tells. */
  const behind = async (token: ParsedRefreshToken, { transport }: RefreshOptions): Promise<Refreshable> => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await sessions.load(token.key);
      if (!hasRefresh(record) || !sessions.isLive(record) || !travelsBy(transport, record.session)) break;
      if (!text.isAuthentic(token, record.refresh.seed)) break;
      if (token.n <= record.refresh.n) return record;
      if (await sessions.replace(record, { quiet: true })) break;
    }
    throw new CredentialError("session_not_found", "This session has ended: sign in again");
  };

  const inGrace = ({ n }: ParsedRefreshToken, { refresh }: Refreshable) =>
    n === refresh.n - 1 && clock.now() - refresh.rotatedAt < config.grace * 1000;

  const remove = (token: ParsedRefreshToken) => store.commit([{ op: "delete", in: sessionCollection, key: token.key }]);

  const reused = async (token: ParsedRefreshToken, { session }: Refreshable, { source = null }: RefreshOptions, end: boolean) => {
    const subject = { userId: session.userId, tenantId: session.tenantId, source };
    if (end) {
      await remove(token);
      events.emit("session.revoked", { sessionId: session.id, reason: "refresh_token_reused" }, subject);
    }
    events.emit("refresh_token.reused", { sessionId: session.id, ended: end }, subject);
    return new CredentialError("refresh_token_reused", "This refresh token was replaced before: sign in again");
  };

  /** The session as its user stands now. */
  const current = async (token: ParsedRefreshToken, { session }: Refreshable): Promise<Session> => {
    const [{ principal, epoch }, stays] = await Promise.all([principals.standing(session.userId), mayStay(config.membership, session)]);
    const reason = principal.status !== "active" ? "disabled" : sameEpoch(epoch, session.epoch) ? null : "stale_epoch";
    if (reason) {
      await remove(token);
      events.emit("session.revoked", { sessionId: session.id, reason }, { userId: session.userId, tenantId: session.tenantId });
      if (reason === "disabled") throw new CredentialError("user_disabled", "This account is disabled");
      throw new CredentialError("session_revoked", "This session has ended: sign in again");
    }
    const lastSeenAt = session.createdAt + Math.floor((clock.now() - session.createdAt) / 1000) * 1000;
    const idleExpiresAt = idleEnd(lastSeenAt, session.expiresAt, lifeOf(session, config.life));
    return { ...session, lastSeenAt, idleExpiresAt, roles: principal.roles, tenantId: stays ? session.tenantId : null };
  };

  const handOut = (token: ParsedRefreshToken, record: Refreshable): RefreshedSession => {
    const refreshToken = text.write(token.key, record.refresh);
    if (refreshToken === null) throw new CredentialError("session_not_found", "The secret behind this session was retired: sign in again");
    return { session: sessions.remember(record), refreshToken };
  };

  const parsed = (token: string): ParsedRefreshToken => {
    const found = text.parse(token);
    if (!found) throw new CredentialError("invalid_token", "This is not a refresh token of ours");
    return found;
  };

  return {
    async issue(session) {
      const key = keyOfSession(session.id);
      const record = sessions.known(session) ?? (await sessions.load(key));
      const token = record?.refresh ? text.write(key, record.refresh) : null;
      if (token === null) throw new ConfigError("refreshTokens.issue", 'give a session made with transport "bearer", "cookie" or "split"');
      return token;
    },

    async generations(session) {
      const record = sessions.known(session) ?? (await sessions.load(keyOfSession(session.id)));
      return record?.refresh?.generations ?? null;
    },

    sessionOf(token) {
      const found = text.parse(token);
      return found && publicSessionId(found.key.partition, found.key.id);
    },

    async rotate(presented, options = {}) {
      const token = parsed(presented);
      const admission = options.admit?.();
      admission?.catch(() => {}); // heard below, when reuse had its say
      let lost = false;
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const record = await behind(token, options).catch(async (error: unknown) => {
          await admission;
          throw error;
        });
        if (token.n < record.refresh.n && !inGrace(token, record)) {
          // Who lost a race to a request of the same moment did no harm that the winner should suffer for.
          throw await reused(token, record, options, config.onReuse === "end" && !lost);
        }
        await admission;
        const session = await current(token, record);
        if (token.n < record.refresh.n) return handOut(token, record);
        const next = { ...record, session, refresh: text.next(record.refresh, clock.now(), config.grace) };
        if (await sessions.replace(next, sameRights(session, record.session) ? { quiet: true } : {})) {
          if (session.tenantId !== record.session.tenantId)
            events.emit("tenant.left", { sessionId: session.id }, { userId: session.userId, tenantId: record.session.tenantId });
          return handOut(token, { ...next, version: record.version + 1 });
        }
        lost = true;
      }
      throw new StorageError("A session is changing too fast");
    },

    async revoke(presented, options = {}) {
      const token = parsed(presented);
      const record = await behind(token, options);
      if (token.n < record.refresh.n && !inGrace(token, record)) throw await reused(token, record, options, config.onReuse === "end");
      await remove(token);
      const { id, userId, tenantId } = record.session;
      events.emit("session.revoked", { sessionId: id, reason: "sign_out" }, { userId, tenantId, source: options.source ?? null });
    },
  };
}

/** Whether a refresh token that came by `transport` is where this session's travels: in a body, or in a cookie. */
function travelsBy(transport: SessionTransport | undefined, session: Session): boolean {
  return transport === undefined || (transport === "bearer") === (session.transport === "bearer");
}

function hasRefresh(record: SessionRecord | null): record is Refreshable {
  return record !== null && record.refresh !== null;
}

/** Whether nothing changed that caches must hear of at once. */
function sameRights(a: Session, b: Session): boolean {
  return a.tenantId === b.tenantId && a.roles.length === b.roles.length && a.roles.every((role) => b.roles.includes(role));
}
