import { assertFlag, assertOptions } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import type { SigningKey } from "./keyset.ts";
import type { Session } from "./sessions.ts";

/** Claims of the application's own, by name. */
export type OwnClaims = Readonly<Record<string, unknown>>;

/** Switches access and refresh tokens on. */
export interface TokensOptions {
  /**
   * For whom access tokens are: the API's own address, such as `https://api.example.com`. Our own routes take them, too: share it among
   * APIs that you run. Required.
   */
  audience: string | undefined;
  /** Who says so. Default: `baseUrl`. */
  issuer?: string | undefined;
  /** Seconds that an access token lives, up to 900. Default: 900. */
  accessTtl?: number | undefined;
  /** Seconds without a refresh after which a session with refresh tokens ends, up to `session.absoluteTtl`. Default: 14 days, or that. */
  refreshTtl?: number | undefined;
  /** Seconds for which the refresh token before the latest still gives that latest one, up to 30; 0: each counts once. Default: 10. */
  grace?: number | undefined;
  /** What comes of a refresh token that was replaced before: `end` the session, or only `refuse`. Default: `end`. */
  onReuse?: "end" | "refuse" | undefined;
  /**
   * Sign in by `bearer`, `cookie` or `split` without a session: there is an access token alone, no refresh token, and nothing that could
   * end it before its time. Default: false.
   */
  stateless?: boolean | undefined;
  /**
   * Claims of the application's own in every access token for `audience`, from the session it is for; called whenever one is issued, as at
   * sign-in and at each refresh, and waited for. Ours cannot be replaced. What it throws refuses. Not called for guests. Default: none.
   */
  claims?: ((session: Session) => OwnClaims | Promise<OwnClaims>) | undefined;
  /** Keys of the application's own: the first signs, all verify. Default: Ed25519 keys made from `secret`. */
  keys?: readonly SigningKey[] | undefined;
}

/** {@link TokensOptions}, checked and with defaults. */
export interface TokensConfig {
  readonly audience: string;
  readonly issuer: string;
  readonly accessTtl: number;
  readonly refreshTtl: number;
  readonly grace: number;
  readonly onReuse: "end" | "refuse";
  readonly stateless: boolean;
  readonly claims: ((session: Session) => OwnClaims | Promise<OwnClaims>) | null;
  readonly keys: readonly SigningKey[] | null;
}

const MAX_ACCESS_TTL = 900;
const REFRESH_TTL = 14 * 24 * 3600;
const MAX_GRACE = 30;
const NAMES = ["audience", "issuer", "accessTtl", "refreshTtl", "grace", "onReuse", "stateless", "claims", "keys"];

/** @throws {ConfigError} naming the option and the fix. */
export function resolveTokensOptions(
  options: TokensOptions | undefined,
  { origin, absoluteTtl }: { origin: string | null; absoluteTtl: number },
): TokensConfig | null {
  if (options === undefined) return null;
  assertOptions("tokens", options, NAMES);
  const {
    audience,
    issuer,
    accessTtl = MAX_ACCESS_TTL,
    refreshTtl,
    grace = 10,
    onReuse = "end",
    stateless = false,
    claims = null,
    keys = null,
  } = options;
  if (typeof audience !== "string" || audience === "")
    throw new ConfigError("tokens.audience", "is missing: set it to the address of the API, such as https://api.example.com");
  if (issuer !== undefined && (typeof issuer !== "string" || issuer === ""))
    throw new ConfigError("tokens.issuer", "give a text, or leave it out");
  if (!isSeconds(accessTtl, 1, MAX_ACCESS_TTL)) throw new ConfigError("tokens.accessTtl", `give whole seconds from 1 to ${MAX_ACCESS_TTL}`);
  if (refreshTtl !== undefined && !isSeconds(refreshTtl, 1, absoluteTtl))
    throw new ConfigError("tokens.refreshTtl", `give whole seconds from 1 up to session.absoluteTtl, ${absoluteTtl}`);
  if (!isSeconds(grace, 0, MAX_GRACE)) throw new ConfigError("tokens.grace", `give whole seconds from 0 to ${MAX_GRACE}`);
  if (onReuse !== "end" && onReuse !== "refuse") throw new ConfigError("tokens.onReuse", 'give "end" or "refuse"');
  assertFlag("tokens.stateless", stateless);
  if (claims !== null && typeof claims !== "function") throw new ConfigError("tokens.claims", "give a function of the session");
  if (keys !== null && (!Array.isArray(keys) || keys.length === 0))
    throw new ConfigError("tokens.keys", "give a list of one or more keys, or leave it out");
  return {
    audience,
    issuer: issuer ?? origin ?? "http://localhost",
    accessTtl,
    refreshTtl: refreshTtl ?? Math.min(REFRESH_TTL, absoluteTtl),
    grace,
    onReuse,
    stateless,
    claims,
    keys: keys as readonly SigningKey[] | null,
  };
}

function isSeconds(value: unknown, min: number, max: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}
