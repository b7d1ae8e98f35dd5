import { systemClock, type Clock } from "./clock.ts";
import { ConfigError } from "./errors.ts";

/**
 * Refuses options that a factory does not know, naming the one that was probably meant. `undefined` counts as absent.
 * @throws {ConfigError} such as `requireAuth.scopes: unknown option; did you mean "scope"?`
 */
export function assertOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) throw new ConfigError(where, "give one options object");
  for (const [name, value] of Object.entries(options)) {
    if (known.includes(name) || value === undefined) continue;
    if ("socket" in options && "headers" in options)
      throw new ConfigError(where, `was given a request: call it, as app.use(${where}()), for what it returns is the middleware`);
    if (!isPlain(options)) throw new ConfigError(where, `give one options object, such as { ${known[0] ?? ""} }`);
    const near = nearest(name, known);
    throw new ConfigError(
      `${where}.${name}`,
      near ? `unknown option; did you mean "${near}"?` : `unknown option; there are: ${known.join(", ")}`,
    );
  }
}

/** Whether it was written as `{ ... }`, rather than made by a class, such as a client in the place of the options that hold it. */
function isPlain(options: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(options);
  return prototype === Object.prototype || prototype === null;
}

/** Which of the known names was probably meant; `null` when none is within two letters of it, or begins with it. */
export function nearest(name: string, known: readonly string[]): string | null {
  const near = known.find((candidate) => distance(candidate.toLowerCase(), name.toLowerCase()) <= 2);
  return near ?? (name.length > 2 ? (known.find((candidate) => candidate.toLowerCase().startsWith(name.toLowerCase())) ?? null) : null);
}

/** @throws {ConfigError} unless `value` is absent or a non-empty list of non-empty texts. */
export function assertTexts(option: string, value: unknown): void {
  if (value === undefined) return;
  if (!Array.isArray(value) || value.length === 0 || value.some((item) => typeof item !== "string" || item === "")) {
    throw new ConfigError(option, "give a list of one or more texts, or leave it out");
  }
}

/** @throws {ConfigError} unless `value` is absent, true or false: "false", as an environment has it, would count as true. */
export function assertFlag(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== "boolean") throw new ConfigError(option, "give true or false");
}

/** The machine's clock when absent. @throws {ConfigError} for what tells no time. */
export function resolveClock(option: string, clock: Clock | null | undefined): Clock {
  if (clock === undefined || clock === null) return systemClock;
  if (typeof clock.now !== "function") throw new ConfigError(option, "give an object with now(), which returns Unix milliseconds");
  return clock;
}

/**
 * Where people sign in; `null` when absent.
 * @throws {ConfigError} unless it is a path of this application, or a whole URL.
 */
export function resolveSignInUrl(option: string, signInUrl: string | undefined): string | null {
  if (signInUrl === undefined || signInUrl === "") return null;
  if (typeof signInUrl !== "string" || !/^(?:\/(?![/\\])|https?:\/\/)/.test(signInUrl))
    throw new ConfigError(option, "give a path such as /sign-in, or a whole URL");
  return signInUrl;
}

/** Levenshtein's: how many letters to add, drop or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
