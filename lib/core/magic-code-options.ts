import { assertOptions } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import { parseLimit, type Limit } from "./rate-limits.ts";

/** Options of magic codes. Limits are written like `"5/15m"`. */
export interface MagicCodesOptions {
  /** Digits of a code, 6 to 10. Default: 8. */
  digits?: number | undefined;
  /** Seconds a code is good for, 60 to 600. Default: 600. */
  ttl?: number | undefined;
  /** Guesses at one code, 1 to 5. Default: 5. */
  tries?: number | undefined;
  /** Seconds between two codes to one address for one source, at least 1. Default: 60. */
  cooldown?: number | undefined;
  /** Codes to one address for one source. Default: `5/h`. */
  sendsPerAddressAndSource?: string | undefined;
  /** Codes to one address for all sources together, but those it was signed in from. Default: `20/h`. */
  sendsPerAddress?: string | undefined;
  /** Codes for one source, to whatever address. Default: `20/h`. */
  sendsPerSource?: string | undefined;
  /** Guesses at codes of one address from browsers that did not ask for them. Default: `10/h`. */
  guessesPerAddress?: string | undefined;
  /** Consecutive wrong guesses after which a user cannot sign in by code until another proof, 5 to 100. Default: 100. */
  maxFailures?: number | undefined;
}

/** {@link MagicCodesOptions}, checked and with their defaults. */
export interface MagicCodesConfig {
  readonly digits: number;
  readonly pattern: RegExp;
  readonly ttl: number;
  readonly tries: number;
  readonly maxFailures: number;
  readonly cooldown: Limit;
  readonly sendsPerAddressAndSource: Limit;
  readonly sendsPerAddress: Limit;
  readonly sendsPerSource: Limit;
  readonly guessesPerAddress: Limit;
  /** Open requests of an address: more than its limits let through while one lasts, so that none is ever pushed out by strangers. */
  readonly maxOpen: number;
}

const OPTIONS = [
  "digits", "ttl", "tries", "cooldown", "sendsPerAddressAndSource", "sendsPerAddress", "sendsPerSource", "guessesPerAddress", "maxFailures",
]; // prettier-ignore

/** @throws {ConfigError} when an option is unknown or out of bounds. */
export function resolveMagicCodesOptions(options: MagicCodesOptions): MagicCodesConfig {
  assertOptions("magicCodes", options, OPTIONS);
  const whole = (name: keyof MagicCodesOptions, value: number, min: number, max: number) => {
    if (!Number.isInteger(value) || value < min || value > max)
      throw new ConfigError(`magicCodes.${name}`, `give a whole number from ${min} to ${max}`);
    return value;
  };
  const limit = (name: keyof MagicCodesOptions, text: string) => parseLimit(text, `magicCodes.${name}`);
  const digits = whole("digits", options.digits ?? 8, 6, 10);
  const sendsPerAddress = limit("sendsPerAddress", options.sendsPerAddress ?? "20/h");
  return {
    digits,
    pattern: new RegExp(`^[0-9]{${digits}}$`),
    ttl: whole("ttl", options.ttl ?? 600, 60, 600),
    tries: whole("tries", options.tries ?? 5, 1, 5),
    maxFailures: whole("maxFailures", options.maxFailures ?? 100, 5, 100),
    cooldown: { max: 1, windowSeconds: whole("cooldown", options.cooldown ?? 60, 1, 3600) },
    sendsPerAddressAndSource: limit("sendsPerAddressAndSource", options.sendsPerAddressAndSource ?? "5/h"),
    sendsPerAddress,
    sendsPerSource: limit("sendsPerSource", options.sendsPerSource ?? "20/h"),
    guessesPerAddress: limit("guessesPerAddress", options.guessesPerAddress ?? "10/h"),
    maxOpen: 2 * sendsPerAddress.max + 24,
  };
}
