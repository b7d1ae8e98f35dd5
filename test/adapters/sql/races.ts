import { expect, it } from "vitest";
import { createTestClock } from "../../../lib/testing/clock.ts";
import { startRacers } from "../../support/race.ts";
import { notes, openStore, record } from "./open-store.ts";
import type { Shared } from "./sql.racers.ts";

/** Rounds of each race: `RACE_ROUNDS`, 20 unless set. */
const ROUNDS = Number(process.env["RACE_ROUNDS"] ?? 20);
const TIMEOUT = 30_000 + ROUNDS * 1000;

const worker = new URL("./sql.racers.ts", import.meta.url);

/** Declares the races between processes over one database. */
export function raceTests(url: () => string): void {
  const shared = (): Shared => ({ url: url(), prefix: `races_${process.pid}` });

  const withStore = async (body: (store: ReturnType<typeof openStore>["store"]) => Promise<void>) => {
    const { store, end } = openStore(url(), { prefix: shared().prefix, clock: createTestClock() });
    try {
      await store.migrate();
      await body(store);
    } finally {
      await end();
    }
  };

  it("rule 1: gives a record to one of ten takers in two processes", { timeout: TIMEOUT }, () =>
    withStore(async (store) => {
      const racers = await startRacers<Shared, string, number>({ worker, race: "takers", input: shared() });
      try {
        for (let round = 0; round < ROUNDS; round += 1) {
          const id = `taken ${round}`;
          expect(await store.commit([{ op: "insert", in: notes, record: record(id) }])).toBe(true);
          const taken = await racers.race(id);
          expect(taken.reduce((sum, count) => sum + count, 0)).toBe(1);
        }
      } finally {
        await racers.stop();
      }
    }),
  );

  it.each(["evict", "refuse"] as const)(
    "rule 1: keeps a cap of 5 under 20 inserts by two processes that %s",
    { timeout: TIMEOUT },
    (over) =>
      withStore(async (store) => {
        const racers = await startRacers<Shared, { partition: string; over: typeof over }, number>({
          worker,
          race: "inserters",
          input: shared(),
        });
        try {
          for (let round = 0; round < ROUNDS; round += 1) {
            const partition = `${over} ${round}`;
            const admitted = (await racers.race({ partition, over })).reduce((sum, count) => sum + count, 0);
            expect(admitted).toBe(over === "evict" ? 20 : 5);
            expect(await store.list(notes, partition)).toHaveLength(5);
          }
        } finally {
          await racers.stop();
        }
      }),
  );
}

/** Three processes migrate at once, ten times. `places`: a prefix each, or without a `url` a file. */
export async function raceMigrations(url: string | null, places: (round: number) => string): Promise<void> {
  const racers = await startRacers<string | null, string, boolean>({ worker, race: "migrators", processes: 3, input: url });
  try {
    for (let round = 0; round < 10; round += 1) {
      const place = places(round);
      expect(await racers.race(place)).toEqual([true, true, true]);
      const { store, end } = openStore(url ?? place, url === null ? {} : { prefix: place });
      expect((await store.list(notes, "p")).map(({ id }) => id).sort()).toEqual(["0", "1", "2"]);
      await end();
    }
  } finally {
    await racers.stop();
  }
}
