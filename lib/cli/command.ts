import type { Clock } from "../clock.ts";

/** What a command is given of the world, so that tests need no process. */
export interface CliIo {
  /** One line for who reads the result. */
  out(line: string): void;
  /** One line about how it goes. */
  err(line: string): void;
  /** The folder it was started in. */
  readonly cwd: string;
  readonly clock: Clock;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Imports an ES module or a CommonJS one by its path. */
  load(path: string): Promise<unknown>;
  /** Aborted when somebody presses Ctrl+C. */
  readonly signal: AbortSignal;
}

/** One option of a command, as data: parsed, checked and explained from this alone. */
export type CliOption = TextOption | FlagOption;

interface TextOption {
  readonly type: "string";
  /** What its value is called in the help: `file`. */
  readonly value: string;
  readonly summary: string;
  /** The values there are. Default: any. */
  readonly choices?: readonly string[];
  readonly required?: true;
}

interface FlagOption {
  readonly type: "boolean";
  readonly summary: string;
}

export type CliOptions = Readonly<Record<string, CliOption>>;

/** The values of options: a flag is true or false, what was not given `null`. */
export type CliValues<Options extends CliOptions> = { readonly [Name in keyof Options]: ValueOf<Options[Name]> };

type ValueOf<Option> = Option extends { readonly type: "boolean" }
  ? boolean
  : | (Option extends { readonly choices: readonly (infer Choice)[] } ? Choice : string)
    | (Option extends { readonly required: true } ? never : null);

/** What a command ended with: 0 well, 1 not, 2 it was called wrongly. */
export type ExitCode = 0 | 1 | 2;

/** A command, as it is listed and run. */
export interface CliCommand {
  /** One word, or more: `import better-auth`. */
  readonly name: string;
  /** One line, for the list. */
  readonly summary: string;
  /** More lines for its own help. */
  readonly details: readonly string[];
  readonly options: CliOptions;
  /** @throws {UsageError} when it cannot be run with these. Other errors end it with 1. */
  run(values: Readonly<Record<string, string | boolean | null>>, io: CliIo): Promise<ExitCode>;
}

/** The same, while its options have their types. */
export function defineCommand<const Options extends CliOptions>(
  command: Omit<CliCommand, "options" | "run" | "details"> & {
    readonly details?: readonly string[];
    readonly options: Options;
    run(values: CliValues<Options>, io: CliIo): Promise<ExitCode>;
  },
): CliCommand {
  const { run, details = [] } = command;
  return { ...command, details, run: (values, io) => run(values as CliValues<Options>, io) }; // parsed by these very options
}

/** It was called wrongly: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
