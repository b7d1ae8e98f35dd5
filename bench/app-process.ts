import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { cores } from "./cores.ts";

/** An app of the benchmark: its name in the report and its program. */
export interface Contender {
  readonly name: string;
  /** Relative to this directory. */
  readonly file: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it may use every core, as one that hashes passwords on threads of its own. Default: the core of apps alone. */
  readonly anywhere?: true;
}

/** What an app used so far. */
export interface Usage {
  /** CPU time in µs, user and system. */
  readonly cpu: number;
  /** Requests begun. */
  readonly requests: number;
}

/** An app that runs and listens. */
export interface AppProcess {
  readonly port: number;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

/** Starts an app in plain node, in production mode, on the core of apps. */
export async function startApp({ file, env = {}, anywhere }: Contender, redisUrl: string): Promise<AppProcess> {
  const program = [process.execPath, fileURLToPath(new URL(file, import.meta.url))];
  const [command = "", ...args] = cores ? ["taskset", "-c", anywhere ? "0-1" : String(cores.apps), ...program] : program;
  const child = spawn(command, args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, NODE_OPTIONS: "", ...env, NODE_ENV: "production", REDIS_URL: redisUrl },
  });
  const { port } = await message<{ port: number }>(child, file);
  return {
    port,
    usage() {
      child.send("usage");
      return message<Usage>(child, file);
    },
    async stop() {
      const exited = once(child, "exit");
      child.disconnect();
      await exited;
    },
  };
}

async function message<Message>(child: ChildProcess, file: string): Promise<Message> {
  const exited = once(child, "exit").then(() => Promise.reject(new Error(`${file} ended`)));
  const [received] = (await Promise.race([once(child, "message"), exited])) as [Message];
  exited.catch(() => {});
  return received;
}
