import type { ErrorRequestHandler, Response } from "express";
import { AuthError, ConfigError, RateLimitError, RequestError, StorageError, type SpentLimit } from "../errors.ts";

/** An error as it is answered. @see RFC 9457. */
export interface ProblemDocument {
  /** Always `about:blank`: `code` tells errors apart. */
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  /** Stable; branch on it. */
  readonly code: string;
  readonly detail: string;
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** What the challenge says of a credential that was shown, by our codes; without one it is bare. @see RFC 6750 section 3.1, and RFC 9470. */
const CHALLENGES: Readonly<Record<string, string>> = {
  invalid_token: "invalid_token",
  session_not_found: "invalid_token",
  session_revoked: "invalid_token",
  session_rotated: "invalid_token",
  insufficient_user_authentication: "insufficient_user_authentication",
  insufficient_scope: "insufficient_scope",
};

/** What a guard asked for, told in the challenge. */
export interface Asked {
  readonly scope?: readonly string[] | undefined;
  /** Seconds. */
  readonly maxAge?: number | null | undefined;
}

function challengeOf({ code, status }: AuthError, { scope = [], maxAge = null }: Asked): string | null {
  const error = CHALLENGES[code];
  if (status !== 401 && error !== "insufficient_scope") return null;
  if (!error) return "Bearer";
  const parameters = [
    `error="${error}"`,
    ...(error === "insufficient_scope" && scope.length > 0 ? [`scope="${scope.join(" ")}"`] : []),
    ...(error === "insufficient_user_authentication" && maxAge !== null ? [`max_age="${maxAge}"`] : []),
  ];
  return `Bearer ${parameters.join(", ")}`;
}

/** Answers with a problem document: status, `Retry-After`, `WWW-Authenticate` where there is one to send. Never a stack, never cached. */
export function sendProblem(res: Response, error: AuthError, asked: Asked = {}): void {
  const status = error instanceof ConfigError ? 500 : error.status;
  const detail = detailOf(error);
  const problem: ProblemDocument = { type: "about:blank", title: TITLES[status] ?? "Error", status, code: error.code, detail };
  const challenge = challengeOf(error, asked);
  if (challenge) res.setHeader("www-authenticate", challenge);
  if (error.retryAfter !== undefined) res.setHeader("retry-after", String(Math.max(1, Math.ceil(error.retryAfter))));
  if (error instanceof RateLimitError) for (const limit of error.limits) sayLimit(res, limit, 0, limit.retryAfter);
  res.setHeader("cache-control", "no-store");
  res.status(status).type("application/problem+json").send(JSON.stringify(problem));
}

/**
 * Adds a limit to the `RateLimit` headers, in place of what they said of it before.
 * @see RateLimit header fields for HTTP, draft-ietf-httpapi-ratelimit-headers.
 */
export function sayLimit(
  res: Response,
  { name, max, windowSeconds }: Omit<SpentLimit, "retryAfter">,
  remaining: number,
  seconds: number,
): void {
  const say = (header: string, parameters: string) => {
    const said = String(res.getHeader(header) ?? "").split(", ");
    const others = said.filter((item) => item !== "" && !item.startsWith(`"${name}";`));
    res.setHeader(header, [...others, `"${name}";${parameters}`].join(", "));
  };
  say("ratelimit-policy", `q=${max};w=${windowSeconds}`);
  say("ratelimit", `r=${remaining};t=${seconds}`);
}

/** What a stranger may read: nothing of how the application was built, or of what it keeps things in. The rest is for events. */
export function detailOf(error: AuthError): string {
  if (error instanceof ConfigError) return "Internal server error";
  if (error instanceof StorageError) return "This cannot be answered for the moment: try again";
  return error.message;
}

/**
 * Answers errors that reach Express: ours by their status, those of body parsers as 4xx, anything else is passed on
 * to the application's own handler. Place it last.
 */
export function errorHandler(): ErrorRequestHandler {
  return function latchkeyErrorHandler(error, _req, res, next) {
    const known = asAuthError(error);
    if (!known || res.headersSent) return next(error);
    sendProblem(res, known);
  };
}

/** An error of ours, or one of Express's body parsers as one of ours; `null` for what is not about the request. */
export function asAuthError(error: unknown): AuthError | null {
  if (error instanceof AuthError) return error;
  if (!(error instanceof Error)) return null;
  const { status, type } = error as { status?: unknown; type?: unknown };
  if (typeof status !== "number" || status < 400 || status > 499) return null;
  if (status === 413) return new RequestError("The body is too large", "body_too_large", { status, cause: error });
  if (status === 415) return new RequestError("Send application/json or a form", "unsupported_media_type", { status, cause: error });
  return new RequestError(type === "entity.parse.failed" ? "The body is not valid JSON" : "The request is malformed", "invalid_request", {
    cause: error,
  });
}
