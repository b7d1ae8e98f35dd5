import { randomBytes } from "node:crypto";
import type { Strategy } from "passport";
import { assertFlag, assertOptions, assertTexts, resolveClock, resolveSignInUrl } from "./check-options.ts";
import type { Clock } from "./clock.ts";
import type { ApiKeysOptions } from "./core/api-keys.ts";
import { resolveAuditOptions, type AuditConfig, type AuditOptions } from "./core/audit-options.ts";
import { resolveMagicCodesOptions, type MagicCodesOptions } from "./core/magic-code-options.ts";
import { resolvePasswordsOptions, type PasswordsConfig, type PasswordsOptions } from "./core/password-options.ts";
import { resolveSweepEvery } from "./core/sweeper.ts";
import { resolveTokensOptions, type TokensConfig, type TokensOptions } from "./core/token-options.ts";
import { resolveTelemetry, type Telemetry } from "./core/telemetry.ts";
import type { UserStore } from "./core/users.ts";
import { resolveAppName, resolveEmail, resolveTemplates } from "./email-options.ts";
import type { EmailTemplates } from "./email/messages.ts";
import type { KeyDerivation } from "./crypto/key-ring.ts";
import type { EmailTransport } from "./email/transport.ts";
import { ConfigError } from "./errors.ts";
import { assertOrigin } from "./http/csrf.ts";
import {
  resolveCookie,
  resolveSession,
  type CookieConfig,
  type CookieSettings,
  type SessionConfig,
  type SessionOptions,
} from "./session-options.ts";
import { assertStore } from "./storage/check-store.ts";
import type { RecordStore } from "./storage/record-store.ts";

/** Options of {@link createAuth}. Each may be `undefined`, so that it can come from the environment. */
export interface AuthOptions {
  /**
   * The secret all keys are derived from, 32 bytes or more; of a list the first signs, all verify. Required in production;
   * in development a missing one is made up for the life of the process.
   */
  secret?: string | readonly (string | undefined)[] | undefined;
  /**
   * How keys are made of `secret`: `hkdf`, for random ones, or `pbkdf2`, slower once at start, where a policy asks for it. Changing it
   * ends sessions and makes sealed data unreadable, as another secret would. Default: `hkdf`.
   */
  keyDerivation?: KeyDerivation | undefined;
  /** Where the application is reached: `https://app.example.com`. Required in production. Its scheme alone decides over Secure cookies. */
  baseUrl?: string | undefined;
  /** Where our routes are, as seen from outside. Default: `/auth`. */
  basePath?: string | undefined;
  /** Where records are kept. Default: in memory, refused in production. */
  store?: RecordStore | undefined;
  /**
   * Seconds after which expired records are removed again where the store does not do it, as SQL; by one process of all that share the
   * store. `false`: never. Default: 60.
   */
  sweepEvery?: number | false | undefined;
  /** Ways to sign in through others: ours, or any Passport strategy. Default: none. */
  strategies?: readonly Strategy[] | undefined;
  /** What sends mail. Default: the console, in development. Without one, production has no magic codes. */
  email?: EmailTransport | undefined;
  /** The application's name, in mails. Default: the host of `baseUrl`. */
  appName?: string | undefined;
  /** The application's own words for a mail, text and HTML, instead of ours. Default: none. */
  emailTemplates?: Partial<EmailTemplates> | undefined;
  /** How codes sent by mail are made and limited. */
  magicCodes?: MagicCodesOptions | undefined;
  /** Switches passwords and their routes on. Default: off. */
  passwords?: boolean | PasswordsOptions | undefined;
  session?: SessionOptions | undefined;
  cookie?: CookieSettings | undefined;
  /** Switches API key routes on. Default: off. */
  apiKeys?:
    | boolean
    | (ApiKeysOptions & { /** Scopes that users may give to their keys. Default: none. */ scopes?: readonly string[] | undefined })
    | undefined;
  /** Access tokens (JWT) and refresh tokens, for clients that have no cookie and APIs that have no store. Default: off. */
  tokens?: TokensOptions | undefined;
  /** Keeps what happens to users, sessions and credentials in the store: `auth.audit`. Default: off. */
  audit?: boolean | AuditOptions | undefined;
  /** Further origins whose pages may send unsafe requests with our cookie. Default: none. */
  trustedOrigins?: readonly string[] | undefined;
  /** Further origins that sign-in may send a browser back to. Default: none. */
  returnToOrigins?: readonly string[] | undefined;
  /** Where guards send a page navigation that is not signed in, with the page asked for as `return_to`. Default: they answer 401. */
  signInUrl?: string | undefined;
  /** Load the user of every signed-in request into `req.user`: one more read each. Default: false. */
  loadUser?: boolean | undefined;
  /** The application's own users. Default: kept by us, in the store. */
  users?: UserStore | undefined;
  /** Names of providers whose verified addresses may sign in to the confirmed account of that address. Default: none. */
  linkByEmail?: readonly string[] | undefined;
  /** Cookies without Secure and the `__Host-` prefix over plain http beyond loopback. Anybody on the way can take them. Default: false. */
  allowInsecureCookies?: boolean | undefined;
  /** Session tokens in answers to browsers, where any script on the page can read them. Default: false. */
  allowTokensInBrowsers?: boolean | undefined;
  /** What measures the work, such as `openTelemetry({ tracer, meter })`. Default: nothing does. */
  telemetry?: Telemetry | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
}

