import type { Clock } from "../clock.ts";

/** A {@link Clock} that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Moves on by `seconds`; fractions are fine, negative ones move back. */
  advance(seconds: number): void;
  /** Moves to the instant `at`, Unix ms. */
  set(at: number): void;
}

/**
 * A clock for tests. It starts at `start` (Unix ms; default 2026-01-01T00:00:00Z, so that runs are alike).
 *
 * @example
 * const clock = createTestClock();
 * const store = memoryStore({ clock });
 * clock.advance(60);
 */
export function createTestClock(start: number = Date.UTC(2026, 0, 1)): TestClock {
  let now = start;
  return {
    now: () => now,
    advance: (seconds) => void (now += Math.round(seconds * 1000)),
    set: (at) => void (now = at),
  };
}
