import type { Redis } from "ioredis";

/** What a Redis was asked, for one request. */
export interface CommandCount {
  /** Commands, those run inside scripts included. */
  readonly all: number;
  /** Of these, the ones that may change something. */
  readonly writes: number;
  /** Such as `1 hget`. */
  readonly named: string;
}

/** Counts what everybody but `redis` itself asks of its server during `run`, which makes so many requests. */
export async function countCommands(redis: Redis, requests: number, run: () => Promise<void>): Promise<CommandCount> {
  await redis.config("RESETSTAT");
  await run();
  const stats = await redis.info("commandstats");
  const counts = [...stats.matchAll(/^cmdstat_([\w|]+):calls=(\d+)/gm)]
    .map(([, name = "", calls]) => ({ name, calls: Number(calls) }))
    .filter(({ name }) => !/^(?:config|info|ping)\b/.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  let writes = 0;
  for (const { name, calls } of counts) if (await mayWrite(redis, name)) writes += calls;
  return {
    all: counts.reduce((sum, { calls }) => sum + calls, 0) / requests,
    writes: writes / requests,
    named: counts.map(({ name, calls }) => `${round(calls / requests)} ${name}`).join(", ") || "none",
  };
}

async function mayWrite(redis: Redis, name: string): Promise<boolean> {
  const [[, , flags] = []] = (await redis.call("COMMAND", "INFO", name)) as [string, number, string[]][];
  return name.startsWith("eval") || (flags ?? []).includes("write");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
