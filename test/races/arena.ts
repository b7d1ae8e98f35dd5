import { Redis } from "ioredis";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startRacers } from "../support/race.ts";
import { startServersOf } from "../support/stores/servers.ts";
import { openShared, type SharedBackend, type SharedStore } from "../support/stores/shared.ts";
import { createRaceKit, make, openRaceKit, type Moves, type Outcome, type RaceKit, type Turn } from "./kit.ts";

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

/** The backends that two processes meet on. */
const grounds = {
  redis: "one Redis",
  postgres: "one PostgreSQL",
  mariadb: "one MariaDB",
  sqlite: "one SQLite file",
  routed: "PostgreSQL and Redis",
} as const satisfies Record<SharedBackend, string>;

/** All races run on these; with more rounds than usual asked for, on all backends. */
const ALWAYS: readonly SharedBackend[] = ["redis", "postgres"];

/** Those of the services that everything else rests on, on these, too. */
const CORE: readonly SharedBackend[] = [...ALWAYS, "mariadb", "sqlite"];

/** Where races run. `RACE_BACKENDS=sqlite,routed` chooses; with `RACE_ROUNDS` set they run everywhere. */
export function raceBackends({ core = false }: { core?: boolean } = {}): SharedBackend[] {
  const all = Object.keys(grounds) as SharedBackend[];
  const chosen = process.env["RACE_BACKENDS"]?.split(",");
  const unknown = chosen?.filter((name) => !all.some((backend) => backend === name)) ?? [];
  if (unknown.length > 0) throw new Error(`RACE_BACKENDS: there is no "${unknown[0]}"; use some of ${all.join(",")}`);
  if (chosen) return all.filter((backend) => chosen.includes(backend));
  if (process.env["RACE_ROUNDS"]) return all;
  return [...(core ? CORE : ALWAYS)];
}

/**
 * Two processes over one Redis, one PostgreSQL, and so on; and, in a quarter of the rounds, two sets of services in this process over
 * one memory store; MariaDB and SQLite get a quarter, too, unless `RACE_ROUNDS` is set. `core`: on all servers in every run of the tests, see {@link raceBackends}.
 */
export function arenas<M extends Moves>(worker: URL, moves: M, options: { core?: boolean } = {}): ArenaKind<M>[] {
  return [
    ...raceBackends(options).map((backend) => ({
      name: `two processes on ${grounds[backend]}`,
      rounds: ALWAYS.includes(backend) || process.env["RACE_ROUNDS"] ? ROUNDS : Math.ceil(ROUNDS / 4),
      open: () => openProcesses<M>(worker, backend),
    })),
    { name: "one memory store", rounds: Math.ceil(ROUNDS / 4), open: () => openMemory(moves) },
  ];
}

/** Starts a backend for the races of a file, empty and migrated. `stop` once nobody uses it any more. */
export async function startGround(backend: SharedBackend): Promise<{ shared: SharedStore; stop(): Promise<void> }> {
  const { servers, stop } = await startServersOf(backend);
  const shared = { backend, servers, prefix: `race_${process.pid}_${(opened += 1)}` };
  const { store, close } = await openShared(shared);
  await store.migrate();
  await close();
  return {
    shared,
    async stop() {
      if (servers.redis !== undefined) {
        const client = new Redis(servers.redis);
        await unlinkAll(client, `${shared.prefix}:`);
        client.disconnect();
      }
      await stop();
    },
  };
}

async function openProcesses<M extends Moves>(worker: URL, backend: SharedBackend): Promise<Arena<M>> {
  const ground = await startGround(backend);
  const { kit, close } = await openRaceKit(ground.shared);
  const racers = await startRacers<SharedStore, Turn, unknown>({ worker, input: ground.shared });
  return {
    kit,
    id: counted(),
    race: async (move, args) => (await racers.race({ move, args, at: kit.clock.now() })) as never,
    async close() {
      await racers.stop();
      await close();
      await ground.stop();
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
