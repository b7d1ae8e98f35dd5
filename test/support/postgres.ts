import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { findProgram } from "../../scripts/programs.ts";
import { freePort, nobody, startServerProcess, type ServerProcess } from "./server-process.ts";

/** One PostgreSQL on loopback, empty. What it has committed survives its end, not that of the machine. */
export interface PostgresServer extends ServerProcess {
  /** `postgres://app@127.0.0.1:port/postgres` */
  readonly url: string;
}

/**
 * Starts a PostgreSQL of its own for a test. 0.8 s. `args`: more settings, such as `["-c", "deadlock_timeout=50ms"]`. None of its files
 * may grow beyond `maxFile` MB, of which its log takes 16.
 */
export async function startPostgres(args: readonly string[] = [], { maxFile }: { maxFile?: number } = {}): Promise<PostgresServer> {
  const limited = ["-c", `ulimit -f ${(maxFile ?? 0) * 2048}; exec "$0" "$@"`, program("postgres")];
  const server = await startServerProcess({
    command: maxFile === undefined ? program("postgres") : "/bin/sh",
    args: async (port, dir) => {
      const data = join(dir, "data");
      if (!existsSync(data)) await initialise(data);
      const settings = { fsync: "off", full_page_writes: "off", listen_addresses: "127.0.0.1" };
      return [
        ...(maxFile === undefined ? [] : limited),
        ...["-D", data, "-p", String(port), "-c", `unix_socket_directories=${dir}`, "-c", "dynamic_shared_memory_type=mmap"],
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
        ...args,
      ];
    },
    ready: async (port) => {
      const client = new pg.Client(urlOf(port));
      await client.connect();
      await client.end();
      return true;
    },
    port: freePort,
    notAsRoot: true,
    stopSignal: "SIGINT",
  });
  /** Each connection has a process of its own, which would go on answering. */
  const signal = (name: NodeJS.Signals) => {
    const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(server.pid)], { encoding: "utf8" });
    for (const pid of [server.pid, ...stdout.trim().split(/\s+/).map(Number)]) process.kill(pid, name);
  };
  return Object.defineProperties(server, {
    url: { value: urlOf(server.port), enumerable: true },
    pause: { value: () => signal("SIGSTOP") },
    resume: { value: () => signal("SIGCONT") },
  }) as PostgresServer;
}

/** The PostgreSQL for tests that only need one: that of `POSTGRES_URL`, else one started here. Use a prefix of your own, and `stop` it. */
export async function openPostgres(): Promise<Pick<PostgresServer, "url" | "stop">> {
  const url = process.env["POSTGRES_URL"];
  return url ? { url, stop: async () => {} } : startPostgres();
}

function urlOf(port: number): string {
  return `postgres://app@127.0.0.1:${port}/postgres`;
}

async function initialise(data: string): Promise<void> {
  const args = ["-D", data, "-U", "app", "--auth=trust", "-E", "UTF8", "--no-sync", "--locale=C"];
  await promisify(execFile)(program("initdb"), args, { cwd: "/", ...nobody() });
}

function program(name: string): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`${name} is not installed; install it with: npx tsx scripts/ensure-services.ts`);
  return path;
}
