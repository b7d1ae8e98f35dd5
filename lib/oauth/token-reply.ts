import type { CustomFetch } from "openid-client";

/** Error values for a refresh token that is over, which are not the standard's `invalid_grant`. */
const ENDED_GRANTS = new Set(["bad_refresh_token", "bad_verification_code"]);

/** How the token endpoint of a provider is spoken with. */
export interface TokenDialect {
  readonly tokenEndpoint: string;
  /** How the request's body is written. Default: `form`. */
  readonly tokenRequest?: "form" | "json" | undefined;
}

/**
 * Token replies as RFC 6749, section 5, has them, from providers that write them otherwise: as a form, without `token_type`, with scopes
 * as a list, with an ID token that was not asked for, or with an error under status 200 (GitHub) or as an
 * object (Facebook). Requests go out as JSON where the provider reads nothing else.
 */
export function plainTokenReplies({ tokenEndpoint, tokenRequest = "form" }: TokenDialect, fetch: CustomFetch): CustomFetch {
  const endpoint = new URL(tokenEndpoint).href;
  return async function plainTokenFetch(url, options) {
    if (new URL(url).href !== endpoint) return fetch(url, options);
    const response = await fetch(url, tokenRequest === "json" ? asJson(options) : options);
    const body = await response.text();
    const reply = parse(body, response.headers.get("content-type") ?? "");
    if (!reply) return new Response(body, { status: response.status, headers: response.headers });

    const headers = carriedOver(response.headers);
    const { id_token: _, error, ...rest } = reply;
    const code = errorCode(error);
    if (code !== null) {
      const standard = ENDED_GRANTS.has(code) ? "invalid_grant" : code;
      return Response.json({ ...rest, error: standard }, { status: response.status === 200 ? 400 : response.status, headers });
    }
    if (rest["refresh_token"] === "" || rest["refresh_token"] === null) delete rest["refresh_token"];
    const scope = Array.isArray(rest["scope"]) ? { scope: rest["scope"].join(" ") } : {};
    return Response.json({ token_type: "bearer", ...rest, ...scope }, { status: response.status, headers });
  };
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
