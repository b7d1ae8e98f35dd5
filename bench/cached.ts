import { bare, latchkeyCached, limit } from "./contenders.ts";
import { guardedGet, hotGet } from "./duel.ts";
import { runRace, type Bench } from "./race.ts";

/** Sessions kept in the process by `cached`, beside no authentication at all. */
export async function cachedSessions(bench: Bench): Promise<void> {
  bench.report.section("`cached`: sessions kept in the process for a second, beside others at the same moment");
  const ours = { contender: latchkeyCached, work: { ...guardedGet, name: "guarded GET, cached" } };
  await runRace(bench, ours, { contender: bare, work: guardedGet }, 0.85);
  await runRace(bench, { ...ours, work: { ...hotGet, name: "guarded GET, cached, 50 browsers" } }, { contender: bare, work: hotGet }, 0.85);
  await runRace(bench, ours, { contender: limit, work: guardedGet });
}
