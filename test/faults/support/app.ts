import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Where an application finds its store: a Redis, or a database, whose tables it finds as they are. */
export type StoreAddress =
  | { kind: "server"; url: string }
  | { kind: "sql"; url: string }
  | { kind: "sentinel"; name: string; sentinels: readonly Address[] }
  | { kind: "cluster"; nodes: readonly Address[] };

interface Address {
  host: string;
  port: number;
}

/** What the application's process does for a test, from code rather than over HTTP. */
export interface AppCommands {
  /** A user by this id (`user-1`, whose address is `user-1@example.com`) and a session. The `Cookie` header. */
  signIn: { input: { userId: string }; result: string };
  /** An API key. */
  makeKey: { input: { userId: string }; result: string };
  /** The next code that was mailed. */
  code: { input: { email: string }; result: string };
  health: { input: undefined; result: Health };
  /** Stops serving, closes latchkey, then asks it for more. What each late call came to: `done`, or the code it was refused with. */
  close: { input: undefined; result: string[] };
}

/** What an outage must leave as it was. */
export interface Health {
  /** Unhandled rejections, uncaught exceptions, leaked listeners. */
  readonly faults: readonly string[];
  readonly timers: number;
  /** Listeners on the client or pool. */
  readonly listeners: number;
}

export interface AppCommand {
  id: number;
  name: keyof AppCommands;
  input: unknown;
}

export type AppAnswer = { id: number; result: unknown } | { id: number; failure: string };

/** An application in a process of its own. */
export interface FaultApp {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  readonly url: string;
  do<Name extends keyof AppCommands>(name: Name, input?: AppCommands[Name]["input"]): Promise<AppCommands[Name]["result"]>;
  /** Resolves when the process ends, to its exit code. */
  readonly exited: Promise<number | null>;
  /** Ends the process. Safe to repeat. */
  stop(): Promise<void>;
}

const ANSWER_MS = 15_000;

/** Starts the application of `app-process.ts` over a store that need not be there. About a second. */
export async function startFaultApp(store: StoreAddress): Promise<FaultApp> {
  const child = fork(fileURLToPath(new URL("./app-process.ts", import.meta.url)), [JSON.stringify(store)], {
    execArgv: ["--import", "tsx"],
    env: { ...process.env, NODE_ENV: "production" },
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const waiting = new Map<number, (answer: AppAnswer) => void>();
  let asked = 0;

  const [hello] = (await Promise.race([
    once(child, "message"),
    exited.then((code) => Promise.reject(new Error(`the application ended with ${code}`))),
  ])) as [{ url: string }];
  child.on("message", (answer: AppAnswer) => waiting.get(answer.id)?.(answer));

  return {
    url: hello.url,
    exited,
    do: (name, input) =>
      new Promise((resolve, reject) => {
        const id = (asked += 1);
        const timer = setTimeout(() => reject(new Error(`the application did not "${name}" within ${ANSWER_MS} ms`)), ANSWER_MS);
        waiting.set(id, (answer) => {
          clearTimeout(timer);
          waiting.delete(id);
          if ("failure" in answer) reject(new Error(answer.failure));
          else resolve(answer.result as never);
        });
        child.send({ id, name, input } satisfies AppCommand);
      }),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}
