import { assertFlag, assertOptions, assertTexts, resolveClock } from "../check-options.ts";
import type { Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";
import { isLoopback } from "../loopback.ts";
import { privateKeyJwt, type ClientAuthentication, type PrivateKeyAuthentication, type SecretMethod } from "./client-authentication.ts";
import { createDPoP, type DPoP, type DPoPOptions } from "./dpop.ts";
import { createLanes, type Fetch, type ProviderHttp } from "./http.ts";
import type { Profile } from "./profile.ts";

/** What every provider strategy takes. Values from the environment may be `undefined`: a missing one is named. */
export interface OAuthClientOptions {
  /** As registered with the provider. */
  clientId: string | undefined;
  /** As registered with the provider; `null` for a public client, which PKCE alone protects. Absent where a key stands in for it. */
  clientSecret?: string | null | undefined;
  /**
   * A key instead of the secret (`private_key_jwt`), where the provider takes one; or how the secret is shown, where the provider's metadata
   * does not say what it takes: in the Authorization header (`client_secret_basic`), or in the form (`client_secret_post`). Default: the
   * secret, as the provider's metadata has it.
   */
  clientAuthentication?: PrivateKeyAuthentication | SecretMethod | undefined;
  /**
   * Binds the tokens to a key of the application's own (DPoP, RFC 9449), where the provider can: whoever gets hold of them without the key
   * can use none. A provider that gives bearer tokens all the same is refused. Default: bearer tokens.
   */
  dpop?: DPoPOptions | undefined;
  /** The strategy's name, in its path and on accounts. Default: the provider's. */
  name?: string | undefined;
  /** What to ask for. Default: what signing in needs. */
  scope?: readonly string[] | undefined;
  /** The absolute URL of the callback, for a plain Passport application. latchkey gives its own. Never taken from the Host header. */
  callbackUrl?: string | undefined;
  /** How the answer comes back. `form_post` needs a callback that takes a POST; it goes on by a GET of its own. Default: `query`. */
  responseMode?: "query" | "form_post" | undefined;
  /** Further parameters of the authorization request, such as `{ access_type: "offline", prompt: "consent" }`. */
  authorizationParameters?: Readonly<Record<string, string>> | undefined;
  /** The provider's `prompt`: `select_account`, `consent`, `login` or `none`, where it knows them. Default: the provider's choice. */
  prompt?: string | undefined;
  /** Whom to sign in, where that is known: an address or a user name, sent as `login_hint`. Default: nobody in particular. */
  loginHint?: string | undefined;
  /**
   * Changes what is read of a person, by what the provider said: the userinfo answer, or the ID token's claims. What it returns replaces
   * those fields; an address of its own counts as unverified, unless it says `emailVerified: true` too. Default: nothing is changed.
   */
  profile?: ProfileMapping | undefined;
  /** Talk plain http to a provider beyond loopback. Anybody on the way can sign in as anybody. Default: false. */
  allowInsecureRequests?: boolean | undefined;
  /** What makes the requests. Default: the global one. */
  fetch?: Fetch | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
}

/** See {@link OAuthClientOptions.profile}. */
export type ProfileMapping = (profile: Profile, said: Readonly<Record<string, unknown>>) => Partial<Profile> | Promise<Partial<Profile>>;

/** {@link OAuthClientOptions}, checked and with defaults. */
export interface OAuthClient {
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  /** `null`: by the secret. */
  readonly authentication: ClientAuthentication | null;
  /** How the secret is shown. `null`: in the way that the provider takes. */
  readonly secretMethod: SecretMethod | null;
  /** `null`: bearer tokens. */
  readonly dpop: DPoP | null;
  readonly scope: readonly string[];
  readonly callbackUrl: string | null;
  readonly responseMode: "query" | "form_post";
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly mapProfile: ProfileMapping | null;
  readonly http: ProviderHttp;
  readonly clock: Clock;
}

/** What a provider brings to {@link resolveClient}. */
export interface ProviderDefaults {
  /** The strategy's name, in its path and on accounts. */
  readonly name: string;
  readonly scope: readonly string[];
  /** Where it is reached, to be held against `allowInsecureRequests`. */
  readonly addresses: readonly string[];
  /** Parameters that it needs in each authorization request. */
  readonly authorizationParameters?: Readonly<Record<string, string>> | undefined;
  readonly responseMode?: "query" | "form_post" | undefined;
  /** Stands in for the client secret. */
  readonly authentication?: ((client: Pick<OAuthClient, "clientId" | "clock">) => ClientAuthentication) | undefined;
}

const OPTIONS = [
  "clientId", "clientSecret", "clientAuthentication", "dpop", "name", "scope", "callbackUrl", "responseMode", "authorizationParameters", "prompt",
  "loginHint", "profile", "allowInsecureRequests", "fetch", "clock",
]; // prettier-ignore

const SECRET_METHODS: ReadonlySet<string> = new Set<SecretMethod>(["client_secret_basic", "client_secret_post"]);

/** Requests to one provider at a time. At 0.2 s for each of three, that is 160 sign-ins a second. */
const MAX_REQUESTS = 100;

/** Parameters that are ours to set: an application that could would switch a protection off. */
const RESERVED = new Set([
  "client_id", "client_secret", "redirect_uri", "response_type", "response_mode", "state", "nonce", "code_challenge", "code_challenge_method",
  "scope", "request", "request_uri", "dpop_jkt",
]); // prettier-ignore

/**
 * Checks a strategy's options.
 *
 * @param where the factory's name, for messages: `google`.
 * @param more further options that the factory knows.
 * @throws {ConfigError} naming the option and the fix.
 */
export function resolveClient(
  where: string,
  options: OAuthClientOptions,
  defaults: ProviderDefaults,
  more: readonly string[] = [],
): OAuthClient {
  assertOptions(where, options, [...OPTIONS, ...more]);
  const { clientId, name = defaults.name, scope = defaults.scope, callbackUrl, responseMode = defaults.responseMode ?? "query" } = options;
  const secretMethod = typeof options.clientAuthentication === "string" ? options.clientAuthentication : null;
  const clientAuthentication = typeof options.clientAuthentication === "string" ? undefined : options.clientAuthentication;
  const keyed = clientAuthentication !== undefined || defaults.authentication !== undefined;
  const clientSecret = options.clientSecret === undefined && keyed ? null : options.clientSecret;
  const fault = (option: string, fix: string) => new ConfigError(`${where}.${option}`, fix);

  if (typeof clientId !== "string" || clientId === "")
    throw fault("clientId", "is missing: set it to the client id that the provider gave this application");
  if (clientSecret !== null && (typeof clientSecret !== "string" || clientSecret === "")) {
    throw fault("clientSecret", "is missing: set it to the provider's secret, or to null for a public client without one");
  }
  if (typeof name !== "string" || !/^[\w.-]{1,64}$/.test(name))
    throw fault("name", 'use letters, digits, ".", "_" and "-": it is part of a path');
  assertTexts(`${where}.scope`, options.scope);
  if (callbackUrl !== undefined) assertCallbackUrl(`${where}.callbackUrl`, callbackUrl);
  if (responseMode !== "query" && responseMode !== "form_post") throw fault("responseMode", 'give "query" or "form_post"');
  const parameters = options.authorizationParameters ?? {};
  if (typeof parameters !== "object" || Array.isArray(parameters))
    throw fault("authorizationParameters", "give an object of names and texts");
  for (const [parameter, value] of Object.entries(parameters)) {
    if (RESERVED.has(parameter)) throw fault("authorizationParameters", `leave "${parameter}" out: it is set for you`);
    if (typeof value !== "string") throw fault("authorizationParameters", `give "${parameter}" as text`);
  }
  const shown: Record<string, string> = {};
  for (const [option, parameter] of [
    ["prompt", "prompt"],
    ["loginHint", "login_hint"],
  ] as const) {
    const value: unknown = options[option];
    if (value === undefined) continue;
    if (typeof value !== "string" || value === "") throw fault(option, "give a text, or leave it out");
    if (Object.hasOwn(parameters, parameter)) throw fault("authorizationParameters", `leave "${parameter}" out: ${option} says it`);
    shown[parameter] = value;
  }
  if (options.profile !== undefined && typeof options.profile !== "function")
    throw fault("profile", "give a function of a profile and of what the provider said");
  if (secretMethod !== null && !SECRET_METHODS.has(secretMethod))
    throw fault("clientAuthentication", 'give "client_secret_basic", "client_secret_post", or { privateKey, kid }');
  if (secretMethod !== null && clientSecret === null)
    throw fault("clientSecret", `set it: clientAuthentication shows it by ${secretMethod}`);
  // Whatever is no object would switch the client's authentication off, silently.
  if (clientAuthentication !== undefined && (typeof clientAuthentication !== "object" || clientAuthentication === null))
    throw fault("clientAuthentication", "give { privateKey, kid }, or leave it out and set clientSecret");
  assertFlag(`${where}.allowInsecureRequests`, options.allowInsecureRequests);
  if (options.fetch !== undefined && typeof options.fetch !== "function") throw fault("fetch", "give a function like the global fetch");

  const clock = resolveClock(`${where}.clock`, options.clock);
  return {
    name,
    clientId,
    clientSecret,
    authentication: clientAuthentication
      ? privateKeyJwt(`${where}.clientAuthentication`, clientAuthentication, clock)
      : (defaults.authentication?.({ clientId, clock }) ?? null),
    secretMethod,
    dpop: options.dpop === undefined ? null : createDPoP(`${where}.dpop`, options.dpop, clock),
    scope: [...scope],
    callbackUrl: callbackUrl ?? null,
    responseMode,
    authorizationParameters: { ...defaults.authorizationParameters, ...parameters, ...shown },
    mapProfile: options.profile ?? null,
    http: {
      fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
      plainHttp: options.allowInsecureRequests === true ? "all" : plainHttpOf(where, defaults.addresses),
      lanes: createLanes(MAX_REQUESTS),
    },
    clock,
  };
}

/** @throws {ConfigError} unless it is an issuer identifier: a URL without query and fragment (OpenID Connect Core 1.0, section 1.2). */
export function assertIssuer(option: string, issuer: unknown): asserts issuer is string {
  if (issuer === undefined || issuer === "")
    throw new ConfigError(option, "is missing: set it to the provider's issuer, such as https://login.example.com");
  if (typeof issuer !== "string" || !URL.canParse(issuer) || !/^https?:$/.test(new URL(issuer).protocol) || /[?#]/.test(issuer))
    throw new ConfigError(
      option,
      `${typeof issuer === "string" ? `"${issuer}"` : "this"} is no issuer: write it as https://login.example.com`,
    );
}

/** @throws {ConfigError} unless `url` is an absolute http or https URL without query and fragment (RFC 6749, section 3.1.2). */
export function assertCallbackUrl(option: string, url: unknown): asserts url is string {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new ConfigError(option, "give the whole URL, such as https://app.example.com/auth/callback/google");
  if (parsed.search !== "" || parsed.hash !== "") throw new ConfigError(option, "leave query and fragment out");
}

/** http is taken only from a provider on this machine. */
function plainHttpOf(where: string, addresses: readonly string[]): ProviderHttp["plainHttp"] {
  const plain = addresses.filter((address) => new URL(address).protocol !== "https:");
  const outside = plain.find((address) => new URL(address).protocol !== "http:" || !isLoopback(new URL(address).hostname));
  if (outside !== undefined) throw new ConfigError(where, `"${outside}" is not https (allowInsecureRequests: true accepts that)`);
  return plain.length > 0 ? "loopback" : "none";
}
