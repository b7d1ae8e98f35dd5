import { bare, jose, latchkeyTokens, tokenGuard } from "./contenders.ts";
import { firstSight, guardedByAccessToken } from "./duel.ts";
import { runRace, type Bench } from "./race.ts";

/** Access tokens, which ask no store: beside no authentication, and beside a bare verification by jose. */
export async function accessTokens(bench: Bench): Promise<void> {
  bench.report.section("Access tokens, beside others at the same moment");
  for (const contender of [tokenGuard, latchkeyTokens]) {
    const seen = { ...guardedByAccessToken, name: `${contender.name}, token seen before` };
    const unseen = { ...firstSight, name: `${contender.name}, first sight` };
    await runRace(bench, { contender, work: seen }, { contender: bare, work: guardedByAccessToken }, 0.95);
    await runRace(bench, { contender, work: unseen }, { contender: jose, work: firstSight }, 0.9);
  }
}
