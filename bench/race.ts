import type { Redis } from "ioredis";
import type { RedisServer } from "../test/support/services.ts";
import { duel, median, type Pace, type Side } from "./duel.ts";
import type { Report } from "./report.ts";

/** What every part of the benchmark is given. */
export interface Bench {
  readonly report: Report;
  /** Whether it is enough to show that everything works. */
  readonly quick: boolean;
  readonly pace: Pace;
  readonly server: RedisServer;
  /** A client of that server; each part leaves it empty. */
  readonly redis: Redis;
}

/** Reports a duel, with its range. @returns the median of its ratios. */
export async function runRace({ report, redis, server, pace }: Bench, ours: Side, theirs: Side, least?: number): Promise<number> {
  const { ratios, micros } = await duel(ours, theirs, server.url, pace);
  const ratio = median(ratios);
  const range = `${factor(Math.min(...ratios))} to ${factor(Math.max(...ratios))}`;
  const times = micros.map((value) => value.toFixed(0)).join(" and ");
  const what = `${ours.work.name} / ${theirs.contender.name}`;
  report.add({ what, measured: `${factor(ratio)} (${range}; ${times} µs)`, ...atLeast(least, ratio) });
  await redis.flushall();
  return ratio;
}

export function atLeast(least: number | undefined, value: number): { target?: string; passed?: boolean } {
  return least === undefined ? {} : { target: `>= ${least}`, passed: value >= least };
}

export function atMost(most: number, value: number, unit = ""): { target: string; passed: boolean } {
  return { target: `<= ${most}${unit}`, passed: value <= most };
}

export function factor(value: number): string {
  return value.toFixed(2);
}

/** The value below which so many of a hundred lie. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? NaN;
}
