import { atOnce, racing, type RaceKit } from "./kit.ts";

export const moves = {
  /** Signs in ten times. */
  signIn: ({ sessionsUnder }: RaceKit, { userId, ...rules }: { userId: string; max: number; policy: "multi" | "single" }) => {
    const sessions = sessionsUnder(rules);
    return atOnce(10, async () => (await sessions.create({ userId })).token);
  },
};

export default racing(moves);
