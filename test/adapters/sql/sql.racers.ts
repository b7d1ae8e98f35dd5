import { createTestClock } from "../../../lib/testing/clock.ts";
import type { PrepareRacer } from "../../support/race.ts";
import { notes, openStore, record } from "./open-store.ts";

export interface Shared {
  readonly url: string;
  readonly prefix: string;
}

/** Five takes at once of the round's record; how many got it. */
export const takers: PrepareRacer<Shared, string, number> = async ({ url, prefix }) => {
  const { store, end } = openStore(url, { prefix, clock: createTestClock() });
  return {
    run: async (id) => {
      const taken = await Promise.all(Array.from({ length: 5 }, () => store.take(notes, record(id))));
      return taken.filter((found) => found !== null).length;
    },
    end,
  };
};

/** Ten inserts at once into the round's partition, under a cap of 5; how many were let in. */
export const inserters: PrepareRacer<Shared, { partition: string; over: "evict" | "refuse" }, number> = async ({ url, prefix }, index) => {
  const { store, end } = openStore(url, { prefix, clock: createTestClock() });
  return {
    run: async ({ partition, over }) => {
      const insert = (n: number) =>
        store.commit([{ op: "insert", in: notes, record: record(`${index} ${n}`, { partition }), max: 5, over }]);
      const done = await Promise.all(Array.from({ length: 10 }, (_, n) => insert(n)));
      return done.filter(Boolean).length;
    },
    end,
  };
};

/** Makes the tables under the round's prefix, or in the round's file, and writes to them at once. */
export const migrators: PrepareRacer<string | null, string, boolean> = async (url, index) => ({
  run: async (round) => {
    const { store, end } = openStore(url ?? round, url === null ? {} : { prefix: round });
    try {
      await store.migrate();
      return await store.commit([{ op: "insert", in: notes, record: record(String(index)) }]);
    } finally {
      await end();
    }
  },
});
