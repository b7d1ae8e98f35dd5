import type { EpochPair } from "../../lib/core/principals.ts";
import { after, atOnce, monotonic, racing, type RaceKit } from "./kit.ts";

/** Far more than happen before a revocation. */
const MOST_USES = 2000;

export const moves = {
  /** Makes ten keys; racers may hold five for one owner. */
  create: ({ apiKeys }: RaceKit, { userId }: { userId: string }, index: number) =>
    atOnce(10, async (n) => (await apiKeys.create({ userId, name: `key ${index} ${n}` })).key),

  /** Makes five keys, in a session of `epoch`; the first racer ends all that their owner has when `steps` answers came. */
  createWhileEnded: async (
    kit: RaceKit,
    { userId, epoch, steps, by }: { userId: string; epoch: EpochPair; steps: number; by: "purge" | "disable" },
    index: number,
  ) => {
    const end = () => (by === "disable" ? kit.managedUsers.disable(userId) : kit.purge(userId));
    const creating = atOnce(5, async (n) => {
      await after(kit, 2 * n); // the later ones in a session that has ended
      return (await kit.apiKeys.create({ userId, name: `key ${index} ${n}`, epoch })).key;
    });
    const ending = index === 0 ? after(kit, steps).then(end) : null;
    const [outcomes] = await Promise.all([creating, ending]);
    return outcomes;
  },

  /** Asks ten times for a key's successor. */
  rotate: ({ apiKeys }: RaceKit, { userId, id, overlap }: { userId: string; id: string; overlap: number }) =>
    atOnce(10, async () => (await apiKeys.rotate(userId, id, { overlap })).key),

  /** The second racer uses a key again and again, each use being noted; the first revokes it. When which of them began, and the revocation was answered. */
  revokeWhileUsed: async (
    kit: RaceKit,
    { userId, id, key, steps }: { userId: string; id: string; key: string; steps: number },
    index: number,
  ) => {
    const { apiKeys, background, clock } = kit;
    const accepted: number[] = [];
    if (index === 0) {
      await after(kit, steps);
      await apiKeys.revoke(userId, id);
      return { accepted, answeredAt: monotonic() };
    }
    for (let uses = 0, refused = 0; refused < 5 && uses < MOST_USES; uses += 1) {
      clock.advance(61);
      const beganAt = monotonic();
      const [use] = await atOnce(1, () => apiKeys.authenticate(key));
      if (use?.code === null) accepted.push(beganAt);
      else refused += 1;
    }
    await background.drain(5000);
    return { accepted, answeredAt: null };
  },
};

export default racing(moves);
