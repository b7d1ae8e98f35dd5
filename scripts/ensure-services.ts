/**
 * Makes sure that the programs the tests start are here: Redis, its sentinel, and a browser. Says nothing when they are;
 * installs them with apt when it may; otherwise prints the command to run and exits with 1.
 *
 *     npx tsx scripts/ensure-services.ts
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs, each under any of its names, and the Debian package that brings it. */
const needed = [
  { programs: ["redis-server"], packageName: "redis-server" },
  { programs: ["redis-sentinel"], packageName: "redis-sentinel" },
  { programs: ["redis-cli"], packageName: "redis-tools" },
  { programs: ["chromium", "chromium-browser", "google-chrome"], packageName: "chromium" },
];

const missing = () => needed.filter(({ programs }) => !programs.some(isInstalled)).map(({ packageName }) => packageName);

const packages = missing();
if (packages.length > 0) {
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const command = `apt-get update && ${install.join(" ")}`;
  if (process.getuid?.() !== 0 || !isInstalled("apt-get")) {
    fail(`the tests need ${packages.join(", ")}. On Debian or Ubuntu run:\n\n  sudo sh -c '${command}'\n`);
  }
  console.error(`installing ${packages.join(", ")}`);
  run(["apt-get", "update"]);
  run(install);
  if (missing().length > 0) fail(`still missing after its installation: ${missing().join(", ")}`);
}

function isInstalled(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
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
