import { commands } from "../../lib/cli/commands.ts";
import type { CliCommand, CliIo } from "../../lib/cli/command.ts";
import { runCli } from "../../lib/cli/run.ts";
import { createTestClock } from "../../lib/testing/clock.ts";

/** What a run of the command line said and ended with. */
export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliRunOptions extends Partial<Omit<CliIo, "out" | "err">> {
  /** What the configuration module exports; without it there is the folder as it is. */
  readonly config?: Record<string, unknown>;
  readonly commands?: readonly CliCommand[];
}

/** Runs the command line in this process. A `config` is what `--config <this file>` would have loaded. */
export async function runLatchkey(
  args: readonly string[],
  { config, commands: known = commands, ...io }: CliRunOptions = {},
): Promise<CliRun> {
  const [out, err]: [string[], string[]] = [[], []];
  const all = config ? [...args, "--config", import.meta.filename] : args;
  const code = await runCli(
    all,
    {
      out: (line) => out.push(line),
      err: (line) => err.push(line),
      cwd: "/nowhere",
      clock: createTestClock(),
      fetch: () => Promise.reject(new Error("nothing is fetched here")),
      load: () => Promise.resolve(config),
      signal: new AbortController().signal,
      ...io,
    },
    known,
    "1.2.3",
  );
  return { code, out: out.join("\n"), err: err.join("\n") };
}
