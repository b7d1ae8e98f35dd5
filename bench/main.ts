/**
 * `npm run bench [-- --quick] [--only <part>]`: what latchkey costs beside the least that the same work can cost, and beside its peers. Exits with
 * 1 when a target is missed. A quick run shows whether everything works; its numbers are rough. `--only` may be given more than once.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { startRedis } from "../test/support/services.ts";
import { accessTokens } from "./access-tokens.ts";
import { added } from "./added.ts";
import { startApp, type AppProcess, type Contender } from "./app-process.ts";
import { backends } from "./backends.ts";
import { cachedSessions } from "./cached.ts";
import { cluster } from "./cluster.ts";
import { countCommands } from "./commands.ts";
import { bare, betterAuth, betterAuthCookieCache, installPeers, latchkey, latchkeyTokens, limit, passport } from "./contenders.ts";
import { cores, pinToRest } from "./cores.ts";
import { guardedByAccessToken, guardedByApiKey, guardedGet, newSession, type Pace, type Work } from "./duel.ts";
import { MANY, timeEndings } from "./endings.ts";
import { growth } from "./growth.ts";
import { ask, type WireRequest } from "./load.ts";
import { measureMemory } from "./memory.ts";
import { passwords } from "./passwords.ts";
import { atLeast, factor, runRace, type Bench } from "./race.ts";
import { refusedRequests } from "./refused.ts";
import { createReport } from "./report.ts";
import { revocations } from "./revocations.ts";

const quick = process.argv.includes("--quick");
const only = argumentsAfter("--only");
const others = quick ? 100_000 : 1_000_000;
const COUNTED = 500;
const ENDING_MARGIN = 5;

/** In the order in which they run. */
const parts: Readonly<Record<string, () => Promise<void>>> = {
  counts,
  duels,
  memory,
  endings,
  added: () => added(bench),
  tokens: () => accessTokens(bench),
  cached: () => cachedSessions(bench),
  revocations: () => revocations(bench),
  passwords: () => passwords(bench),
  backends: () => backends(bench),
  growth: () => growth(bench),
  cluster: () => cluster(bench),
};
const unknown = only.find((name) => !parts[name]);
if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${Object.keys(parts).join(", ")}`);

const report = createReport((text) => console.log(text));
const withPeers = await installPeers();
const server = await startRedis();
const redis = new Redis(server.url);
pinToRest(server.pid);
pinToRest(process.pid);
const pace: Pace = quick
  ? { rounds: 1, warmUp: { ms: 1500, requests: 5000 }, measured: { ms: 1000, requests: 3000 } }
  : { rounds: 5, warmUp: { ms: 3000, requests: 15_000 }, measured: { ms: 3000, requests: 10_000 } };
const bench: Bench = { report, quick, pace, server, redis };

try {
  for (const [name, run] of Object.entries(parts)) if (only.length === 0 || only.includes(name)) await run();
} finally {
  redis.disconnect();
  await server.stop();
}
console.log(report.missed === 0 ? "\nEvery target was met." : `\nTargets missed: ${report.missed}.`);
process.exitCode = report.missed === 0 ? 0 : 1;

/** Redis commands a request, as the server counts them while it has no other client. */
async function counts(): Promise<void> {
  report.section("Redis commands for one request");
  const count = async (
    contender: Contender,
    what: string,
    status: number,
    requests: (app: AppProcess) => Promise<readonly WireRequest[]>,
  ) => {
    const app = await startApp(contender, server.url);
    const asked = (await requests(app)).slice(0, COUNTED);
    await ask(app.port, asked); // the first use of an API key is noted
    await delay(100);
    const counted = await countCommands(redis, asked.length, async () => {
      const refused = (await ask(app.port, asked)).find((answer) => answer.status !== status);
      if (refused) throw new Error(`${contender.name}, ${what}: expected ${status}, was answered ${refused.status}`);
    });
    await app.stop();
    return counted;
  };

  const own = await count(latchkey, "guarded GET", 200, guardedGet.requests);
  report.add({
    what: "latchkey, guarded GET",
    measured: `${own.named}; ${own.writes} writes`,
    target: "1, no write",
    passed: own.all === 1 && own.writes === 0,
  });
  const byKey = await count(latchkey, "API key", 200, guardedByApiKey.requests);
  report.add({
    what: "latchkey, guarded GET with an API key",
    measured: `${byKey.named}; ${byKey.writes} writes`,
    target: "1, no write",
    passed: byKey.all === 1 && byKey.writes === 0,
  });
  const byToken = await count(latchkeyTokens, "access token", 200, guardedByAccessToken.requests);
  report.add({ what: "latchkey, guarded GET with an access token", measured: byToken.named, target: "none", passed: byToken.all === 0 });
  for (const [what, requests] of Object.entries(refusedRequests)) {
    const { all, named } = await count(latchkey, what, 401, requests);
    report.add({ what: `latchkey, ${what}`, measured: named, target: "none", passed: all === 0 });
  }
  if (!withPeers) return;
  for (const peer of [passport, betterAuth, betterAuthCookieCache]) {
    const { named, writes } = await count(peer, "guarded GET", 200, guardedGet.requests);
    report.add({ what: `${peer.name}, guarded GET`, measured: `${named}; ${writes} writes` });
  }
}

/** CPU time a request, of two apps loaded at the same moment on one core. */
async function duels(): Promise<void> {
  report.section(`Throughput beside others at the same moment${cores ? " on the same core" : ""} (median of ${pace.rounds}, range)`);
  const race = (ours: Work, theirs: Contender, work: Work, least?: number) =>
    runRace(bench, { contender: latchkey, work: ours }, { contender: theirs, work }, least);

  await race(guardedGet, limit, guardedGet, 0.95);
  await race(guardedByApiKey, limit, guardedGet, 0.95);
  const alone = await race(guardedGet, bare, guardedGet);
  if (withPeers) {
    const peers = [
      { peer: passport, ratio: await race(guardedGet, passport, guardedGet) },
      { peer: betterAuth, ratio: await race(guardedGet, betterAuth, guardedGet, 2) },
      { peer: betterAuthCookieCache, ratio: await race(guardedGet, betterAuthCookieCache, guardedGet, 2) },
    ];
    // Express, the answer and HTTP take most of a request, whoever authenticates it; this leaves them out.
    for (const { peer, ratio } of peers) {
      const added = (ratio - alone) / (1 - alone);
      report.add({ what: `what it adds to Express alone / ${peer.name}`, measured: factor(added), ...atLeast(2, added) });
    }
  }
  await race(newSession, limit, newSession);
  if (withPeers) {
    await race(newSession, passport, newSession);
    await race(newSession, betterAuth, newSession);
  }
}

async function memory(): Promise<void> {
  report.section("Bytes a session, two to a user, by MEMORY USAGE (and by how much used_memory grew)");
  const measure = async (contender: Contender, path: string) => {
    const { keys, server: grown } = await measureMemory(redis, server.url, contender, path);
    return { keys, measured: `${keys.toFixed(0)} (${grown.toFixed(0)})` };
  };
  const own = await measure(latchkey, "/session");
  const signedIn = await measure(latchkey, "/sign-in");
  if (!withPeers) return report.add({ what: "latchkey, user id only", measured: own.measured });
  const peer = await measure(passport, "/sign-in");
  report.add({
    what: "latchkey, user id only",
    measured: own.measured,
    target: `<= ${peer.keys.toFixed(0)}`,
    passed: own.keys <= peer.keys,
  });
  report.add({ what: "latchkey, with the sign-in's method and IP", measured: signedIn.measured });
  report.add({ what: "connect-redis, user id only", measured: peer.measured });
  report.add({ what: "better-auth", measured: (await measure(betterAuth, "/sign-in")).measured });
}

async function endings(): Promise<void> {
  report.section(
    `Ending all sessions of a user, with ${others.toLocaleString("en")} of others in the store, ms over HTTP (and the slowest)`,
  );
  const { one, many, commands } = await timeEndings(redis, server.url, others, quick ? 5 : 15);
  const shown = ([middle, slowest]: readonly [number, number]) => `${middle.toFixed(1)} (${slowest.toFixed(1)})`;
  report.add({ what: "1 session", measured: shown(one) });
  report.add({
    what: `${MANY.toLocaleString("en")} sessions`,
    measured: shown(many),
    target: `+- ${ENDING_MARGIN} ms`,
    passed: Math.abs(many[0] - one[0]) <= ENDING_MARGIN,
  });
  report.add({ what: "Redis commands for either", measured: commands[1], target: "the same", passed: commands[0] === commands[1] });
}

/** The words behind each `name` on the command line. */
function argumentsAfter(name: string): string[] {
  return process.argv.flatMap((word, at) => (word === name && process.argv[at + 1] !== undefined ? [process.argv[at + 1]!] : []));
}
