import type { Clock } from "../clock.ts";
import type { Collection, RecordStore } from "../storage/record-store.ts";
import { createTestClock } from "./clock.ts";
import { byteTests } from "./record-store/bytes.ts";
import { capTests } from "./record-store/caps.ts";
import { commitTests } from "./record-store/commits.ts";
import { counterTests } from "./record-store/counters.ts";
import { expiryTests } from "./record-store/expiry.ts";
import { lookupTests } from "./record-store/lookups.ts";
import { raceTests } from "./record-store/races.ts";
import { badges, marks, notes, people, type DeclareTest } from "./record-store/samples.ts";
import { upkeepTests } from "./record-store/upkeep.ts";
import { watchTests } from "./record-store/watching.ts";
import { writeTests } from "./record-store/writes.ts";

/** What a store under test is opened with. */
export interface OpenForConformance {
  /** The clock that the store must go by: it stands still until a test moves it. */
  clock: Clock;
  /** The collections the suite uses, for a backend that makes a table of each. */
  collections: readonly Collection[];
}

/** The two functions of a test runner that the suite needs: those of vitest, `node:test`, mocha, jest. */
export interface ConformanceRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/**
 * Declares the tests that every {@link RecordStore} passes: expiry to the millisecond, writes and commits, caps, lookups,
 * bytes, counters, races, scans, sweeps and watching. About 75 tests, each with a store of its own.
 *
 * @param name of the backend, for the names of the tests.
 * @param open resolves to a store in a namespace that is empty and nobody else's, ready to use; the suite closes it.
 *   Close in your own hooks what the store does not own, such as its client.
 * @param runner where the tests are declared. Their failures are `AssertionError`s of `node:assert`.
 * @example recordStoreConformance("memory", async ({ clock }) => memoryStore({ clock }), { describe, it });
 */
export function recordStoreConformance(
  name: string,
  open: (given: OpenForConformance) => Promise<RecordStore>,
  { describe, it }: ConformanceRunner,
): void {
  const test: DeclareTest = (title, body) => {
    it(title, async () => {
      const clock = createTestClock();
      const store = await open({ clock, collections: [notes, marks, people, badges] });
      try {
        await body({ store, clock });
      } finally {
        await store.close();
      }
    });
  };
  const sections: Record<string, (test: DeclareTest) => void> = {
    writes: writeTests,
    commits: commitTests,
    expiry: expiryTests,
    caps: capTests,
    lookups: lookupTests,
    bytes: byteTests,
    counters: counterTests,
    races: raceTests,
    upkeep: upkeepTests,
    watching: watchTests,
  };

  describe(`${name} store`, () => {
    for (const [section, declare] of Object.entries(sections)) describe(section, () => declare(test));
  });
}
