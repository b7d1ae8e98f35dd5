import { ownerTag } from "../crypto/hash.ts";
import type { RecordKey, RecordStore, Write } from "../storage/record-store.ts";
import type { Events, RequestSource, RevocationReason } from "./events.ts";
import { keyOfSession, type LiveSessions } from "./live-sessions.ts";
import { endedMeanwhile } from "./new-session.ts";
import { assertUserId, sameEpoch, type Principals } from "./principals.ts";
import { sessionCollection, type Session } from "./session-record.ts";
import { parseSessionId } from "./session-token.ts";

/** How sessions end before their time. Each is in effect when it resolves. */
export interface SessionEndings {
  /** Ends one session by its public id; with `userId` only if it is theirs. @returns whether it was there. */
  revoke(
    id: string,
    options?: { userId?: string | undefined; reason?: RevocationReason | undefined; source?: RequestSource | null | undefined },
  ): Promise<boolean>;
  /**
   * Ends sessions by their public ids, those of one user all or none; unknown ones are no matter.
   * @returns how many were there just before. A read each, at once, then one write for each user.
   */
  revokeMany(ids: readonly string[], options?: { reason?: RevocationReason; source?: RequestSource | null }): Promise<{ revoked: number }>;
  /**
   * Ends all sessions of a user, or all but `keep`: raises the epoch, then one command, whatever their number. The user's API keys end
   * by the epoch too, within a minute of use.
   * @throws {CredentialError} `session_revoked` when `keep` itself was ended before: then nothing is done.
   */
  revokeAll(
    userId: string,
    options?: { keep?: Session | undefined; reason?: RevocationReason | undefined; source?: RequestSource | null | undefined },
  ): Promise<void>;
}

export interface SessionEndingsParts {
  readonly store: RecordStore;
  readonly sessions: LiveSessions;
  readonly principals: Principals;
  readonly events: Events;
}

export function createSessionEndings({ store, sessions, principals, events }: SessionEndingsParts): SessionEndings {
  /**
   * Raises the epoch under every session but one, which moves on with it. One that was ended already, by an epoch raised before,
   * is not brought back, and ends nothing: of two sessions that each want to be the last one, one is.
   */
  const raiseAllBut = async (userId: string, key: RecordKey): Promise<RecordKey> => {
    const [{ epoch }, record] = await Promise.all([principals.activeStanding(userId), sessions.load(key)]);
    if (key.partition !== ownerTag(userId) || !record || !sessions.isLive(record) || !sameEpoch(record.session.epoch, epoch))
      throw endedMeanwhile();
    if (!(await principals.raiseEpoch(userId, epoch[0]))) throw endedMeanwhile();
    const next: Session["epoch"] = [epoch[0] + 1, epoch[1]];
    await sessions.change(key, (current) => ({ ...current, session: { ...current.session, epoch: next } }));
    return key;
  };

  return {
    async revoke(id, { userId, reason = "revoked", source = null } = {}) {
      const key = parseSessionId(id);
      if (!key || (userId !== undefined && key.partition !== ownerTag(userId))) return false;
      const taken = await store.take(sessionCollection, key);
      if (!taken) return false;
      // Gone is gone, also when it was one that nobody could read.
      const [record] = sessions.readable([taken]);
      events.emit(
        "session.revoked",
        { sessionId: id, reason },
        { userId: record?.session.userId ?? userId ?? null, tenantId: record?.session.tenantId ?? null, source },
      );
      return true;
    },

    async revokeMany(ids, { reason = "revoked", source = null } = {}) {
      const named = [...new Set(ids)].map((id) => ({ id, key: parseSessionId(id) }));
      const asked = named.flatMap(({ id, key }) => (key ? [{ id, key }] : []));
      const stored = await Promise.all(asked.map(({ key }) => store.get(sessionCollection, key)));
      const there = asked.flatMap((each, index) => (stored[index] ? [{ ...each, stored: stored[index] }] : []));
      const commitOf = (partition: string) =>
        there.flatMap<Write>(({ key }) => (key.partition === partition ? [{ op: "delete", in: sessionCollection, key }] : []));
      const partitions = new Set(there.map(({ key }) => key.partition));
      await Promise.all([...partitions].map((partition) => store.commit(commitOf(partition))));
      for (const { id, stored: gone } of there) {
        const [record] = sessions.readable([gone]);
        const subject = { userId: record?.session.userId ?? null, tenantId: record?.session.tenantId ?? null, source };
        events.emit("session.revoked", { sessionId: id, reason }, subject);
      }
      return { revoked: there.length };
    },

    async revokeAll(userId, { keep, reason = "revoked_all", source = null } = {}) {
      assertUserId(userId);
      const partition = ownerTag(userId);
      const kept = keep ? await raiseAllBut(userId, keyOfSession(keep.id)) : await principals.raiseEpoch(userId).then(() => null);
      await store.commit([{ op: "clear", in: sessionCollection, partition, ...(kept ? { keep: kept.id } : {}) }]);
      events.emit("session.revoked", { sessionId: null, reason }, { userId, source });
    },
  };
}
