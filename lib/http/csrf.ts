import type { Request, RequestHandler } from "express";
import { assertOptions, assertTexts } from "../check-options.ts";
import { ConfigError, PermissionError } from "../errors.ts";
import { sendProblem } from "./problem.ts";

/** What decides whether an unsafe request came from one of our own pages. */
export interface CsrfConfig {
  /** `https://app.example.com`; `null` in development without a `baseUrl`: the request's own loopback host stands in. */
  readonly origin: string | null;
  readonly trustedOrigins: ReadonlySet<string>;
  /** With SameSite=None cookies travel everywhere, so a request that shows no origin is refused. */
  readonly sameSiteNone: boolean;
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/**
 * Why an unsafe request must not act on a cookie; `null` when it may. It passes when `Sec-Fetch-Site` says `same-origin` or `none`,
 * or `Origin` is ours or trusted. With neither header it is no browser, and passes unless cookies are SameSite=None.
 *
 * @see Fetch Metadata Request Headers, and the OWASP CSRF Prevention Cheat Sheet.
 */
export function csrfRefusal(req: Request, { origin, trustedOrigins, sameSiteNone }: CsrfConfig): PermissionError | null {
  if (SAFE.has(req.method)) return null;
  const site = req.get("sec-fetch-site");
  if (site === "same-origin" || site === "none") return null;
  const from = req.get("origin");
  if (from !== undefined) {
    const own = origin ?? `${req.protocol}://${req.get("host") ?? ""}`;
    return from === own || trustedOrigins.has(from) ? null : refused();
  }
  return site !== undefined || sameSiteNone ? refused() : null;
}

function refused(): PermissionError {
  return new PermissionError("cross_site_request", "This request came from another site");
}

/** Options of {@link csrf}. */
export interface CsrfOptions {
  /** The application's own origin, such as `https://app.example.com`. Required: `undefined` is there for the environment, and is refused. */
  origin: string | undefined;
  /** Further origins whose pages may send unsafe requests. Default: none. */
  trustedOrigins?: readonly string[] | undefined;
}

/**
 * The check that `authenticate()` makes for every cookie, for applications with cookies of their own:
 * refuses unsafe requests from other sites with 403 `cross_site_request`. No storage, no tokens in forms.
 *
 * @throws {ConfigError} when an origin is not one.
 * @example app.use(csrf({ origin: "https://app.example.com" }));
 */
export function csrf(options: CsrfOptions): RequestHandler {
  assertOptions("csrf", options, ["origin", "trustedOrigins"]);
  if (options.origin === undefined) throw new ConfigError("csrf.origin", "is missing: give the application's own origin");
  assertTexts("csrf.trustedOrigins", options.trustedOrigins);
  const config = {
    origin: assertOrigin("csrf.origin", options.origin),
    trustedOrigins: new Set((options.trustedOrigins ?? []).map((origin) => assertOrigin("csrf.trustedOrigins", origin))),
    sameSiteNone: false,
  };

  return function csrfMiddleware(req, res, next) {
    const refusal = csrfRefusal(req, config);
    if (refusal) return sendProblem(res, refusal);
    next();
  };
}

/** @throws {ConfigError} when `text` is not a bare origin. */
export function assertOrigin(option: string, text: string): string {
  if (!URL.canParse(text) || new URL(text).origin !== text) {
    throw new ConfigError(option, `"${text}" is not an origin: write it as https://host[:port], without a path or a slash at the end`);
  }
  return text;
}
