import type { Clock } from "../clock.ts";
import { ownerTag } from "../crypto/hash.ts";
import { ConfigError, CredentialError, RequestError, StorageError } from "../errors.ts";
import type { RecordStore, Write } from "../storage/record-store.ts";
import { deviceLabel } from "./device-label.ts";
import type { Events, RequestSource } from "./events.ts";
import type { LiveSessions } from "./live-sessions.ts";
import type { RefreshTokenText } from "./refresh-token-text.ts";
import { assertUserId, sameEpoch, type Principals } from "./principals.ts";
import type { ProviderAssertion, ProviderSessions } from "./provider-sessions.ts";
import { idleEnd, lifeOf, type SessionLife } from "./session-life.ts";
import {
  encodeSession,
  hasRefreshTokens,
  sessionCollection,
  type Session,
  type SessionDevice,
  type SessionRecord,
  type SessionTransport,
} from "./session-record.ts";
import { publicSessionId, type SessionTokens } from "./session-token.ts";

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
  /** What a provider that tells of sign-outs vouched for; refused if it told of one since. Default: nothing, so none is looked for. */
  readonly assertion?: ProviderAssertion | null | undefined;
  /** The epoch at which the proof behind it held. Default: not compared, so an ending between proof and session goes unnoticed. */
  readonly epoch?: Session["epoch"] | undefined;
}

/** A session together with the one copy of its token. */
export interface IssuedSession {
  readonly session: Session;
  /** Give it to the client; it is kept nowhere. */
  readonly token: string;
}

export interface NewSessionsParts {
  readonly store: RecordStore;
  readonly sessions: LiveSessions;
  readonly tokens: SessionTokens;
  /** Where sessions may have refresh tokens. */
  readonly refreshText?: RefreshTokenText | null | undefined;
  /** Where sessions that a provider named are found by its name for them. Default: nowhere. */
  readonly providerSessions?: ProviderSessions | null | undefined;
  readonly principals: Principals;
  readonly clock: Clock;
  readonly events: Events;
  readonly config: { readonly life: SessionLife; readonly policy: "multi" | "single"; readonly max: number };
}

const MAX_DATA = 64 * 1024;
const MAX_GUEST_DATA = 16 * 1024;

/** What makes sessions, of users and of guests. */
export function createSessionMaker(parts: NewSessionsParts) {
  const { store, sessions, tokens, refreshText, providerSessions = null, principals, clock, events, config } = parts;

  /** Inserts under the policy, then makes sure that nothing ended in between what it was made under. */
  const insert = async (
    userId: string,
    make: (epoch: Session["epoch"], roles: readonly string[]) => Omit<SessionRecord, "version">,
    { single, epoch: proven, assertion = null }: Pick<NewSession, "epoch" | "assertion"> & { readonly single: boolean },
  ): Promise<SessionRecord> => {
    const { epoch, principal } = await principals.activeStanding(userId);
    if (proven && !sameEpoch(epoch, proven)) throw endedMeanwhile();
    const record = make(epoch, principal.roles);
    await providerSessions?.note(record.session);
    const added: Write = { op: "insert", in: sessionCollection, record: encodeSession(record), max: config.max };
    const writes: Write[] = single ? [{ op: "clear", in: sessionCollection, partition: record.tag }, added] : [added];
    const look = () => Promise.all([principals.standing(userId), providerSessions?.goesOn(record.session, assertion) ?? true]);
    const inserted = store.commit(writes);
    const [done, [after, goesOn]] = store.ordered ? await Promise.all([inserted, look()]) : [await inserted, await look()];
    if (!done) throw new StorageError("A session could not be stored");
    if (!goesOn || after.principal.status !== "active" || !sameEpoch(after.epoch, epoch)) {
      await store.commit([{ op: "delete", in: sessionCollection, key: { partition: record.tag, id: record.sid } }]);
      throw endedMeanwhile();
    }
    return { ...record, version: 1 };
  };

  return async function makeSession(options: NewSession & { kind: Session["kind"] }): Promise<IssuedSession> {
    const { userId, kind, source = null, data = {} } = options;
    assertUserId(userId);
    assertData(data, kind);
    const now = clock.now();
    const refreshed = hasRefreshTokens(options.transport);
    if (refreshed && !refreshText) throw new ConfigError("tokens", "set it, for sessions with refresh tokens");
    const tag = ownerTag(userId);
    const { token, sid, secretHash } = tokens.issue(tag);
    const life = lifeOf(options, config.life);
    const expiresAt = now + life.absoluteTtl * 1000;
    const record = await insert(
      userId,
      (epoch, roles) => ({
        tag,
        sid,
        secretHash,
        mergedInto: null,
        refresh: refreshed && refreshText ? refreshText.begin(now) : null,
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
      { single: kind === "user" && config.policy === "single", epoch: options.epoch, assertion: options.assertion },
    );
    const session = sessions.remember(record);
    events.emit(
      "session.created",
      { sessionId: session.id, kind, methods: session.methods },
      { userId, tenantId: session.tenantId, source },
    );
    return { session, token };
  };
}

/** For whoever raced with an ending of all sessions. */
export function endedMeanwhile(): CredentialError {
  return new CredentialError("session_revoked", "All sessions of this user were ended meanwhile: sign in again");
}

function deviceOf(source: RequestSource | null): SessionDevice | null {
  if (!source) return null;
  const label = deviceLabel(source.userAgent);
  return label === null && source.ip === null ? null : { label, ip: source.ip };
}

/** @throws {RequestError} `session_data_too_large` */
export function assertData(data: Readonly<Record<string, unknown>>, kind: Session["kind"]): void {
  const size = Buffer.byteLength(JSON.stringify(data));
  if (size > (kind === "guest" ? MAX_GUEST_DATA : MAX_DATA)) {
    throw new RequestError("The session holds too much data", "session_data_too_large", { status: 413 });
  }
}
