import { setTimeout as delay } from "node:timers/promises";
import { startApp, type AppProcess, type Contender } from "./app-process.ts";
import { ask, startLoad, wireRequest, type Load, type WireRequest } from "./load.ts";

/** What both sides of a duel do. */
export interface Work {
  readonly name: string;
  /** The requests that an app is loaded with, over and over. */
  readonly requests: (app: AppProcess) => Promise<readonly WireRequest[]>;
}

/** How long a duel lasts. */
export interface Pace {
  /** Each with processes of its own: how well a process runs is decided when it starts. */
  readonly rounds: number;
  readonly warmUp: Stretch;
  readonly measured: Stretch;
}

/** A part of a round: at least so many ms, and until each app has answered so many requests, which on a busy machine takes longer. */
export interface Stretch {
  readonly ms: number;
  readonly requests: number;
}

/** What came of a duel. */
export interface DuelResult {
  /** Of each round: the opponent's CPU time a request over ours; above 1, ours is the cheaper. */
  readonly ratios: readonly number[];
  /** CPU time a request in µs: ours and the opponent's, the median of rounds. */
  readonly micros: readonly [number, number];
}

/** One side: an app and what it is loaded with. */
export interface Side {
  readonly contender: Contender;
  readonly work: Work;
}

/**
 * Two apps on one core, loaded at the same moment. What is compared is CPU time a request, and since whatever slows the core down slows
 * both, the ratio stays the same on a busy machine.
 */
export async function duel(ours: Side, theirs: Side, redisUrl: string, { rounds, warmUp, measured }: Pace): Promise<DuelResult> {
  const results: [number, number][] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Who starts first changes from round to round.
    const sides = round % 2 === 0 ? [ours, theirs] : [theirs, ours];
    const apps: AppProcess[] = [];
    for (const { contender } of sides) apps.push(await startApp(contender, redisUrl));
    const requests = await Promise.all(apps.map((app, i) => sides[i]!.work.requests(app)));
    const loads = await Promise.all(apps.map((app, i) => startLoad(app.port, requests[i]!)));
    await last(loads, warmUp);
    const before = await Promise.all(apps.map((app) => app.usage()));
    await last(loads, measured);
    const after = await Promise.all(apps.map((app) => app.usage()));
    await Promise.all(loads.map((load) => load.stop()));
    await Promise.all(apps.map((app) => app.stop()));
    const micros = after.map(({ cpu, requests: count }, i) => (cpu - before[i]!.cpu) / (count - before[i]!.requests));
    results.push(round % 2 === 0 ? [micros[0]!, micros[1]!] : [micros[1]!, micros[0]!]);
  }
  return {
    ratios: results.map(([our, their]) => their / our),
    micros: [median(results.map(([our]) => our)), median(results.map(([, their]) => their))],
  };
}

async function last(loads: readonly Load[], { ms, requests }: Stretch): Promise<void> {
  const until = loads.map(({ answers }) => answers + requests);
  await delay(ms);
  while (loads.some((load, i) => load.running && load.answers < until[i]!)) await delay(50);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Signed-in browsers at once in a duel, two to a user. */
const BROWSERS = 1000;

/** A guarded GET by one of many browsers, each with its session. */
export const guardedGet: Work = byBrowsers("guarded GET", BROWSERS);

/** The same by so few that each asks again long before a second is over, as `cached` is for. */
export const hotGet: Work = byBrowsers("guarded GET, hot", 50);

function byBrowsers(name: string, browsers: number): Work {
  return {
    name,
    async requests({ port }) {
      const users = Array.from({ length: browsers }, (_, i) => `user-${i >> 1}`);
      const answers = await ask(
        port,
        users.map((user) => wireRequest("POST", `/sign-in?user=${user}`)),
      );
      return answers.map(({ cookie }) => wireRequest("GET", "/me", { cookie }));
    },
  };
}

/** A sign-in whose user is proven already: no hashing, just the session. */
export const newSession: Work = {
  name: "new session",
  requests: () => Promise.resolve(Array.from({ length: 20_000 }, (_, i) => wireRequest("POST", `/sign-in?user=new-${i}`))),
};

/** A guarded GET by one of many programs, each with its API key. */
export const guardedByApiKey: Work = {
  name: "guarded GET, API key",
  async requests({ port }) {
    const users = Array.from({ length: BROWSERS }, (_, i) => `user-${i >> 1}`);
    const answers = await ask(
      port,
      users.map((user) => wireRequest("POST", `/api-key?user=${user}`)),
    );
    return answers.map(({ body }) => wireRequest("GET", "/me", { authorization: `Bearer ${(JSON.parse(body) as { key: string }).key}` }));
  },
};

/** A guarded GET by some programs, each with an access token that it shows again and again. */
export const guardedByAccessToken: Work = byAccessToken("guarded GET, access token", BROWSERS);

/** A guarded GET with an access token that was not shown lately: there are more of them than any cache of ours keeps. */
export const firstSight: Work = byAccessToken("guarded GET, new access token", 8000);

function byAccessToken(name: string, tokens: number): Work {
  return {
    name,
    async requests({ port }) {
      const [answer] = await ask(port, [wireRequest("POST", `/tokens?count=${tokens}`)]);
      return (JSON.parse(answer?.body ?? "") as string[]).map((token) => wireRequest("GET", "/me", { authorization: `Bearer ${token}` }));
    },
  };
}
