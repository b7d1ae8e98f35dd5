import { assertFlag, assertOptions, assertTexts, resolveClock } from "../check-options.ts";
import type { Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";
import { isLoopback } from "../loopback.ts";
import type { Fetch, ProviderHttp } from "./http.ts";

/** What every provider strategy takes. Values from the environment may be `undefined`: a missing one is named. */
export interface OAuthClientOptions {
  /** As registered with the provider. */
  clientId: string | undefined;
  /** As registered with the provider; `null` for a public client, which PKCE alone protects. */
  clientSecret: string | null | undefined;
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
  /** Talk plain http to a provider beyond loopback. Anybody on the way can sign in as anybody. Default: false. */
  allowInsecureRequests?: boolean | undefined;
  /** What makes the requests. Default: the global one. */
  fetch?: Fetch | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
}

/** {@link OAuthClientOptions}, checked and with defaults. */
export interface OAuthClient {
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  readonly scope: readonly string[];
  readonly callbackUrl: string | null;
  readonly responseMode: "query" | "form_post";
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly http: ProviderHttp;
  readonly clock: Clock;
}

const OPTIONS = [
  "clientId", "clientSecret", "name", "scope", "callbackUrl", "responseMode", "authorizationParameters", "allowInsecureRequests", "fetch", "clock",
]; // prettier-ignore

/** Parameters that are ours to set: an application that could would switch a protection off. */
const RESERVED = new Set([
  "client_id", "client_secret", "redirect_uri", "response_type", "response_mode", "state", "nonce", "code_challenge", "code_challenge_method",
  "scope", "request", "request_uri",
]); // prettier-ignore

/**
 * Checks a strategy's options.
 *
 * @param where the factory's name, for messages: `google`.
 * @param defaults the provider's `name` and `scope`, and the addresses it is reached at.
 * @param more further options that the factory knows.
 * @throws {ConfigError} naming the option and the fix.
 */
export function resolveClient(
  where: string,
  options: OAuthClientOptions,
  defaults: { readonly name: string; readonly scope: readonly string[]; readonly addresses: readonly string[] },
  more: readonly string[] = [],
): OAuthClient {
  assertOptions(where, options, [...OPTIONS, ...more]);
  const { clientId, clientSecret, name = defaults.name, scope = defaults.scope, callbackUrl, responseMode = "query" } = options;
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
  assertFlag(`${where}.allowInsecureRequests`, options.allowInsecureRequests);
  if (options.fetch !== undefined && typeof options.fetch !== "function") throw fault("fetch", "give a function like the global fetch");

  return {
    name,
    clientId,
    clientSecret,
    scope: [...scope],
    callbackUrl: callbackUrl ?? null,
    responseMode,
    authorizationParameters: { ...parameters },
    http: {
      fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
      plainHttp: options.allowInsecureRequests === true ? "all" : plainHttpOf(where, defaults.addresses),
    },
    clock: resolveClock(`${where}.clock`, options.clock),
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
