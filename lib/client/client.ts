import { operations, type Operations } from "./operations.ts";
import { failureOf, resultOf, type Result } from "./result.ts";
import { memoryKeeper, tokensIn, type TokenKeeper } from "./tokens.ts";

export interface ClientOptions {
  /** Where the routes are, such as `https://app.example.com/auth`. Default: `/auth` of the page. */
  readonly baseUrl?: string | undefined;
  /** Calls as the owner of this key: nothing is ever renewed. Never in a browser. */
  readonly apiKey?: string | undefined;
  /** Where tokens are kept that travel in bodies. Default: in memory. */
  readonly tokens?: TokenKeeper | undefined;
  /** Further origins that {@link Client.fetch} sends the access token to. Default: none but that of `baseUrl`. */
  readonly origins?: readonly string[] | undefined;
  /** Called when what there was to renew the session with is refused: the person has to sign in again. */
  readonly onSignedOut?: (() => void) | undefined;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch | undefined;
}

/** Options of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

type Input<Name extends keyof Operations> = Operations[Name]["input"];

/** What trying to renew came to; an answer that is neither is handed on. */
type Renewal = "renewed" | "refused" | Response;

/**
 * A function for each operation of the API, by its `operationId`; path, query and body are one object. Each rejects with a {@link TypeError}
 * for a part of its path that is empty, `.` or `..`: that would name another operation.
 */
