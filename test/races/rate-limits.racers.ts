import { racing, type RaceKit } from "./kit.ts";
import type { Limit } from "../../lib/core/rate-limits.ts";

interface Bucket {
  key: string;
  limit: Limit;
}

export const moves = {
  /** Takes 25 at once. */
  take: ({ rateLimits }: RaceKit, { key, limit }: Bucket) =>
    Promise.all(Array.from({ length: 25 }, () => rateLimits.take("race", key, limit))),

  /** Takes 25 at once, and gives each back. */
  takeAndGive: async ({ rateLimits }: RaceKit, { key, limit }: Bucket) => {
    const reservations = await Promise.all(Array.from({ length: 25 }, () => rateLimits.take("race", key, limit)));
    await Promise.all(reservations.map(rateLimits.give));
    return reservations.filter(({ allowed }) => allowed).length;
  },
};

export default racing(moves);
