import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/**
 * What a worker module exports under the name of a race: sets up (connects, prepares) and gives what is then raced.
 * Inputs and results are copied between processes: plain data and bytes, no functions.
 */
export type PrepareRacer<Input, Round, Result> = (
  input: Input,
  /** 0 in the first process, 1 in the second, ... */
  index: number,
) => Promise<{
  /** Called once a round, in all processes at the same moment. */
  run(round: Round): Promise<Result>;
  /** Closes what was opened. */
  end?(): Promise<void>;
}>;

/** Which race, and how it is run. */
export interface RaceOptions<Input> {
  /** The module, TypeScript or not: `new URL("./session.racers.ts", import.meta.url)`. */
  worker: URL;
  /** The export of that module to run. Default: `default`. */
  race?: string;
  /** Default: 2. */
  processes?: number;
  /** Handed to each {@link PrepareRacer}. */
  input: Input;
}

/** Processes that have set up and wait for a round. */
export interface Racers<Round, Result> {
  /** Lets all of them run at once. Results in the order of the processes; rejects with the first failure. */
  race(round: Round): Promise<Result[]>;
  /** Lets them close what they opened. They wait for the next race, and end with this process. */
  stop(): Promise<void>;
}

/** From the parent to a racer. */
export type RaceCommand =
  | { do: "prepare"; worker: string; race: string; input: unknown; index: number }
  | { do: "run"; round: unknown; at: number }
  | { do: "end" };

/** Back from it, one for each command. */
export type RaceAnswer = { result: unknown } | { failure: { message: string; code: unknown; stack: string | undefined } };

/** A command or its answer, under the same number. */
export type Numbered<T> = T & { readonly number: number };

const ANSWER_MS = 30_000;

/** How far ahead a round is set, so that each process has heard of it by then. */
const LEAD_MS = 8;

/** Processes that nobody races now: to start one takes longer than many a race. */
const idle: ChildProcess[] = [];

/** Processes that have not answered yet, and how many commands. */
const busy = new WeakMap<ChildProcess, number>();
let commands = 0;

/**
 * Has Node processes race each other over something they share: a Redis, a file. About half a second, and no time to speak of where
 * processes of an earlier race are left.
 *
 * @example
 * const racers = await startRacers<Input, number, boolean>({ worker: new URL("./claim.racers.ts", import.meta.url), input: { url } });
 * const won = await racers.race(1);
 * await racers.stop();
 */
export async function startRacers<Input, Round, Result>({
  worker,
  race = "default",
  processes = 2,
  input,
}: RaceOptions<Input>): Promise<Racers<Round, Result>> {
  const children = Array.from({ length: processes }, hire);
  let stopped: Promise<unknown> | null = null;
  const stop = async () => void (await (stopped ??= Promise.all(children.map(dismiss))));
  try {
    await all(children.map((child, index) => ask(child, { do: "prepare", worker: worker.href, race, input, index })));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    stop,
    async race(round) {
      // Of a test that ran out of time and does not know yet.
      if (stopped) throw new Error("these racers have stopped");
      const at = performance.timeOrigin + performance.now() + LEAD_MS;
      return (await all(children.map((child) => ask(child, { do: "run", round, at })))) as Result[];
    },
  };
}

/** One round of {@link startRacers}, and their end. */
export async function raceProcesses<Input, Result>(options: RaceOptions<Input>): Promise<Result[]> {
  const racers = await startRacers<Input, null, Result>(options);
  try {
    return await racers.race(null);
  } finally {
    await racers.stop();
  }
}

/** As `Promise.all`, once every one has settled: none is asked for more while it is still busy. */
async function all(answers: readonly Promise<unknown>[]): Promise<unknown[]> {
  await Promise.allSettled(answers);
  return Promise.all(answers);
}

/** What a racer answers. One that says nothing is killed. */
function ask(child: ChildProcess, command: RaceCommand): Promise<unknown> {
  const number = (commands += 1);
  busy.set(child, (busy.get(child) ?? 0) + 1);
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      child.off("message", onMessage).off("exit", onExit);
      busy.set(child, (busy.get(child) ?? 1) - 1);
      outcome();
    };
    const onMessage = (answer: Numbered<RaceAnswer>) => {
      if (answer.number !== number) return;
      settle(() => ("failure" in answer ? reject(asError(answer.failure)) : resolve(answer.result)));
    };
    const onExit = () => settle(() => reject(new Error(`a racer ended during "${command.do}"`)));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      settle(() => reject(new Error(`a racer did not "${command.do}" within ${ANSWER_MS} ms`)));
    }, ANSWER_MS);
    child.on("message", onMessage).on("exit", onExit);
    child.send({ ...command, number } satisfies Numbered<RaceCommand>, (error) => error && settle(() => reject(error)));
  });
}

function asError({ message, code, stack }: { message: string; code: unknown; stack: string | undefined }): Error {
  return Object.assign(new Error(message), { code, stack });
}

function hire(): ChildProcess {
  const waiting = idle.pop();
  if (!waiting)
    return fork(fileURLToPath(new URL("./race-worker.ts", import.meta.url)), { execArgv: ["--import", "tsx"], serialization: "advanced" });
  if (hasEnded(waiting)) return hire();
  waiting.ref();
  waiting.channel?.ref();
  return waiting;
}

/** Sends a racer to wait, or, where it is still at something that nobody waits for any more, to its end. */
async function dismiss(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended =
    !busy.get(child) &&
    (await ask(child, { do: "end" }).then(
      () => true,
      () => false,
    ));
  if (!ended) {
    if (hasEnded(child)) return;
    child.kill("SIGKILL");
    return void (await once(child, "exit"));
  }
  // Nor does it keep this process alive.
  child.unref();
  child.channel?.unref();
  idle.push(child);
}

function hasEnded({ exitCode, signalCode, connected }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null || !connected;
}
