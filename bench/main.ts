import { startRedis } from "../test/support/services.ts";
import { pinToRest } from "./cores.ts";
import { duel, guardedGet, median, type Pace } from "./duel.ts";

const quick = process.argv.includes("--quick");
const pace: Pace = quick ? { rounds: 2, warmUp: 1500, measured: 1500 } : { rounds: 5, warmUp: 3000, measured: 3000 };

const redis = await startRedis();
pinToRest(redis.pid);
pinToRest(process.pid);

const bare = { name: "Express alone", file: "apps/bare.mjs" };
const limit = { name: "limit", file: "apps/limit.mjs" };
const latchkey = { name: "latchkey", file: "apps/latchkey.mjs" };

for (const theirs of [limit, bare]) {
  const { ratios, micros } = await duel(
    { contender: latchkey, work: guardedGet },
    { contender: theirs, work: guardedGet },
    redis.url,
    pace,
  );
  console.log(
    theirs.name,
    median(ratios).toFixed(3),
    ratios.map((r) => r.toFixed(3)).join(" "),
    micros.map((m) => m.toFixed(1)).join(" / "),
  );
}
await redis.stop();
