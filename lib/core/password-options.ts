import { assertFlag, assertOptions, assertTexts } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import type { RequestSource } from "./events.ts";
import type { User } from "./users.ts";

/** Cost of argon2id. At least the cost of one of: 1 pass over 47,104 KiB, 2 over 19,456, 3 over 12,288. @see OWASP Password Storage Cheat Sheet. */
export interface Argon2Options {
  /** KiB. Default: 19,456. */
  memory?: number | undefined;
  /** Default: 2. */
  passes?: number | undefined;
  /** Default: 1. */
  lanes?: number | undefined;
}

/** A format of hashes that another system wrote. One that verifies is replaced by ours at that sign-in. */
export interface ForeignHash {
  /** Whether a stored hash is of this format. */
  recognises(stored: string): boolean;
  /** Whether `password`, as it was typed, is the one behind it. */
  verify(password: string, stored: string): Promise<boolean> | boolean;
}

/** How stolen passwords are recognised. */
export interface BreachedPasswordsOptions {
  /** What asks api.pwnedpasswords.com. Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Seconds to wait for it, 1 to 5. Default: 2. */
  timeout?: number | undefined;
  /** What becomes of a password when it cannot be asked. Default: `allow`; `refuse` answers 503. */
  whenUnknown?: "allow" | "refuse" | undefined;
}

/** Called, and waited for, before a session is made. To refuse, throw an `AuthError`, such as `new PermissionError("not_invited", "...")`. */
export type PasswordHook = (user: User, from: { readonly source: RequestSource | null }) => Promise<void> | void;

/** Options of passwords. */
export interface PasswordsOptions {
  /** Code points of the shortest password, 15 to 64. Default: 15. */
  minLength?: number | undefined;
  /** A shortest password of 8 to 14 code points, which is guessed too soon unless it is not all that protects the account. */
  unsafeMinLength?: number | undefined;
  /** More texts that are no passwords, such as names of your products. Default: none. */
  blocklist?: readonly string[] | undefined;
  /** Refuse passwords known from breaches. Default: off. */
  breached?: boolean | BreachedPasswordsOptions | undefined;
  argon2?: Argon2Options | undefined;
  /** Formats of hashes that came from elsewhere. Default: none. */
  foreignHashes?: readonly ForeignHash[] | undefined;
  /** Nobody signs in by password before their address is confirmed, and sign-up does not tell whether an address is known. Default: true with an `email` transport. */
  requireConfirmedEmail?: boolean | undefined;
  /** Consecutive wrong passwords after which a password has to be reset by mail, 10 to 100. Default: 100. */
  maxFailures?: number | undefined;
  /** The application's page where a new password is chosen, which gets `?token=`: a path, such as `/new-password`. Default: a page of ours. */
  resetPage?: string | undefined;
  /** Before a new user is signed in: the user is there already. Default: none. */
  onSignUp?: PasswordHook | undefined;
  /** After a right password. Default: none. */
  onSignIn?: PasswordHook | undefined;
}

/** {@link PasswordsOptions}, checked and with their defaults. */
export interface PasswordsConfig {
  readonly minLength: number;
  readonly blocklist: readonly string[];
  readonly breached: BreachedPasswordsOptions | null;
  readonly argon2: Argon2Cost;
  readonly foreignHashes: readonly ForeignHash[];
  readonly requireConfirmedEmail: boolean;
  readonly maxFailures: number;
  readonly resetPage: string | null;
  readonly onSignUp: PasswordHook | null;
  readonly onSignIn: PasswordHook | null;
}

/** {@link Argon2Options} with their defaults. */
export type Argon2Cost = { readonly [Name in keyof Argon2Options]-?: number };

const OPTIONS = [
  "minLength", "unsafeMinLength", "blocklist", "breached", "argon2", "foreignHashes", "requireConfirmedEmail", "maxFailures", "resetPage", "onSignUp", "onSignIn",
]; // prettier-ignore

