/**
 * Makes sure that the programs the tests start are here: Redis, its sentinel, PostgreSQL, MariaDB, and a browser. Says nothing when they are;
 * installs them with apt when it may; otherwise prints the command to run and exits with 1.
 *
 *     npx tsx scripts/ensure-services.ts
 */
import { spawnSync } from "node:child_process";
import { findProgram } from "./programs.ts";

/** Programs, each under any of its names, and the Debian package that brings it. */
const needed = [
  { programs: ["redis-server"], packageName: "redis-server" },
  { programs: ["redis-sentinel"], packageName: "redis-sentinel" },
  { programs: ["redis-cli"], packageName: "redis-tools" },
  { programs: ["initdb"], packageName: "postgresql" },
  { programs: ["mariadbd"], packageName: "mariadb-server" },
  { programs: ["chromium", "chromium-browser", "google-chrome"], packageName: "chromium" },
];

const missing = () =>
  needed.filter(({ programs }) => programs.every((program) => findProgram(program) === null)).map(({ packageName }) => packageName);

const packages = missing();
if (packages.length > 0) {
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const command = `apt-get update && ${install.join(" ")}`;
  if (process.getuid?.() !== 0 || findProgram("apt-get") === null) {
    fail(`the tests need ${packages.join(", ")}. On Debian or Ubuntu run:\n\n  sudo sh -c '${command}'\n`);
  }
  console.error(`installing ${packages.join(", ")}`);
  run(["apt-get", "update"]);
  run(install);
  if (missing().length > 0) fail(`still missing after its installation: ${missing().join(", ")}`);
}

function run([command = "", ...args]: readonly string[]): void {
  // An installed server must not start by itself: the tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const { status, stdout, stderr } = spawnSync(command, args, { env, encoding: "utf8" });
  if (status !== 0) fail(`${[command, ...args].join(" ")} failed:\n${stdout}${stderr}`);
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
