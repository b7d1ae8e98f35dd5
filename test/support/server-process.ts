import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chown, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** A server that a test started, with a directory of its own. It dies with the test process, however that ends. */
export interface ServerProcess {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  readonly dir: string;
  /** Ends the process and waits for its end; the directory stays, so that it can start again. */
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts it again after `kill`, on the same port and directory; resolves when it answers. */
  restart(): Promise<void>;
  /** Freezes it (SIGSTOP): connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends the process and removes its directory. Safe to repeat. */
  stop(): Promise<void>;
}

/** What {@link startServerProcess} is told. */
export interface ServerCommand {
  command: string;
  /** Its arguments, once the port and the directory are known. */
  args: (port: number, dir: string) => readonly string[] | Promise<readonly string[]>;
  /** Whether the server with this pid answers on `port`. May reject: that is a no. */
  ready: (port: number, pid: number) => Promise<boolean>;
  /** Candidates, one a try: another process may take a free port before the server does. */
  port: () => Promise<number>;
  /** For a server that refuses to run as root: then it runs as nobody, who owns its directory. */
  notAsRoot?: boolean;
  /** How `stop` ends it. Default: SIGKILL. */
  stopSignal?: NodeJS.Signals;
}

const START_MS = 15_000;
const TRIES = 5;

/** Starts a server on a free port and waits until it answers. */
export async function startServerProcess({
  command,
  args,
  ready,
  port: pickPort,
  notAsRoot = false,
  stopSignal = "SIGKILL",
}: ServerCommand): Promise<ServerProcess> {
  const user = notAsRoot ? nobody() : null;
  for (let tries = 1; ; tries++) {
    const port = await pickPort();
    const dir = await mkdtemp(join(tmpdir(), `latchkey-${basename(command)}-`));
    if (user) await chown(dir, user.uid, user.gid);
    const guardian = guardDirectory(dir);
    let child: ChildProcess | null = null;
    let pid = 0;

    const start = async () => {
      child = await spawnServer(command, await args(port, dir), { cwd: dir, ...user });
      pid = child.pid ?? 0;
      guardian.watch(pid);
      await answers(child, () => ready(port, pid), join(dir, "log"));
    };
    const end = async (signal: NodeJS.Signals) => {
      if (child && child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.ref(); // or this process could end while it waits
        child.kill(signal);
        await exited;
      }
      child = null;
      guardian.watch(null);
    };
    const stop = async () => {
      child?.kill("SIGCONT");
      await end(stopSignal);
      await rm(dir, { recursive: true, force: true });
      await guardian.release();
    };

    try {
      await start();
    } catch (error) {
      await stop();
      if (tries < TRIES) continue;
      throw error;
    }
    return {
      host: "127.0.0.1",
      port,
      dir,
      get pid() {
        return pid;
      },
      kill: end,
      restart: start,
      pause: () => child && freeze(child),
      resume: () => void child?.kill("SIGCONT"),
      stop,
    };
  }
}

/** Stops a process, and waits until the last of its threads stands still: the signal returns before that. */
function freeze(child: ChildProcess): void {
  child.kill("SIGSTOP");
  const tasks = `/proc/${child.pid}/task`;
  const stands = (task: string) => /\) [Tt] [^)]*$/.test(readFileSync(`${tasks}/${task}/stat`, "utf8"));
  const deadline = performance.now() + 1000;
  while (existsSync(tasks) && !readdirSync(tasks).every(stands)) {
    if (performance.now() > deadline) throw new Error(`Process ${child.pid} goes on in spite of SIGSTOP`);
  }
}

/** Whom a process started by root becomes; `null` for all others, who stay who they are. */
export function nobody(): { uid: number; gid: number } | null {
  return process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : null;
}

async function spawnServer(
  command: string,
  args: readonly string[],
  options: { cwd: string; uid?: number; gid?: number },
): Promise<ChildProcess> {
  const child = spawn(command, args, { ...options, stdio: "ignore", detached: true });
  const [failure] = await Promise.race([once(child, "spawn").then(() => []), once(child, "error")]);
  if (failure) throw new Error(`${command} could not be started; install it with: npx tsx scripts/ensure-services.ts`, { cause: failure });
  child.unref();
  return child;
}

async function answers(child: ChildProcess, ready: () => Promise<boolean>, log: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    if (await ready().catch(() => false)) return;
    await delay(10);
  }
  throw new Error(`${child.spawnfile} did not answer: ${await readFile(log, "utf8").catch(() => "it left no log")}`);
}

/**
 * A shell that waits for the end of this process, also by SIGKILL (its input then closes), and that then kills the
 * server and removes its directory.
 */
function guardDirectory(dir: string): { watch(pid: number | null): void; release(): Promise<void> } {
  const script = 'while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"; rm -rf "$1"';
  const shell = spawn("/bin/sh", ["-c", script, "sh", dir], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  shell.stdin.on("error", () => {}); // the guardian was killed: nothing to tell it
  return {
    watch: (pid) => void (shell.stdin.writable && shell.stdin.write(`${pid ?? ""}\n`)),
    release: async () => {
      if (shell.exitCode !== null || shell.signalCode !== null) return;
      const exited = once(shell, "exit");
      shell.ref();
      shell.stdin.end();
      await exited;
    },
  };
}

/** A loopback port that nothing listens on now; with `busOffset`, so that `port + busOffset` is free too. */
export async function freePort(busOffset = 0): Promise<number> {
  for (;;) {
    // Below the range the kernel hands to clients, and low enough for a cluster's bus port.
    const port = 10_000 + Math.floor(Math.random() * 12_000);
    if ((await isFree(port)) && (busOffset === 0 || (await isFree(port + busOffset)))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Sends one command to a Redis or a sentinel, without a client, and resolves to its answer as it came over the wire. */
export function askRedis(port: number, command: string): Promise<string> {
  const end = "$13\r\nend-of-answer\r\n"; // what a PING behind the command echoes
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(`${command}\r\nPING end-of-answer\r\n`));
    socket.setTimeout(2000, () => socket.destroy(new Error("no answer within 2 s")));
    socket.setEncoding("utf8");
    socket.on("data", (data: string) => {
      answer += data;
      if (answer.endsWith(end)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () =>
      answer.endsWith(end) ? resolve(answer.slice(0, -end.length)) : reject(new Error("the connection was closed")),
    );
  });
}

/** Resolves once `done` does to true; rejects after 15 s. Rejections of `done` count as not yet. */
export async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (!(await done().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(25);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