/** {@link AuthOptions}, checked and with defaults. */
export interface AuthConfig {
  readonly secrets: readonly string[];
  readonly keyDerivation: KeyDerivation;
  /** Whether there was no secret, so that one was made up. */
  readonly madeUpSecret: boolean;
  /** An origin; `null` in development without `baseUrl`. */
  readonly origin: string | null;
  readonly basePath: string;
  readonly store: RecordStore | null;
  /** Seconds; 0: never. */
  readonly sweepEvery: number;
  readonly strategies: ReadonlyMap<string, Strategy>;
  readonly email: EmailTransport | null;
  readonly appName: string;
  readonly emailTemplates: EmailTemplates;
  readonly magicCodes: MagicCodesOptions;
  readonly passwords: PasswordsConfig;
  readonly passwordRoutes: boolean;
  readonly session: SessionConfig;
  readonly cookie: CookieConfig;
  readonly apiKeys: ApiKeysOptions;
  readonly apiKeyRoutes: boolean;
  readonly apiKeyScopes: ReadonlySet<string>;
  readonly tokens: TokensConfig | null;
  readonly audit: AuditConfig | null;
  readonly trustedOrigins: ReadonlySet<string>;
  readonly returnToOrigins: ReadonlySet<string>;
  readonly signInUrl: string | null;
  readonly loadUser: boolean;
  readonly users: UserStore | null;
  readonly linkByEmail: readonly string[];
  readonly allowTokensInBrowsers: boolean;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly production: boolean;
}

