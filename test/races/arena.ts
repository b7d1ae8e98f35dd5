import type { Redis } from "ioredis";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startRacers } from "../support/race.ts";
import { redisUrl } from "../support/services.ts";
import { createRaceKit, make, openRaceKit, type Moves, type Outcome, type RaceKit, type SharedRedis, type Turn } from "./kit.ts";

/** Rounds of each race between processes: `RACE_ROUNDS`, 20 unless set. */
export const ROUNDS = Number(process.env["RACE_ROUNDS"] ?? 20);

/** Enough for a round on a machine that does other things too. */
export const RACE_TIMEOUT = 20_000 + ROUNDS * 1000;

/** Where racers meet: two of them over one store, and the test's own services over it. */
export interface Arena<M extends Moves> {
  readonly kit: RaceKit;
  /** A name that nothing in this arena had before. */
  id(): string;
  /** Both racers make this move at once, with their clocks where the test's stands. Results in their order. */
  race<N extends keyof M & string>(move: N, args: Parameters<M[N]>[1]): Promise<Awaited<ReturnType<M[N]>>[]>;
  close(): Promise<void>;
}

/** A kind of arena. */
export interface ArenaKind<M extends Moves> {
  readonly name: string;
  readonly rounds: number;
  open(): Promise<Arena<M>>;
}

/** Two processes over one Redis; and, in a quarter of the rounds, two sets of services in this process over one memory store. */
export function arenas<M extends Moves>(worker: URL, moves: M): ArenaKind<M>[] {
  return [
    { name: "two processes on one Redis", rounds: ROUNDS, open: () => openProcesses<M>(worker) },
    { name: "one memory store", rounds: Math.ceil(ROUNDS / 4), open: () => openMemory(moves) },
  ];
}

async function openProcesses<M extends Moves>(worker: URL): Promise<Arena<M>> {
  const redis: SharedRedis = { url: await redisUrl(), prefix: `race ${process.pid} ${(opened += 1)}:` };
  const { kit, client, close } = await openRaceKit(redis);
  const racers = await startRacers<SharedRedis, Turn, unknown>({ worker, input: redis });
  return {
    kit,
    id: counted(),
    race: async (move, args) => (await racers.race({ move, args, at: kit.clock.now() })) as never,
    async close() {
      await racers.stop();
      await unlinkAll(client, redis.prefix);
      await close();
    },
  };
}

async function openMemory<M extends Moves>(moves: M): Promise<Arena<M>> {
  const clock = createTestClock();
  const store = memoryStore({ clock });
  const kit = createRaceKit(store, clock);
  const racers = [createRaceKit(store, clock), createRaceKit(store, clock)];
  return {
    kit,
    id: counted(),
    race: async (move, args) =>
      (await Promise.all(racers.map((racer, index) => make(moves, racer, { move, args, at: clock.now() }, index)))) as never,
    close: () => store.close(),
  };
}

let opened = 0;

function counted(): () => string {
  let ids = 0;
  return () => `racer-${(ids += 1)}`;
}

/** Leaves nothing behind in a Redis that others use too. */
export async function unlinkAll(client: Redis, prefix: string): Promise<void> {
  for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 }) as AsyncIterable<string[]>)
    if (keys.length > 0) await client.unlink(...keys);
}

/** One round after another. */
export async function repeat(rounds: number, round: (n: number) => Promise<void>): Promise<void> {
  for (let n = 0; n < rounds; n += 1) await round(n);
}

/** What the calls that were not refused resolved to. */
export function valuesOf<T>(outcomes: readonly Outcome<T>[]): T[] {
  return outcomes.flatMap(({ value, code }) => (code === null ? [value] : []));
}

/** How often each refusal came, and `ok`: `{ ok: 1, code_unknown: 49 }`. */
export function tally(outcomes: readonly Outcome<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of outcomes) counts[code ?? "ok"] = (counts[code ?? "ok"] ?? 0) + 1;
  return counts;
}
