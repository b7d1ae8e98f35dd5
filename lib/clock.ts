/** Where the time comes from: Unix milliseconds. Passed in everywhere, so that tests can move it. */
export interface Clock {
  now(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = { now: () => Date.now() };
