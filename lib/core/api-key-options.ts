import { ConfigError } from "../errors.ts";

/** Options of API keys. */
export interface ApiKeysOptions {
  /** What every key begins with: 1 to 12 letters, digits, `_`, `-`, `.`. Default: `sk-`. */
  prefix?: string | undefined;
  /** Seconds a key lives, and the most it may be given. Default: 1 year. */
  ttl?: number | undefined;
  /** Seconds without use after which a key ends. Default: none. */
  idleTtl?: number | undefined;
  /** Whether a key may be made that never expires, or lives longer than `ttl`. Default: no. */
  allowNoExpiry?: boolean | undefined;
  /** Live keys of one owner. Default: 100. */
  max?: number | undefined;
}

/** {@link ApiKeysOptions}, checked and with their defaults. */
export interface ApiKeysConfig {
  readonly prefix: string;
  readonly ttl: number;
  readonly idleTtl: number | null;
  readonly allowNoExpiry: boolean;
  readonly max: number;
}

const YEAR = 31_536_000;

/** @throws {ConfigError} when a number is out of bounds. */
export function resolveApiKeysOptions(options: ApiKeysOptions): ApiKeysConfig {
  const { prefix = "sk-", ttl = YEAR, idleTtl = null, allowNoExpiry = false, max = 100 } = options;
  for (const [name, number] of Object.entries({ ttl, idleTtl: idleTtl ?? 1, max })) {
    if (!Number.isInteger(number) || number < 1) throw new ConfigError(`apiKeys.${name}`, "give a whole number from 1");
  }
  return { prefix, ttl, idleTtl, allowNoExpiry, max };
}