const OPTIONS = [
  "secret", "keyDerivation", "baseUrl", "basePath", "store", "sweepEvery", "strategies", "email", "appName", "emailTemplates", "magicCodes", "passwords", "session", "cookie", "apiKeys", "tokens", "audit", "trustedOrigins", "returnToOrigins",
  "signInUrl", "loadUser", "users", "linkByEmail", "allowInsecureCookies", "allowTokensInBrowsers", "telemetry", "clock",
]; // prettier-ignore
/** Checks everything that can be checked at start. @throws {ConfigError} naming the option and the fix. */
export function resolveOptions(options: AuthOptions, environment: string | undefined): AuthConfig {
  assertOptions("createAuth", options, OPTIONS);
  const production = environment === "production";
  const origin = resolveBaseUrl(options.baseUrl, production);
  const store = resolveStore(options.store);
  if (production && !store)
    throw new ConfigError("store", "production needs a store that outlives the process, such as redisStore({ client })");
  if (production && store && !store.persistent)
    throw new ConfigError("store", `"${store.name}" forgets everything at a restart: use another in production`);
  assertTexts("linkByEmail", options.linkByEmail);
  for (const name of ["loadUser", "allowInsecureCookies", "allowTokensInBrowsers"] as const) assertFlag(name, options[name]);
  resolveMagicCodesOptions(options.magicCodes ?? {});
  const session = resolveSession(options.session ?? {}, { tokens: options.tokens !== undefined });
  const strategies = resolveStrategies(options.strategies ?? []);
  // Not refused: which strategies there are may depend on the environment.
  for (const name of options.linkByEmail ?? [])
    if (!strategies.has(name)) process.emitWarning(`latchkey: linkByEmail: there is no strategy named "${name}"`);
  return {
    ...resolveSecrets(options.secret, production),
    keyDerivation: resolveDerivation(options.keyDerivation),
    origin,
    basePath: resolveBasePath(options.basePath),
    store,
    sweepEvery: resolveSweepEvery(options.sweepEvery),
    strategies,
    email: resolveEmail(options.email, production),
    appName: resolveAppName(options.appName, origin),
    emailTemplates: resolveTemplates(options.emailTemplates ?? {}),
    magicCodes: options.magicCodes ?? {},
    ...resolvePasswords(options.passwords, { email: resolveEmail(options.email, production), production }),
    session,
    cookie: resolveCookie(options.cookie ?? {}, origin, options.allowInsecureCookies ?? false),
    ...resolveApiKeys(options.apiKeys),
    tokens: resolveTokensOptions(options.tokens, { origin, absoluteTtl: session.life.absoluteTtl }),
    audit: resolveAuditOptions(options.audit),
    trustedOrigins: origins("trustedOrigins", options.trustedOrigins),
    returnToOrigins: origins("returnToOrigins", options.returnToOrigins),
    signInUrl: resolveSignInUrl("signInUrl", options.signInUrl),
    loadUser: options.loadUser ?? false,
    users: resolveUsers(options.users),
    linkByEmail: options.linkByEmail ?? [],
    allowTokensInBrowsers: options.allowTokensInBrowsers ?? false,
    telemetry: resolveTelemetry(options.telemetry),
    clock: resolveClock("clock", options.clock),
    production,
  };
}

function resolveDerivation(keyDerivation: KeyDerivation = "hkdf"): KeyDerivation {
  if (keyDerivation !== "hkdf" && keyDerivation !== "pbkdf2") throw new ConfigError("keyDerivation", 'give "hkdf" or "pbkdf2"');
  return keyDerivation;
}

function resolveSecrets(secret: AuthOptions["secret"], production: boolean): Pick<AuthConfig, "secrets" | "madeUpSecret"> {
  const given: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  const list = given.filter((item) => item !== undefined && item !== "") as string[];
  if (list.some((item) => typeof item !== "string")) throw new ConfigError("secret", "give text, or a list of texts");
  if (list.length > 0) return { secrets: list, madeUpSecret: false };
  if (production)
    throw new ConfigError("secret", "is missing: set it to 32 bytes or more, made for instance with: openssl rand -base64 48");
  process.emitWarning("latchkey: no `secret`: made one up, so sessions end when this process does");
  return { secrets: [randomBytes(48).toString("base64url")], madeUpSecret: true };
}

function resolveBaseUrl(baseUrl: string | undefined, production: boolean): string | null {
  if (baseUrl === undefined || baseUrl === "") {
    if (production)
      throw new ConfigError("baseUrl", "is missing: set it to where the application is reached, such as https://app.example.com");
    process.emitWarning("latchkey: no `baseUrl`: only loopback hosts such as localhost are served");
    return null;
  }
  const origin = typeof baseUrl === "string" && URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (!origin || !/^https?:$/.test(origin.protocol))
    throw new ConfigError("baseUrl", `"${baseUrl}" is no URL: write it as https://app.example.com`);
  if (origin.pathname !== "/" || origin.search || origin.hash || origin.username) {
    throw new ConfigError("baseUrl", "give scheme and host alone; the path of our routes is `basePath`");
  }
  return origin.origin;
}

