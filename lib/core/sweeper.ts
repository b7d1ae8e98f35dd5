import type { Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";
import type { RecordStore } from "../storage/record-store.ts";
import type { Background } from "./background.ts";

export interface SweeperParts {
  readonly store: Pick<RecordStore, "keepsExpired" | "count" | "sweep">;
  readonly clock: Clock;
  readonly background: Background;
  /** Seconds from one sweep to the next; 0: never. */
  readonly every: number;
  /** From 0 to 1. Default: `Math.random`. */
  readonly random?: () => number;
}

/** Counted in the store: who counts first in a window sweeps in it, of all processes. */
const COUNTER = "sweep";
/** Records that one round removes, and rounds in a window: 10,000 records, then others have their turn. */
const LIMIT = 1000;
const ROUNDS = 10;
/** How much later than due, as a share of the time between sweeps, so that processes do not come all at once. */
const JITTER = 0.1;

/**
 * Removes expired records where they stay until somebody does, once in each window of `every` seconds, by one process of all that share
 * the store. Costs one count a process and window. Keeps no process alive; a failure goes where those of the background go.
 *
 * @returns what ends it.
 */
export function startSweeper({ store, clock, background, every, random = Math.random }: SweeperParts): () => void {
  if (every === 0 || !store.keepsExpired) return () => {};
  let timer: NodeJS.Timeout;
  let ended = false;

  const sweep = async () => {
    const { count } = await store.count(COUNTER, { by: 1, window: every, now: clock.now() });
    if (count !== 1) return;
    for (let round = 0; round < ROUNDS && !ended; round += 1) {
      const removed = await store.sweep({ limit: LIMIT, kept: true });
      // Not by the limit: of several stores behind this one each has a share of it.
      if (Object.values(removed).every((went) => went === 0)) return;
    }
  };

  const wait = () => {
    // Never sooner than the window of the sweep before is over.
    timer = setTimeout(tick, every * 1000 * (1 + JITTER * random())).unref();
  };
  const tick = () => {
    background.run(COUNTER, sweep);
    wait();
  };
  wait();

  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

const DEFAULT_EVERY = 60;
const LONGEST = 86_400;

/** Seconds; 0: never. @throws {ConfigError} for what is no number of seconds. */
export function resolveSweepEvery(sweepEvery: number | false | undefined): number {
  if (sweepEvery === undefined) return DEFAULT_EVERY;
  if (sweepEvery === false || sweepEvery === 0) return 0;
  if (!Number.isInteger(sweepEvery) || sweepEvery < 1 || sweepEvery > LONGEST)
    throw new ConfigError("sweepEvery", `give whole seconds from 1 to ${LONGEST}, or false`);
  return sweepEvery;
}
