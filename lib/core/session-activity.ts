import type { Clock } from "../clock.ts";
import type { RecordStore } from "../storage/record-store.ts";
import type { Background } from "./background.ts";
import type { Events, RevocationReason } from "./events.ts";
import { keyOfSession, type LiveSessions } from "./live-sessions.ts";
import { mayStay, type Membership } from "./membership.ts";
import { sameEpoch, type Principals } from "./principals.ts";
import { idleEnd, lifeOf, type SessionLife } from "./session-life.ts";
import { sessionCollection, type Session, type SessionRecord } from "./session-record.ts";

export interface SessionActivityParts {
  readonly store: RecordStore;
  readonly sessions: LiveSessions;
  readonly principals: Principals;
  readonly clock: Clock;
  readonly events: Events;
  readonly background: Background;
  readonly config: { readonly life: SessionLife; readonly membership: Membership | null };
}

const TOUCH_INTERVAL = 60_000;

/** What notes that a session was used, and checks, as often as it notes it, that the session may go on. */
export function createSessionActivity({ store, sessions, principals, clock, events, background, config }: SessionActivityParts) {
  const drop = async (session: Session, reason: RevocationReason) => {
    await store.commit([{ op: "delete", in: sessionCollection, key: keyOfSession(session.id) }]);
    const { id, userId, tenantId } = session;
    events.emit("session.revoked", { sessionId: id, reason }, { userId, tenantId });
  };

  /** The minute's check and write-back. What it finds stale it ends; what it writes cannot bring a removed session back. */
  const writeActivity = async (known: SessionRecord) => {
    const { session } = known;
    const { principal, epoch } = await principals.standing(session.userId);
    if (principal.status !== "active") return drop(session, "disabled");
    if (!sameEpoch(epoch, session.epoch)) return drop(session, "stale_epoch");
    const lastSeenAt = session.createdAt + Math.floor((clock.now() - session.createdAt) / 1000) * 1000;
    const idleExpiresAt = idleEnd(lastSeenAt, session.expiresAt, lifeOf(session, config.life));
    const roles = session.kind === "guest" ? session.roles : principal.roles;
    const leaves = !(await mayStay(config.membership, session));
    const next = { ...session, lastSeenAt, idleExpiresAt, roles, tenantId: leaves ? null : session.tenantId };
    const sameRights = !leaves && roles.length === session.roles.length && roles.every((role) => session.roles.includes(role));
    const written = await sessions.replace({ ...known, session: next }, sameRights ? { quiet: true } : {});
    if (leaves && written) {
      events.emit("tenant.left", { sessionId: session.id }, { userId: session.userId, tenantId: session.tenantId });
    }
  };

  return function touch(session: Session): void {
    if (clock.now() - session.lastSeenAt < TOUCH_INTERVAL) return;
    const known = sessions.known(session);
    // A copy: what the application does to the one it was given must not be written back.
    const copy = known && { ...known, session: structuredClone(session) };
    if (copy) background.run(`touch ${session.id}`, () => writeActivity(copy));
  };
}
