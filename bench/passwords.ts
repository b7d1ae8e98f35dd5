import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { startApp, type AppProcess, type Contender } from "./app-process.ts";
import { median } from "./duel.ts";
import { converse, wireRequest, type WireRequest } from "./load.ts";
import { atMost, factor, percentile, type Bench } from "./race.ts";

const app: Contender = { name: "latchkey, passwords", file: "apps/passwords.mjs", anywhere: true };
const PASSWORD = "correct horse battery staple";
const AT_ONCE = 16;
const INTERVAL = 5;

/** What hashing passwords costs everybody else, and whether times tell which addresses are known. */
export async function passwords(bench: Bench): Promise<void> {
  const { redis, server } = bench;
  await redis.flushall();
  const running = await startApp(app, server.url);
  await publicWhileHashing(bench, running);
  await known(bench, running);
  await running.stop();
  await redis.flushall();
}

/** `GET /public` at a steady pace, by turns with nothing else and while sign-ins hash. */
async function publicWhileHashing({ report, quick }: Bench, { port }: AppProcess): Promise<void> {
  report.section(`GET /public while ${AT_ONCE} sign-ins hash at once, beside the same without, by turns: p99, ms`);
  const emails = Array.from({ length: AT_ONCE }, (_, i) => `hashing-${i}@example.com`);
  for (const email of emails) await makeUser(port, { email, password: PASSWORD, confirmed: true });
  const turn = quick ? 2000 : 5000;
  const alone: number[] = [];
  const beside: number[] = [];
  let hashed = 0;
  await pace(port, 1000);
  for (let i = 0; i < (quick ? 2 : 6); i += 1) {
    alone.push(...(await pace(port, turn)));
    let stopped = false;
    const signIns = emails.map(async (email) => {
      const conversation = await converse(port);
      const request = wireRequest("POST", "/auth/sign-in", from(0), { email, password: PASSWORD });
      while (!stopped) if ((await conversation.ask(request)).status === 200) hashed += 1;
      conversation.close();
    });
    await delay(200);
    beside.push(...(await pace(port, turn)));
    stopped = true;
    await Promise.all(signIns);
  }
  if (hashed < AT_ONCE) throw new Error("Too few passwords were hashed");
  const [without, during] = [percentile(alone, 99), percentile(beside, 99)];
  report.add({
    what: "p99 while hashing / without",
    measured: `${factor(during / without)} (${factor(during)} and ${factor(without)} ms; ${hashed} hashed)`,
    ...atMost(2, during / without),
  });
}

/** Asks for the page every few ms for a while. @returns how long each took, ms. */
async function pace(port: number, duration: number): Promise<number[]> {
  const conversation = await converse(port);
  const request = wireRequest("GET", "/public");
  const times: number[] = [];
  const end = performance.now() + duration;
  while (performance.now() < end) {
    const start = performance.now();
    await conversation.ask(request);
    times.push(performance.now() - start);
    await delay(INTERVAL);
  }
  conversation.close();
  return times;
}

interface Question {
  /** What a known address has. */
  readonly has: { readonly password?: string; readonly confirmed: boolean };
  readonly status: number;
  request(email: string): [path: string, body: unknown];
}

const questions: Readonly<Record<string, Question>> = {
  "sign-in, wrong password": {
    has: { password: PASSWORD, confirmed: true },
    status: 401,
    request: (email) => ["/auth/sign-in", { email, password: "a wrong horse battery staple" }],
  },
  "forgotten password": { has: { confirmed: true }, status: 200, request: (email) => ["/auth/password/forgot", { email }] },
  "code by mail": { has: { confirmed: true }, status: 200, request: (email) => ["/auth/magic/send", { email }] },
  "confirmation sent again": { has: { confirmed: false }, status: 200, request: (email) => ["/auth/email/confirm/send", { email }] },
  "sign-up": { has: { confirmed: true }, status: 200, request: (email) => ["/auth/sign-up", { email, password: PASSWORD }] },
};

/** The least probability, were both alike, of what the rank test found. */
const CHANCE = 0.001;

/** Times of answers to known and to unknown addresses: by turns in random order, each address and each source once. */
async function known({ report, quick }: Bench, { port }: AppProcess): Promise<void> {
  const pairs = quick ? 40 : 200;
  // How far apart medians may be.
  const apart = quick ? 0.3 : 0.1;
  report.section(`Times for known / for unknown addresses (${pairs} each): medians, and how likely the ranks are by chance (Mann-Whitney)`);
  let source = 1;
  const conversation = await converse(port);
  const time = async (request: WireRequest, status: number) => {
    const start = performance.now();
    const answer = await conversation.ask(request);
    const took = performance.now() - start;
    if (answer.status !== status) throw new Error(`expected ${status}, was answered ${answer.status}: ${answer.body}`);
    await delay(3); // what goes on behind the answer
    return took;
  };
  for (const [index, [what, { has, status, request }]] of Object.entries(questions).entries()) {
    const times: Record<"known" | "absent", number[]> = { known: [], absent: [] };
    for (let i = 0; i < pairs; i += 1) await makeUser(port, { email: addressOf("known", index, i), ...has });
    for (let i = -10; i < pairs; i += 1) {
      for (const kind of Math.random() < 0.5 ? (["known", "absent"] as const) : (["absent", "known"] as const)) {
        const warmUp = i < 0;
        const [path, body] = request(addressOf(warmUp ? "absent" : kind, index, warmUp ? 5000 + source : i));
        const took = await time(wireRequest("POST", path, from(source++), body), status);
        if (!warmUp) times[kind].push(took);
      }
    }
    const medians = [median(times.known), median(times.absent)] as const;
    const ratio = medians[0] / medians[1];
    const chance = rankTest(times.known, times.absent);
    report.add({
      what,
      measured: `${factor(ratio)} (${medians.map(factor).join(" and ")} ms); by chance ${chance.toPrecision(2)}`,
      target: `+- ${apart}, >= ${CHANCE}`,
      passed: Math.abs(ratio - 1) <= apart && chance >= CHANCE,
    });
  }
  conversation.close();
}

async function makeUser(port: number, body: unknown): Promise<void> {
  const conversation = await converse(port);
  const { status } = await conversation.ask(wireRequest("POST", "/users", {}, body));
  conversation.close();
  if (status !== 200) throw new Error(`A user could not be made: ${status}`);
}

/** Addresses of one length, whoever has them. */
function addressOf(kind: "known" | "absent", question: number, i: number): string {
  return `${kind.padEnd(6, "-")}-${question}-${String(i).padStart(6, "0")}@example.com`;
}

/** A source of its own, so that no limit is met. */
function from(source: number): Record<string, string> {
  return { "x-forwarded-for": `10.${(source >> 16) & 255}.${(source >> 8) & 255}.${source & 255}` };
}

/** The two-sided probability of ranks as uneven as these, were both drawn from one distribution: the normal approximation. @see Mann and Whitney, 1947. */
function rankTest(a: readonly number[], b: readonly number[]): number {
  let wins = 0;
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0;
  const deviation = Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12);
  const z = Math.abs(wins - (a.length * b.length) / 2) / deviation;
  // The normal distribution's tail, to 7 digits. @see Abramowitz and Stegun, 26.2.17.
  const t = 1 / (1 + 0.2316419 * z);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return Math.min(1, (2 * Math.exp((-z * z) / 2) * series) / Math.sqrt(2 * Math.PI));
}
