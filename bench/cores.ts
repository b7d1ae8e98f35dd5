import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** Where apps run, so that two in a duel share one core and whatever happens to it; and where all else runs. `null`: not pinned. */
export const cores = ((): { apps: number; rest: number } | null => {
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return availableParallelism() > 1 ? { apps: 0, rest: 1 } : { apps: 0, rest: 0 };
  } catch {
    return null;
  }
})();

/** Moves a process, all its threads, to the core for all but apps. */
export function pinToRest(pid: number): void {
  if (cores) execFileSync("taskset", ["-a", "-p", "-c", String(cores.rest), String(pid)], { stdio: "ignore" });
}
