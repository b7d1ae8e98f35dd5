import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import mysql from "mysql2/promise";
import { findProgram } from "../../scripts/programs.ts";
import { freePort, nobody, startServerProcess, type ServerProcess } from "./server-process.ts";

/** One MariaDB on loopback, with an empty database. What it has committed survives its end, not that of the machine. */
export interface MariadbServer extends ServerProcess {
  /** `mysql://root@127.0.0.1:port/app` */
  readonly url: string;
}

/** Starts a MariaDB of its own for a test. 0.7 s. `args`: more settings. */
export async function startMariadb(args: readonly string[] = []): Promise<MariadbServer> {
  const server = await startServerProcess({
    command: program("mariadbd"),
    args: async (port, dir) => {
      const data = join(dir, "data");
      if (!existsSync(data)) await initialise(data);
      return [
        ...["--no-defaults", `--datadir=${data}`, `--port=${port}`, "--bind-address=127.0.0.1", `--socket=${dir}/socket`],
        ...[`--tmpdir=${dir}`, `--pid-file=${dir}/pid`, `--log-error=${dir}/log`, "--skip-log-bin", "--skip-name-resolve"],
        ...["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M", "--innodb-flush-method=nosync"],
        ...args,
      ];
    },
    ready: async (port) => {
      const connection = await mysql.createConnection({ host: "127.0.0.1", port, user: "root" });
      await connection.query("create database if not exists app");
      await connection.end();
      return true;
    },
    port: freePort,
    notAsRoot: true,
  });
  return Object.defineProperty(server, "url", { value: `mysql://root@127.0.0.1:${server.port}/app`, enumerable: true }) as MariadbServer;
}

/** The MariaDB or MySQL for tests that only need one: that of `MYSQL_URL`, else a MariaDB started here. Use a prefix of your own, and `stop` it. */
export async function openMariadb(): Promise<Pick<MariadbServer, "url" | "stop">> {
  const url = process.env["MYSQL_URL"];
  return url ? { url, stop: async () => {} } : startMariadb();
}

async function initialise(data: string): Promise<void> {
  const args = ["--no-defaults", `--datadir=${data}`, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
  // A folder for temporary files may belong to root alone.
  await promisify(execFile)(program("mariadb-install-db"), [...args, `--tmpdir=${dirname(data)}`], { cwd: "/", ...nobody() });
}

function program(name: string): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`${name} is not installed; install it with: npx tsx scripts/ensure-services.ts`);
  return path;
}
