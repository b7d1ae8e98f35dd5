import type { RecordKey, RecordStore } from "../storage/record-store.ts";
import { StorageError } from "../errors.ts";
import type { Events } from "./events.ts";
import { MAX_ATTEMPTS, type LiveSessions } from "./live-sessions.ts";
import type { IssuedSession, NewSession } from "./new-session.ts";
import { secretMatches, sessionCollection, type Session, type SessionRecord } from "./session-record.ts";
import type { ParsedToken, SessionTokens } from "./session-token.ts";

/** Moves what a guest had to the user it became. Called at least once, so it must be idempotent. */
export type GuestMerge = (merge: { guestId: string; userId: string; data: Readonly<Record<string, unknown>> }) => void | Promise<void>;

export interface GuestUpgradeParts {
  readonly store: RecordStore;
  readonly sessions: LiveSessions;
  readonly tokens: SessionTokens;
  readonly events: Events;
  readonly make: (options: NewSession & { kind: Session["kind"] }) => Promise<IssuedSession>;
  readonly onGuestMerge: GuestMerge | null;
}

/** What makes a guest's session into a user's: claim, make, drop, each of which may be repeated. */
export function createGuestUpgrade({ store, sessions, tokens, events, make, onGuestMerge }: GuestUpgradeParts) {
  /** Marks a guest as merged into a user: of two users one wins; the same user may claim again. */
  const claim = async (key: RecordKey, parsed: ParsedToken, userId: string): Promise<SessionRecord | null> => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await sessions.load(key);
      if (!record || record.session.kind !== "guest" || !secretMatches(record, parsed.secretHash)) return null;
      if (record.mergedInto !== null) return record.mergedInto === userId ? record : null;
      if (await sessions.replace({ ...record, mergedInto: userId })) return record;
    }
    throw new StorageError("A guest session is changing too fast");
  };

  return async function upgrade(guestToken: string | null, options: NewSession): Promise<IssuedSession> {
    const parsed = guestToken === null ? null : tokens.parse(guestToken);
    const key = parsed && { partition: parsed.tag, id: parsed.sid };
    const guest = key && (await claim(key, parsed, options.userId));
    if (!key || !guest) return make({ ...options, kind: "user" });
    const { userId: guestId, data } = guest.session;
    await onGuestMerge?.({ guestId, userId: options.userId, data });
    const issued = await make({ ...options, data: { ...data, ...options.data }, kind: "user" });
    await store.commit([{ op: "delete", in: sessionCollection, key }]);
    events.emit("session.upgraded", { guestId, sessionId: issued.session.id }, { userId: options.userId, source: options.source ?? null });
    return issued;
  };
}
