import { Agent, request, type IncomingHttpHeaders } from "node:http";

/** One request that a loop repeats. */
export interface Ask {
  /** What the answers are found by. */
  name: string;
  path: string;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
}

/** What came back. `status` is 0 when nothing did. Times are those of `performance.now()`. */
export interface Answer {
  readonly name: string;
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
  readonly body: string;
  /** The loop it was asked by. */
  readonly loop: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** Requests that go on until they are stopped. */
export interface Load {
  readonly answers: readonly Answer[];
  /** Lets each loop finish its request. Resolves to all answers. */
  stop(): Promise<readonly Answer[]>;
}

/** A request that got no answer by then counts as hung. */
const HUNG_MS = 10_000;

/** Between two requests of a loop, ms: when answers come at once, so does the next request, and the few slow ones would not show. */
const PAUSE_MS = 10;

/** Runs one loop for each list of requests, each repeating its list in order, one request at a time, over connections that stay open. */
export function startLoad(url: string, loops: readonly (readonly Ask[])[]): Load {
  const agent = new Agent({ keepAlive: true });
  const answers: Answer[] = [];
  let stopped = false;

  const run = async (asks: readonly Ask[], loop: number) => {
    for (let turn = 0; !stopped; turn += 1) {
      const ask = asks[turn % asks.length]!;
      answers.push(await send(url, ask, { agent, loop }));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const running = Promise.all(loops.map(run));

  return {
    answers,
    async stop() {
      stopped = true;
      await running;
      agent.destroy();
      return answers;
    },
  };
}

/** One request. Never rejects: no answer is an answer with status 0. Redirects are not followed. */
export function send(
  url: string,
  { name, path, method = "GET", headers = {}, body }: Ask,
  { agent, loop = 0 }: { agent?: Agent; loop?: number } = {},
): Promise<Answer> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const answer = (status: number, text: string, received: IncomingHttpHeaders = {}) =>
      resolve({ name, loop, status, body: text, headers: received, startedAt, endedAt: performance.now() });
    const outgoing = request(`${url}${path}`, { method, headers, ...(agent ? { agent } : {}), timeout: HUNG_MS }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => (text += chunk));
      incoming.once("error", (error) => answer(0, error.message));
      incoming.once("end", () => answer(incoming.statusCode ?? 0, text, incoming.headers));
    });
    outgoing.once("timeout", () => outgoing.destroy(new Error(`no answer within ${HUNG_MS} ms`)));
    outgoing.once("error", (error) => answer(0, error.message));
    outgoing.end(body);
  });
}

/** How long an answer took, ms. */
export function took({ startedAt, endedAt }: Answer): number {
  return endedAt - startedAt;
}

/** The time within which `share` of the answers came, ms. */
export function percentile(answers: readonly Answer[], share: number): number {
  const times = answers.map(took).sort((a, b) => a - b);
  return times[Math.min(times.length - 1, Math.ceil(times.length * share) - 1)] ?? 0;
}
