import { createLiveSessions } from "../../lib/core/live-sessions.ts";
import { createRefreshTokens } from "../../lib/core/refresh-tokens.ts";
import { createRefreshTokenText } from "../../lib/core/refresh-token-text.ts";
import { resolveSessionLife } from "../../lib/core/session-life.ts";
import { createSessions } from "../../lib/core/sessions.ts";
import { after, atOnce, racing, type RaceKit } from "./kit.ts";

/** Sessions with refresh tokens over a racer's store; `grace` in seconds. */
export function refreshing(kit: RaceKit, grace = 10) {
  const live = createLiveSessions(kit);
  const text = createRefreshTokenText(kit.keys);
  const config = {
    ...{ life: resolveSessionLife(undefined, {}), policy: "multi" as const, max: 100, membership: null, onGuestMerge: null },
    ...{ grace, onReuse: grace === 0 ? ("refuse" as const) : ("end" as const) },
  };
  return {
    sessions: createSessions({ ...kit, live, refreshText: text, config }),
    refreshTokens: createRefreshTokens({ ...kit, sessions: live, text, config }),
  };
}

/** Ten requests refresh with one token. */
const refreshTenTimes = (kit: RaceKit, token: string, grace: number) => {
  const { refreshTokens } = refreshing(kit, grace);
  return atOnce(10, async () => (await refreshTokens.rotate(token)).refreshToken);
};

/** In which a session ends. */
export const WAYS = ["signOut", "revoke", "revokeAll", "disable"] as const;

export const moves = {
  refresh: (kit: RaceKit, { token, grace }: { token: string; grace: number }) => refreshTenTimes(kit, token, grace),

  /** While others refresh, the second racer writes to the session, field by field. */
  refreshWhileWritten: async (kit: RaceKit, { token, id }: { token: string; id: string }, index: number) =>
    index === 0 ? refreshTenTimes(kit, token, 10) : atOnce(10, async (n) => (await kit.sessions.updateData(id, { [`field${n}`]: n })).id),

  /** While both refresh, the first racer ends the session when `steps` answers came. */
  refreshWhileEnded: async (
    kit: RaceKit,
    { token, id, userId, steps, by }: { token: string; id: string; userId: string; steps: number; by: (typeof WAYS)[number] },
    index: number,
  ) => {
    const ways = {
      signOut: () => refreshing(kit).refreshTokens.revoke(token),
      revoke: async () => void (await kit.sessions.revoke(id)),
      revokeAll: () => kit.sessions.revokeAll(userId),
      disable: () => kit.managedUsers.disable(userId),
    };
    const ending = index === 0 ? after(kit, steps).then(ways[by]) : null;
    const [outcomes] = await Promise.all([refreshTenTimes(kit, token, 10), ending]);
    return outcomes;
  },

  /** While both refresh, the first racer has the session given new credentials, as a step-up does, when `steps` answers came. */
  refreshWhileReissued: async (kit: RaceKit, { token, id, steps }: { token: string; id: string; steps: number }, index: number) => {
    const { sessions, refreshTokens } = refreshing(kit);
    const reissue = async () => {
      await after(kit, steps);
      const session = await sessions.get(id);
      if (!session) throw new Error("the session is gone");
      return await refreshTokens.issue((await sessions.rotate(session)).session);
    };
    const [refreshed, reissued] = await Promise.all([refreshTenTimes(kit, token, 10), index === 0 ? reissue() : null]);
    return { refreshed, reissued };
  },
};

export default racing(moves);