export type Client = {
  readonly [Name in keyof Operations]: Record<never, never> extends Input<Name>
    ? (input?: Input<Name>, options?: CallOptions) => Promise<Result<Name>>
    : (input: Input<Name>, options?: CallOptions) => Promise<Result<Name>>;
} & {
  /**
   * The platform's `fetch`, for the application's own API: with the credentials of this client, and sent once more after they were
   * renewed when the answer is 401. A path alone is one of the page, or without a page of `baseUrl`.
   * @throws {TypeError} for an origin that is neither that of `baseUrl` nor among `origins`.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
};

/**
 * A client of latchkey's HTTP API, for browsers and Node. A call that is refused with 401 is sent once more after the tokens were renewed;
 * however many calls wait for that, they are renewed once.
 *
 * @throws {TypeError} when `baseUrl` is no URL.
 * @example
 * const auth = createClient({ baseUrl: "https://app.example.com/auth" });
 * const { data, error } = await auth.signIn({ email, password });
 * if (error?.code === "rate_limited") show(`Try again in ${error.retryAfter} s`);
 */
export function createClient(options: ClientOptions = {}): Client {
  const { apiKey, tokens: keeper = memoryKeeper(), origins = [], onSignedOut } = options;
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const { baseUrl = "/auth" } = options;
  if (!URL.canParse(baseUrl, page))
    throw new TypeError(
      `latchkey: baseUrl: "${baseUrl}" is no whole URL, and there is no page here: write it as https://app.example.com/auth`,
    );
  const base = new URL(baseUrl, page);
  const root = base.href.replace(/\/+$/, "");
  const trusted = new Set([base.origin, ...origins]);
  const send = options.fetch ?? ((request: Request) => fetch(request));

  /** How often something was renewed. A call that began before the last time only has to be sent again. */
  let renewals = 0;
  /** How often somebody signed in or out: what was renewed for somebody else is thrown away, and what somebody else asked is not asked again. */
  let people = 0;
  let renewing: Promise<Renewal> | null = null;
  /** Whether the server renews anything; it says so itself. */
  let renews = apiKey === undefined;

  const dispatch = async (request: Request): Promise<Response> => {
    const bearer = apiKey ?? (await keeper.get())?.accessToken;
    if (bearer !== undefined && !request.headers.has("authorization")) request.headers.set("authorization", `Bearer ${bearer}`);
    return send(request);
  };

  const keep = async (tokens: ReturnType<typeof tokensIn>) => {
    people += 1;
    await keeper.set(tokens);
  };

  const renew = async (): Promise<Renewal> => {
    const person = people;
    const refreshToken = (await keeper.get())?.refreshToken;
    const response = await send(post(`${root}/refresh`, refreshToken ? { refresh_token: refreshToken } : {}));
    const { data, error } = await resultOf<"refresh">(response.clone());
    if (person !== people) return "refused";
    if (data) {
      const made = tokensIn(data);
      if (made) await keeper.set({ ...made, refreshToken: made.refreshToken ?? refreshToken ?? null });
      renewals += 1;
      return "renewed";
    }
    if (error.status === 404) renews = false;
    else if (error.status !== 401) return response;
    else if (error.code !== "authentication_required") {
      await keep(null);
      onSignedOut?.();
    }
    return "refused";
  };

  /** Sends a request that somebody must be signed in for. */
  const authorized = async (request: Request): Promise<Response> => {
    const [before, person] = [renewals, people];
    const again = renews ? request.clone() : null;
    const response = await dispatch(request);
    if (response.status !== 401 || again === null || !renews || asksForMore(response) || person !== people) return response;
    if (before === renewals) {
      renewing ??= renew().finally(() => (renewing = null));
      const renewal = await renewing;
      // Nobody was signed out by a server that is away for a moment.
      if (renewal !== "renewed") return renewal === "refused" ? response : renewal.clone();
    }
    return person === people ? dispatch(again) : response;
  };

  const call = async <Name extends keyof Operations>(name: Name, input: Readonly<Record<string, unknown>>, given: CallOptions) => {
    const [method = "", path = "", guarded] = operations[name].split(" ");
    const target = targetOf(root + path, input);
    try {
      const held = name === "signOut" || name === "refresh" ? ((await keeper.get())?.refreshToken ?? undefined) : undefined;
      const rest = held === undefined ? target.rest : { refresh_token: held, ...target.rest };
      const request = requestOf(method, target.url, rest, given);
      const result = await resultOf<Name>(await (guarded ? authorized : dispatch)(request));
      if (name === "signOut" && (result.data || result.error?.status === 401)) await keep(null);
      const tokens = tokensIn(result.data);
      if (tokens) await keep(name === "refresh" ? { ...tokens, refreshToken: tokens.refreshToken ?? held ?? null } : tokens);
      return result;
    } catch (cause) {
      return failureOf(cause, given.signal);
    }
  };

  const calls = Object.keys(operations).map((name) => [
    name,
    (input = {}, given = {}) => call(name as keyof Operations, input as Readonly<Record<string, unknown>>, given as CallOptions),
  ]);
  return {
    ...(Object.fromEntries(calls) as Client),
    async fetch(input, init) {
      const request = new Request(input instanceof Request ? input : new URL(input, page ?? base), init);
      if (!trusted.has(new URL(request.url).origin)) throw new TypeError(`${request.url} is of no origin that tokens are sent to`);
      return authorized(request);
    },
  };
}

/** A session that is too old for what was asked is not renewed by tokens: the person has to act. */
function asksForMore({ headers }: Response): boolean {
  return headers.get("www-authenticate")?.includes("insufficient_user_authentication") ?? false;
}

/**
 * The address of an operation, and the input that is not part of its path.
 * @throws {TypeError} for a part that would make another path of it, and so name another operation.
 */
function targetOf(template: string, input: Readonly<Record<string, unknown>>): { url: URL; rest: Readonly<Record<string, unknown>> } {
  const rest = new Map(Object.entries(input).filter(([, value]) => value !== undefined));
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = rest.get(name);
    if (typeof value !== "string" || /^\.{0,2}$/.test(value)) throw new TypeError(`${name} is no part of a path`);
    rest.delete(name);
    return encodeURIComponent(value);
  });
  return { url: new URL(path), rest: Object.fromEntries(rest) };
}

/** The API redirects no script, and whoever it would lead to must not get what is in the body. */
const SENT = { credentials: "include", redirect: "manual" } as const;

function requestOf(method: string, url: URL, rest: Readonly<Record<string, unknown>>, { signal, headers }: CallOptions): Request {
  const init = { ...(signal ? { signal } : {}), headers: { ...headers } };
  if (method === "POST") return post(url.href, rest, init);
  for (const [name, value] of Object.entries(rest)) url.searchParams.set(name, String(value));
  return new Request(url, { ...init, ...SENT, method, headers: { accept: "application/json", ...init.headers } });
}

function post(url: string, body: unknown, { headers, ...init }: { headers?: Record<string, string>; signal?: AbortSignal } = {}): Request {
  return new Request(url, {
    ...init,
    ...{ ...SENT, method: "POST", body: JSON.stringify(body) },
    headers: { accept: "application/json", "content-type": "application/json", ...headers },
  });
}
