import { parseArgs } from "node:util";
import { nearest } from "../check-options.ts";
import { UsageError, type CliCommand, type CliOption } from "./command.ts";

/** The command that arguments begin with, the longest name first, and what follows it. */
export function findCommand(args: readonly string[], commands: readonly CliCommand[]): { command: CliCommand; rest: readonly string[] } {
  const byLength = [...commands].sort((a, b) => b.name.length - a.name.length);
  for (const command of byLength) {
    const words = command.name.split(" ");
    if (words.every((word, index) => args[index] === word)) return { command, rest: args.slice(words.length) };
  }
  const [first = ""] = args;
  const inside = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (inside.length > 0) throw new UsageError(`"${first}" is not the whole command: ${inside.join(", ")}`);
  throw new UsageError(
    first.startsWith("-")
      ? `give the command before its options: latchkey <command> ${first}`
      : `there is no command "${first}"${meant(first, commands.map(({ name }) => name))}`, // prettier-ignore
  );
}

/**
 * The values of a command's options; those that were not given are `null`, or false.
 * @throws {UsageError} naming what is unknown, lacks its value or is none of the choices.
 */
export function parseOptions({ name, options }: CliCommand, args: readonly string[]): Readonly<Record<string, string | boolean | null>> {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(options).map(([option, { type }]) => [option, { type }])),
    strict: false, // its own refusals name neither the command nor what was probably meant
    tokens: true,
    allowPositionals: true,
  });
  const given: Record<string, string | boolean> = {};
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") throw new UsageError(`"${token.value}" is too much: latchkey ${name} takes options alone`);
    const option = options[token.name];
    if (!option || !token.rawName.startsWith("--"))
      throw new UsageError(`latchkey ${name} has no option ${token.rawName}${meant(token.name, Object.keys(options), "--")}`);
    if (token.name in given) throw new UsageError(`${token.rawName} is given twice`);
    // What begins with a dash is the next option, unless it is written as --name=-value.
    const value = token.inlineValue === false && token.value.startsWith("-") ? undefined : token.value;
    given[token.name] = valueOf(token.rawName, option, value);
  }
  for (const [option, each] of Object.entries(options)) {
    if ("required" in each && !(option in given)) throw new UsageError(`latchkey ${name} needs --${option} ${placeholder(each)}`);
  }
  return Object.fromEntries(
    Object.entries(options).map(([option, { type }]) => [option, given[option] ?? (type === "boolean" ? false : null)]),
  );
}

/** How the value of an option is written in helps and refusals: `<file>`, `a|b`; `""` for a flag. */
export function placeholder(option: CliOption): string {
  return option.type === "boolean" ? "" : option.choices ? option.choices.join("|") : `<${option.value}>`;
}

function valueOf(name: string, option: CliOption, value: string | undefined): string | boolean {
  if (option.type === "boolean") {
    if (value !== undefined) throw new UsageError(`${name} takes no value`);
    return true;
  }
  if (value === undefined || value === "") throw new UsageError(`${name} needs a value: ${name} ${placeholder(option)}`);
  if (option.choices && !option.choices.includes(value))
    throw new UsageError(`${name} is one of ${option.choices.join(", ")}, not "${value}"`);
  return value;
}

function meant(name: string, known: readonly string[], dashes = ""): string {
  const near = nearest(name, known);
  return near === null ? "" : `; did you mean ${dashes}${near}?`;
}
