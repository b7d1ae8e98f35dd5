import type { CustomFetch } from "openid-client";

/** How a token endpoint says that a code or a refresh token is over. */
export interface GrantDialect {
  /**
   * What it answers beside `invalid_grant`: a reply that has all members of one of these says the same. Nothing that may pass or is the
   * application's fault belongs here, as nobody asks again with that refresh token. Default: nothing else.
   */
  readonly grantEnded?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

/** How the token endpoint of a provider is spoken with. */
export interface TokenDialect extends GrantDialect {
  readonly tokenEndpoint: string;
  /** How the request's body is written. Default: `form`. */
  readonly tokenRequest?: "form" | "json" | undefined;
}

/**
 * Token replies as RFC 6749, section 5, has them, from providers that write them otherwise: as a form, without `token_type`, with scopes
 * as a list, with an ID token that was not asked for, with an error under status 200 (GitHub) or as an object (Facebook), or with another
 * error for a grant that is over. Requests go out as JSON where the provider reads nothing else.
 */
export function plainTokenReplies(dialect: TokenDialect, fetch: CustomFetch): CustomFetch {
  const { tokenEndpoint, tokenRequest = "form" } = dialect;
  const endpoint = new URL(tokenEndpoint).href;
  return async function plainTokenFetch(url, options) {
    if (new URL(url).href !== endpoint) return fetch(url, options);
    const response = await fetch(url, tokenRequest === "json" ? asJson(options) : options);
    const body = await response.text();
    const reply = parse(body, response.headers.get("content-type") ?? "");
    if (!reply) return new Response(body === "" ? null : body, { status: response.status, headers: response.headers });

    const headers = carriedOver(response.headers);
    const { id_token: _, error, ...rest } = reply;
    const code = isEnded(response, reply, dialect) ? "invalid_grant" : errorCode(error);
    if (code !== null) return Response.json({ ...rest, error: code }, { status: response.status === 200 ? 400 : response.status, headers });
    if (rest["refresh_token"] === "" || rest["refresh_token"] === null) delete rest["refresh_token"];
    const scope = Array.isArray(rest["scope"]) ? { scope: rest["scope"].join(" ") } : {};
    return Response.json({ token_type: "bearer", ...rest, ...scope }, { status: response.status, headers });
  };
}

/** The same of grants alone, for a provider whose token replies are as they should be otherwise. */
export function plainGrantRefusals(dialect: GrantDialect, fetch: CustomFetch): CustomFetch {
  if (dialect.grantEnded === undefined) return fetch;
  return async function plainGrantFetch(url, options) {
    const response = await fetch(url, options);
    if (!(options.body instanceof URLSearchParams && options.body.has("grant_type"))) return response;
    const body = await response.text();
    const reply = parse(body, response.headers.get("content-type") ?? "");
    const { status, headers } = response;
    return reply && isEnded(response, reply, dialect)
      ? Response.json({ ...reply, error: "invalid_grant" }, { status: status === 200 ? 400 : status, headers: carriedOver(headers) })
      : new Response(body === "" ? null : body, { status, headers });
  };
}

/** What is answered to too many requests, and out of trouble of the provider's own, is about no grant. */
function isEnded({ status }: Response, reply: Readonly<Record<string, unknown>>, { grantEnded = [] }: GrantDialect): boolean {
  const passing = status === 429 || status >= 500;
  return !passing && grantEnded.some((ended) => Object.entries(ended).every(([name, value]) => reply[name] === value));
}

type FetchOptions = Parameters<CustomFetch>[1];

function asJson(options: FetchOptions): FetchOptions {
  const { body, headers } = options;
  if (!(body instanceof URLSearchParams)) return options;
  return { ...options, body: JSON.stringify(Object.fromEntries(body)), headers: { ...headers, "content-type": "application/json" } };
}

/** What a reply says beside its body: how long to wait, and the nonce of the next proof (RFC 9449, section 8). */
function carriedOver(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    ["retry-after", "date", "dpop-nonce"].flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? ""]] : [])),
  );
}

/** `null` when it is no error. */
function errorCode(error: unknown): string | null {
  if (typeof error === "string" && error !== "") return error;
  if (typeof error !== "object" || error === null) return null;
  const { type } = error as { type?: unknown };
  return typeof type === "string" ? type : "invalid_request";
}

function parse(body: string, contentType: string): Record<string, unknown> | null {
  if (contentType.includes("application/x-www-form-urlencoded") || contentType.includes("text/plain")) {
    return Object.fromEntries(new URLSearchParams(body));
  }
  try {
    const json: unknown = JSON.parse(body);
    return typeof json === "object" && json !== null && !Array.isArray(json) ? (json as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
