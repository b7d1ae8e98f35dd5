import type { CustomFetch } from "openid-client";

/** Error values for a refresh token that is over, which are not the standard's `invalid_grant`. */
const ENDED_GRANTS = new Set(["bad_refresh_token", "bad_verification_code"]);

/**
 * Token replies as RFC 6749, section 5, has them, from providers that write them otherwise: as a form, without `token_type`,
 * with an ID token that was not asked for, or with an error under status 200 (GitHub).
 */
export function plainTokenReplies(tokenEndpoint: string, fetch: CustomFetch): CustomFetch {
  const endpoint = new URL(tokenEndpoint).href;
  return async function plainTokenFetch(url, options) {
    const response = await fetch(url, options);
    if (new URL(url).href !== endpoint) return response;
    const body = await response.text();
    const reply = parse(body, response.headers.get("content-type") ?? "");
    if (!reply) return new Response(body, { status: response.status, headers: response.headers });

    const { id_token: _, error, ...rest } = reply;
    if (typeof error === "string") {
      const standard = ENDED_GRANTS.has(error) ? "invalid_grant" : error;
      return Response.json({ ...rest, error: standard }, { status: response.status === 200 ? 400 : response.status });
    }
    if (rest["refresh_token"] === "" || rest["refresh_token"] === null) delete rest["refresh_token"];
    return Response.json({ token_type: "bearer", ...rest }, { status: response.status });
  };
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