/** @throws {ConfigError} when an option is unknown or out of bounds. */
export function resolvePasswordsOptions(options: PasswordsOptions, defaults: { readonly requireConfirmedEmail: boolean }): PasswordsConfig {
  assertOptions("passwords", options, OPTIONS);
  const {
    minLength,
    unsafeMinLength,
    blocklist,
    breached,
    foreignHashes = [],
    requireConfirmedEmail,
    resetPage,
    onSignUp,
    onSignIn,
  } = options;
  if (minLength !== undefined && unsafeMinLength !== undefined)
    throw new ConfigError("passwords.unsafeMinLength", "give it or minLength, not both");
  if (minLength !== undefined && minLength >= 8 && minLength < 15)
    throw new ConfigError("passwords.minLength", "give 15 to 64, or unsafeMinLength where a password is not all that protects an account");
  assertTexts("passwords.blocklist", blocklist);
  assertFlag("passwords.requireConfirmedEmail", requireConfirmedEmail);
  for (const [name, hook] of Object.entries({ onSignUp, onSignIn })) {
    if (hook !== undefined && typeof hook !== "function") throw new ConfigError(`passwords.${name}`, "give a function");
  }
  if (!Array.isArray(foreignHashes) || !(foreignHashes as readonly unknown[]).every(isForeignHash))
    throw new ConfigError("passwords.foreignHashes", "give a list of objects with recognises() and verify()");
  if (resetPage !== undefined && (typeof resetPage !== "string" || !/^\/(?![/\\])[\w./~-]*$/.test(resetPage)))
    throw new ConfigError("passwords.resetPage", "give a path of your application, such as /new-password");
  return {
    minLength:
      unsafeMinLength === undefined ? whole("minLength", minLength ?? 15, 15, 64) : whole("unsafeMinLength", unsafeMinLength, 8, 14),
    blocklist: blocklist ?? [],
    breached: resolveBreached(breached),
    argon2: resolveArgon2(options.argon2 ?? {}),
    foreignHashes,
    requireConfirmedEmail: requireConfirmedEmail ?? defaults.requireConfirmedEmail,
    maxFailures: whole("maxFailures", options.maxFailures ?? 100, 10, 100),
    resetPage: resetPage ?? null,
    onSignUp: onSignUp ?? null,
    onSignIn: onSignIn ?? null,
  };
}

function isForeignHash(format: unknown): boolean {
  const { recognises, verify } = (format ?? {}) as Partial<ForeignHash>;
  return typeof recognises === "function" && typeof verify === "function";
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new ConfigError(`passwords.${name}`, `give a whole number from ${min} to ${max}`);
  return value;
}

function resolveBreached(breached: PasswordsOptions["breached"]): BreachedPasswordsOptions | null {
  if (breached === undefined || breached === false) return null;
  if (breached === true) return {};
  assertOptions("passwords.breached", breached, ["fetch", "timeout", "whenUnknown"]);
  const { fetch, timeout, whenUnknown } = breached;
  if (fetch !== undefined && typeof fetch !== "function") throw new ConfigError("passwords.breached.fetch", "give a function like fetch");
  if (timeout !== undefined) whole("breached.timeout", timeout, 1, 5);
  if (whenUnknown !== undefined && whenUnknown !== "allow" && whenUnknown !== "refuse")
    throw new ConfigError("passwords.breached.whenUnknown", 'give "allow" or "refuse"');
  return breached;
}

/** The least memory, KiB, by number of passes. */
const MIN_MEMORY = [47_104, 19_456, 12_288] as const;

function resolveArgon2(options: Argon2Options): Argon2Cost {
  assertOptions("passwords.argon2", options, ["memory", "passes", "lanes"]);
  const passes = whole("argon2.passes", options.passes ?? 2, 1, 10);
  const least = MIN_MEMORY[Math.min(passes, MIN_MEMORY.length) - 1] ?? MIN_MEMORY[0];
  return {
    passes,
    memory: whole("argon2.memory", options.memory ?? 19_456, least, 1_048_576),
    lanes: whole("argon2.lanes", options.lanes ?? 1, 1, 4),
  };
}
