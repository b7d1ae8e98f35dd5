import type { CliCommand } from "./command.ts";
import { placeholder } from "./parse.ts";

/** What `latchkey --help` says. */
export function overview(commands: readonly CliCommand[]): string[] {
  return [
    "Usage: latchkey <command> [options]",
    "",
    ...table(commands.map(({ name, summary }) => [name, summary])),
    "",
    "latchkey <command> --help tells of one command, latchkey --version which this is.",
    "Ends with 0 when all is well, 1 when something failed or was found wrong, 2 when it was called wrongly.",
  ];
}

/** What `latchkey <command> --help` says. */
export function helpOf({ name, summary, details, options }: CliCommand): string[] {
  const written = Object.entries(options).map(([option, each]) => ({ text: `--${option} ${placeholder(each)}`.trimEnd(), each }));
  const usage = written.map(({ text, each }) => ("required" in each ? text : `[${text}]`));
  return [
    ["Usage: latchkey", name, ...usage].join(" "),
    "",
    summary,
    ...(details.length > 0 ? ["", ...details] : []),
    ...(written.length > 0 ? ["", ...table(written.map(({ text, each }) => [text, each.summary]))] : []),
  ];
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
