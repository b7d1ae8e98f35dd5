import { assertOptions, assertTexts } from "./check-options.ts";
import { sharedScopes } from "./core/scopes.ts";
import type { Membership } from "./core/membership.ts";
import { hasRefreshTokens, TRANSPORTS, type SessionTransport } from "./core/session-record.ts";
import { resolveSessionLife } from "./core/session-life.ts";
import type { GuestMerge, SessionsConfig } from "./core/sessions.ts";
import { ConfigError } from "./errors.ts";
import { isLoopback } from "./loopback.ts";

/** Options of sessions. */
export interface SessionOptions {
  /** `standard` (24 h idle, 30 d in all), `strict` (1 h, 24 h) or `high` (15 min, 12 h). Default: `standard`. */
  preset?: "standard" | "strict" | "high" | undefined;
  /** Seconds without use after which a session ends. Default: of the preset. */
  idleTtl?: number | undefined;
  /** Seconds after sign-in at which a session ends, up to 30 days. Default: of the preset. */
  absoluteTtl?: number | undefined;
  /** `single`: signing in ends the user's other sessions. Default: `multi`. */
  policy?: "multi" | "single" | undefined;
  /** How the credentials of a sign-in travel when it does not say; what has access tokens needs `tokens`. Default: `session`. */
  transport?: SessionTransport | undefined;
  /** Sessions of one user at once; the oldest gives way. Default: 100. */
  max?: number | undefined;
  /** Scopes that every user session has, for guards that ask for one. Default: none. */
  scopes?: readonly string[] | undefined;
  /** Whether a user belongs to a tenant: asked at a switch, and at most once a minute of use from then on. Default: to none. */
  membership?: Membership | undefined;
  /** Moves a guest's things to the user it became. Must be idempotent. */
  onGuestMerge?: GuestMerge | undefined;
}

/** Options of the session cookie. */
export interface CookieSettings {
  /** Without its prefix. Default: `sid`. */
  name?: string | undefined;
  /** The access token's cookie, without prefix. Default: `name` and `-access`. */
  accessName?: string | undefined;
  /** The refresh token's cookie, without prefix. Default: `name` and `-refresh`. */
  refreshName?: string | undefined;
  /** Shares the session with subdomains; costs the `__Host-` prefix. Default: this host only. */
  domain?: string | undefined;
  /** Default: `lax`. `none` needs https. */
  sameSite?: "lax" | "strict" | "none" | undefined;
}

/** {@link SessionOptions}, checked and with defaults. */
export type SessionConfig = SessionsConfig & { readonly scopes: ReadonlySet<string>; readonly transport: SessionTransport };

/** {@link CookieSettings}, checked and with defaults. */
export interface CookieConfig {
  readonly name: string;
  readonly accessName: string;
  readonly refreshName: string;
  readonly domain: string | null;
  readonly sameSite: "lax" | "strict" | "none";
  readonly secure: boolean;
}

const SESSION_OPTIONS = ["preset", "idleTtl", "absoluteTtl", "policy", "transport", "max", "scopes", "membership", "onGuestMerge"];

/** @throws {ConfigError} naming the option and the fix. */
export function resolveSession(options: SessionOptions, { tokens }: { readonly tokens: boolean }): SessionConfig {
  assertOptions("session", options, SESSION_OPTIONS);
  const { preset, idleTtl, absoluteTtl, policy = "multi", transport = "session", max = 100, scopes, membership, onGuestMerge } = options;
  if (policy !== "multi" && policy !== "single") throw new ConfigError("session.policy", 'give "multi" or "single"');
  if (!TRANSPORTS.includes(transport))
    throw new ConfigError("session.transport", `"${String(transport)}" is none of ${TRANSPORTS.join(", ")}`);
  if (hasRefreshTokens(transport) && !tokens) throw new ConfigError("session.transport", `"${transport}" needs \`tokens\` to be set`);
  if (!Number.isInteger(max) || max < 1) throw new ConfigError("session.max", "give a whole number from 1");
  for (const [name, hook] of Object.entries({ membership, onGuestMerge })) {
    if (hook !== undefined && typeof hook !== "function") throw new ConfigError(`session.${name}`, "give a function");
  }
  assertTexts("session.scopes", scopes);
  const own = { ...(idleTtl === undefined ? {} : { idleTtl }), ...(absoluteTtl === undefined ? {} : { absoluteTtl }) };
  return {
    life: resolveSessionLife(preset, own),
    policy,
    transport,
    max,
    membership: membership ?? null,
    onGuestMerge: onGuestMerge ?? null,
    scopes: sharedScopes(scopes),
  };
}

/**
 * The scheme of `origin` alone decides over Secure.
 * @throws {ConfigError} naming the option and the fix.
 */
export function resolveCookie(options: CookieSettings, origin: string | null, allowInsecure: boolean): CookieConfig {
  assertOptions("cookie", options, ["name", "accessName", "refreshName", "domain", "sameSite"]);
  const { name = "sid", domain, sameSite = "lax" } = options;
  const { accessName = `${name}-access`, refreshName = `${name}-refresh` } = options;
  for (const option of ["name", "accessName", "refreshName"] as const) assertCookieName(`cookie.${option}`, options[option] ?? "sid");
  if (new Set([name, accessName, refreshName, `${name}-oauth`, `${name}-code`]).size < 5)
    throw new ConfigError("cookie", "give each cookie a name of its own");
  if (domain !== undefined && (typeof domain !== "string" || !/^\.?[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(domain)))
    throw new ConfigError("cookie.domain", `"${String(domain)}" is no domain: write it as example.com`);
  const host = origin === null ? null : new URL(origin).hostname;
  if (domain !== undefined && host !== null && !`.${host}`.endsWith(`.${domain.replace(/^\./, "").toLowerCase()}`))
    throw new ConfigError("cookie.domain", `"${domain}" is not above ${host}, where baseUrl says people are: browsers drop such cookies`);
  if (!["lax", "strict", "none"].includes(sameSite)) throw new ConfigError("cookie.sameSite", 'give "lax", "strict" or "none"');
  const secure = origin?.startsWith("https:") ?? false;
  if (!secure && origin && !isLoopback(new URL(origin).hostname) && !allowInsecure) {
    throw new ConfigError(
      "baseUrl",
      "use https: over plain http anybody on the way can take the session (allowInsecureCookies: true accepts that)",
    );
  }
  if (sameSite === "none" && !secure)
    throw new ConfigError("cookie.sameSite", '"none" needs an https baseUrl: browsers drop such cookies without Secure');
  return { name, accessName, refreshName, domain: domain ?? null, sameSite, secure };
}

function assertCookieName(option: string, name: unknown): void {
  if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) throw new ConfigError(option, "use letters, digits, `_` and `-`");
  if (/^__(?:host|secure)-/i.test(name))
    throw new ConfigError(option, "leave the prefix out: it is added where the scheme of baseUrl allows it");
}
