import type { Session } from "../../lib/core/sessions.ts";
import { after, atOnce, monotonic, outcomeOf, racing, type Outcome, type RaceKit } from "./kit.ts";

/** A signed-in request: looks its session up first. */
async function within<T>({ sessions }: RaceKit, token: string, work: (session: Session) => T | Promise<T>): Promise<T> {
  const { session, failure } = await sessions.resolve(token);
  if (failure) throw failure;
  return work(session);
}

/** Far more than happen before a sign-out. */
const MOST_READS = 2000;

export const moves = {
  /** Ten requests that write to a session, each in another way; the first racer signs it out when `steps` answers came. */
  signOutWhileUsed: async (
    kit: RaceKit,
    { token, id, userId, steps }: { token: string; id: string; userId: string; steps: number },
    index: number,
  ) => {
    const { sessions, background } = kit;
    const ways = [
      () => within(kit, token, (session) => sessions.touch(session)),
      () => within(kit, token, () => sessions.updateData(id, { seen: index })),
      () => within(kit, token, () => sessions.setDevice(id, "Chrome on macOS")),
      () => within(kit, token, (session) => sessions.rotate(session)),
      () => sessions.refresh(userId),
    ];
    const requests = atOnce(2 * ways.length, async (n) => void (await ways[n % ways.length]?.()));
    const signOut = index === 0 ? after(kit, steps).then(() => sessions.revoke(id)) : null;
    const [outcomes] = await Promise.all([requests, signOut]);
    await background.drain(5000);
    return outcomes;
  },

  /** The second racer follows with request after request; the first signs out. When which of them began, and the sign-out was answered. */
  signOutWhileRead: async (kit: RaceKit, { token, id, steps }: { token: string; id: string; steps: number }, index: number) => {
    const accepted: number[] = [];
    if (index === 0) {
      await after(kit, steps);
      await kit.sessions.revoke(id);
      return { accepted, answeredAt: monotonic() };
    }
    for (let reads = 0, refused = 0; refused < 5 && reads < MOST_READS; reads += 1) {
      const beganAt = monotonic();
      const { session } = await kit.sessions.resolve(token);
      if (session) accepted.push(beganAt);
      else refused += 1;
    }
    return { accepted, answeredAt: null };
  },

  /** Sets six fields, one a request. */
  setFields: ({ sessions }: RaceKit, { id }: { id: string }, index: number) =>
    atOnce(6, async (n) => void (await sessions.updateData(id, { [`field${index * 6 + n}`]: n }))),

  /** Sets the same two fields six times, to one value each time. */
  setSame: ({ sessions }: RaceKit, { id }: { id: string }, index: number) =>
    atOnce(6, async (n) => void (await sessions.updateData(id, { left: index * 6 + n, right: index * 6 + n }))),

  /** Ten requests each ask for a new token. */
  rotate: (kit: RaceKit, { token }: { token: string }) =>
    atOnce(10, () => within(kit, token, async (session) => (await kit.sessions.rotate(session)).token)),

  /** The first racer asks for a new token while the second writes data. */
  rotateWhileWritten: async (kit: RaceKit, { token, id }: { token: string; id: string }, index: number): Promise<Outcome<string>[]> =>
    index === 0
      ? [await outcomeOf(() => within(kit, token, async (session) => (await kit.sessions.rotate(session)).token))]
      : atOnce(10, async (n) => (await kit.sessions.updateData(id, { [`field${n}`]: n })).id),

  /** 32 sign-ins by proofs given at `epoch`; the first racer ends all sessions when `steps` answers came. */
  signInWhileEnded: async (
    kit: RaceKit,
    { userId, epoch, steps, by }: { userId: string; epoch: Session["epoch"]; steps: number; by: "revokeAll" | "disable" },
    index: number,
  ) => {
    const end = () => (by === "disable" ? kit.managedUsers.disable(userId) : kit.sessions.revokeAll(userId));
    const signIns = atOnce(32, async (n) => {
      await after(kit, n % 4);
      return (await kit.sessions.create({ userId, epoch })).token;
    });
    const ending = index === 0 ? after(kit, steps).then(end) : null;
    const [outcomes] = await Promise.all([signIns, ending]);
    return outcomes;
  },

  /** Ends all sessions but this racer's own. */
  endOthers: async (kit: RaceKit, { userId, tokens }: { userId: string; tokens: string[] }, index: number) =>
    outcomeOf(() => within(kit, tokens[index] ?? "", (keep) => kit.sessions.revokeAll(userId, { keep }))),

  /** A guest becomes this racer's user, by three requests. */
  upgrade: async (kit: RaceKit, { guestToken, users }: { guestToken: string; users: string[] }, index: number) => {
    const userId = users[index] ?? "";
    const merged: string[] = [];
    const sessions = kit.sessionsUnder({ onGuestMerge: (merge) => void merged.push(merge.userId) });
    const outcomes = await atOnce(3, async () => (await sessions.upgrade(guestToken, { userId })).session.data);
    return { userId, outcomes, merged };
  },
};

export default racing(moves);
