import { AuthError } from "../errors.ts";
import { UsageError, type CliCommand, type CliIo, type ExitCode } from "./command.ts";
import { helpOf, overview } from "./help.ts";
import { findCommand, parseOptions } from "./parse.ts";
import { printable } from "./printable.ts";

/**
 * Runs the command that `args` names. Whatever it says is printed as {@link printable} has it.
 * @returns the exit code: 0 when all is well, 1 when something failed or was found wrong, 2 when it was called wrongly.
 */
export async function runCli(args: readonly string[], to: CliIo, commands: readonly CliCommand[], version: string): Promise<ExitCode> {
  const io: CliIo = { ...to, out: (line) => to.out(printable(line)), err: (line) => to.err(printable(line)) };
  const say = (lines: readonly string[]) => {
    for (const line of lines) io.out(line);
    return 0 as const;
  };
  try {
    const [first] = args;
    if (first === undefined) {
      for (const line of overview(commands)) io.err(line);
      return 2;
    }
    if (first === "--help" || first === "-h" || first === "help") return say(overview(commands));
    if (first === "--version" || first === "-v") return say([version]);
    const { command, rest } = findCommand(args, commands);
    if (rest.includes("--help") || rest.includes("-h")) return say(helpOf(command));
    return await command.run(parseOptions(command, rest), io);
  } catch (error) {
    for (const line of explain(error)) io.err(line);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** What went wrong, with the cause that our own errors keep for the log. */
function explain(error: unknown): string[] {
  if (error instanceof UsageError) return [`latchkey: ${error.message}`, "Try: latchkey --help"];
  const lines: string[] = [];
  for (let each = error; each instanceof Error && lines.length < MAX_CAUSES; each = each.cause) {
    // A driver's own words may be empty: all that is said of a refused connection is its code.
    const text = each.message !== "" ? each.message : "code" in each ? String(each.code) : each.name;
    lines.push(lines.length === 0 ? text.replace(/^(?:latchkey: )?/, "latchkey: ") : `  because: ${text}`);
    if (!(each instanceof AuthError)) break;
  }
  return lines.length > 0 ? lines.flatMap((line) => line.split("\n")) : [`latchkey: ${String(error)}`];
}

const MAX_CAUSES = 5;
