import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createAuth } from "../lib/auth.ts";
import { parseSessionId } from "../lib/core/session-token.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { pinToRest } from "./cores.ts";
import { atMost, percentile, type Bench } from "./race.ts";
import { openStore, type BackendName } from "./stores.ts";

/** What two processes of one application share. */
export const AUTH_OPTIONS = { secret: "a secret of the benchmark, which is long enough", baseUrl: "http://localhost" };
/** `cached`'s default, ms. */
const MAX_AGE = 1000;
const PROMPT = 50;

/** What a watcher is asked to do. */
export type WatcherTask =
  /** Resolve tokens until they are served without a read. */
  | { readonly do: "keep"; readonly tokens: readonly string[] }
  /** Wait for the notice of a partition, then try its token. */
  | { readonly do: "hear"; readonly partition: string; readonly token: string }
  /** Try tokens over and over until each is refused. */
  | { readonly do: "poll"; readonly tokens: readonly string[] };

/** Instants are those of {@link monotonic}. */
export type WatcherReply =
  { readonly kept: boolean } | { readonly at: number; readonly accepted: boolean } | { readonly last: readonly number[] };

/** Ms by a clock that all processes of a machine share, and that nobody sets. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** How soon another process, which is idle, stops serving a session that was ended here; and when no notice comes through at all. */
export async function revocations({ report, quick, server }: Bench): Promise<void> {
  const count = quick ? 500 : 10_000;
  report.section(
    `A session ended in one process, until an idle one with \`cached\` refuses it (${count.toLocaleString("en")} of them), ms`,
  );
  const postgres = await startPostgres();
  pinToRest(postgres.pid);
  try {
    for (const [name, url] of [
      ["redis", server.url],
      ["postgres", postgres.url],
    ] as const) {
      const heard = await timeNotices(name, url, count);
      const [p50, p99, most] = [percentile(heard, 50), percentile(heard, 99), percentile(heard, 100)];
      report.add({ what: `${name}, p99 (p50, slowest)`, measured: ms(p99, p50, most), ...atMost(PROMPT, p99) });
      const late = await timeCut(name, url, quick ? 100 : 1000);
      const slowest = percentile(late, 100);
      const { target, passed } = atMost(MAX_AGE, slowest);
      // Had none outlived its end there, nothing would have been cut.
      report.add({
        what: `${name}, no notices: slowest (p50)`,
        measured: ms(slowest, percentile(late, 50)),
        target,
        passed: passed && slowest > 0,
      });
    }
  } finally {
    await postgres.stop();
  }
}

function ms(first: number, ...others: readonly number[]): string {
  return `${first.toFixed(1)} (${others.map((value) => value.toFixed(1)).join(", ")})`;
}

async function timeNotices(name: BackendName, url: string, count: number): Promise<number[]> {
  const { sessions, watcher, close } = await twoProcesses(name, url);
  const first = await sessions.create({ userId: "first" });
  // The first read begins to listen, which is not waited for.
  await watcher.ask({ do: "keep", tokens: [first.token] });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const times: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const { session, token } = await sessions.create({ userId: `user-${i}` });
    for (let kept = false; !kept;) kept = "kept" in (await watcher.ask({ do: "keep", tokens: [token] }));
    const start = monotonic();
    await sessions.revoke(session.id);
    const reply = await watcher.ask({ do: "hear", partition: parseSessionId(session.id)?.partition ?? "", token });
    if (!("at" in reply) || reply.accepted) throw new Error("A session that was ended was accepted after the notice of it");
    times.push(reply.at - start);
  }
  await close();
  return times;
}

/** How long after its end each session was accepted last; 0 for one that was not. */
async function timeCut(name: BackendName, url: string, count: number): Promise<number[]> {
  const { sessions, watcher, close } = await twoProcesses(name, url, { CUT: "1" });
  const made = await Promise.all(Array.from({ length: count }, (_, i) => sessions.create({ userId: `cut-${i}` })));
  const tokens = made.map(({ token }) => token);
  await watcher.ask({ do: "keep", tokens });
  const polling = await watcher.begin({ do: "poll", tokens });
  const ended = await Promise.all(made.map(({ session }) => sessions.revoke(session.id).then(monotonic)));
  const reply = await polling.reply;
  await close();
  if (!("last" in reply)) throw new Error("The watcher answered something else");
  return reply.last.map((at, i) => Math.max(0, at - (ended[i] ?? 0)));
}

async function twoProcesses(name: BackendName, url: string, env: Record<string, string> = {}) {
  const watcher = await startWatcher({ STORE: name, STORE_URL: url, ...env });
  const own = await openStore(name, url);
  const auth = createAuth({ ...AUTH_OPTIONS, store: own.store });
  return {
    sessions: auth.sessions,
    watcher,
    async close() {
      await watcher.stop();
      await auth.close();
      await own.close();
    },
  };
}

async function startWatcher(env: Record<string, string>) {
  const child = fork(fileURLToPath(new URL("watcher.ts", import.meta.url)), { env: { ...process.env, ...env } });
  const exited = once(child, "exit").then(() => Promise.reject(new Error("The watcher ended")));
  exited.catch(() => {});
  const next = async () => ((await Promise.race([once(child, "message"), exited])) as [WatcherReply])[0];
  await next();
  return {
    ask(task: WatcherTask) {
      child.send(task);
      return next();
    },
    /** Resolves once it has begun, to what it will answer. */
    async begin(task: WatcherTask) {
      child.send(task);
      await next();
      return { reply: next() };
    },
    async stop() {
      const stopped = once(child, "exit");
      child.disconnect();
      await stopped;
    },
  };
}
