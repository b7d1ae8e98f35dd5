import { after, atOnce, overRedis, type RaceKit } from "./kit.ts";

/** Microseconds on a clock that all processes of a machine share. */
const monotonic = () => Number(process.hrtime.bigint() / 1000n);

export const moves = {
  /** Makes ten keys; racers may hold five for one owner. */
  create: ({ apiKeys }: RaceKit, { userId }: { userId: string }, index: number) =>
    atOnce(10, async (n) => (await apiKeys.create({ userId, name: `key ${index} ${n}` })).key),

  /** Makes five keys; the first racer disables their owner when `steps` answers came. */
  createWhileDisabled: async (kit: RaceKit, { userId, steps }: { userId: string; steps: number }, index: number) => {
    const creating = atOnce(5, async (n) => (await kit.apiKeys.create({ userId, name: `key ${index} ${n}` })).key);
    const ending = index === 0 ? after(kit, steps).then(() => kit.managedUsers.disable(userId)) : null;
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
    for (let refused = 0; refused < 5;) {
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

export default overRedis(moves);