function resolveBasePath(basePath = "/auth"): string {
  if (typeof basePath !== "string" || !/^(?:\/[\w.~-]+)+$/.test(basePath))
    throw new ConfigError("basePath", `"${basePath}" is no path: write it as /auth, without a slash at the end`);
  return basePath;
}

function resolveStore(store: RecordStore | undefined): RecordStore | null {
  if (store === undefined || store === null) return null;
  assertStore("store", store);
  return store;
}

function resolveStrategies(strategies: readonly Strategy[]): ReadonlyMap<string, Strategy> {
  if (!Array.isArray(strategies)) throw new ConfigError("strategies", "give a list of strategies");
  const byName = new Map<string, Strategy>();
  for (const strategy of strategies as readonly Strategy[]) {
    if (typeof strategy === "function")
      throw new ConfigError("strategies", "one was not called: give what it returns, such as google({ clientId, clientSecret })");
    if (typeof strategy?.authenticate !== "function")
      throw new ConfigError("strategies", "each must be a Passport strategy: an object with authenticate()");
    const { name } = strategy;
    if (typeof name !== "string" || !/^[\w.-]{1,64}$/.test(name))
      throw new ConfigError(
        "strategies",
        `"${String(name)}" cannot be part of a path: give the strategy a name of letters, digits, ".", "_", "-"`,
      );
    if (byName.has(name)) throw new ConfigError("strategies", `two are named "${name}": give one of them another \`name\``);
    byName.set(name, strategy);
  }
  return byName;
}

function resolveUsers(users: UserStore | undefined): UserStore | null {
  if (users === undefined) return null;
  const missing = USER_STORE.find((name) => typeof users?.[name] !== "function");
  if (missing) throw new ConfigError("users", `lacks ${missing}(): give an object with ${USER_STORE.join(", ")}`);
  return users;
}

const USER_STORE = ["findByEmail", "findById", "create", "update", "delete"] as const satisfies readonly (keyof UserStore)[];

function resolvePasswords(
  passwords: AuthOptions["passwords"],
  { email, production }: Pick<AuthConfig, "email" | "production">,
): Pick<AuthConfig, "passwords" | "passwordRoutes"> {
  const options = passwords === undefined || typeof passwords === "boolean" ? {} : passwords;
  const config = resolvePasswordsOptions(options, { requireConfirmedEmail: email !== null });
  if (production && config.requireConfirmedEmail && !email)
    throw new ConfigError("passwords.requireConfirmedEmail", "needs a transport in `email`, such as smtpTransport({ ... })");
  return { passwords: config, passwordRoutes: passwords !== undefined && passwords !== false };
}

function resolveApiKeys(apiKeys: AuthOptions["apiKeys"]): Pick<AuthConfig, "apiKeys" | "apiKeyRoutes" | "apiKeyScopes"> {
  if (apiKeys === undefined || typeof apiKeys === "boolean")
    return { apiKeys: {}, apiKeyRoutes: apiKeys ?? false, apiKeyScopes: new Set() };
  assertOptions("apiKeys", apiKeys, ["prefix", "ttl", "idleTtl", "allowNoExpiry", "max", "scopes"]);
  const { scopes, ...options } = apiKeys;
  assertTexts("apiKeys.scopes", scopes);
  assertFlag("apiKeys.allowNoExpiry", options.allowNoExpiry);
  return { apiKeys: options, apiKeyRoutes: true, apiKeyScopes: new Set(scopes) };
}

function origins(option: string, list: readonly string[] | undefined): ReadonlySet<string> {
  assertTexts(option, list);
  return new Set((list ?? []).map((origin) => assertOrigin(option, origin)));
}
