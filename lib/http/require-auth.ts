import type { NextFunction, Request, Response } from "express";
import { assertOptions, assertTexts, resolveSignInUrl } from "../check-options.ts";
import { isContext, type AuthContext, type CredentialKind, type SignedInContext } from "../core/context.ts";
import { AuthError, ConfigError, CredentialError, PermissionError, StorageError } from "../errors.ts";
import { assertFresh, keepSession } from "./own-session.ts";
import { sendProblem } from "./problem.ts";
import type { Guard } from "./request.ts";
import { servicesOf, type GuardServices } from "./services.ts";

/** Options of {@link requireAuth}. */
export interface RequireAuthOptions {
  /** Kinds let through. Default: session, access_token, api_key; a guest is refused (401) unless listed. */
  kinds?: readonly Exclude<CredentialKind, "anonymous">[];
  /** Roles of which one is needed; `admin` always passes. Default: none needed. */
  roles?: readonly string[];
  /** Scopes that must all have been granted. Default: none needed. */
  scope?: readonly string[];
  /** The most seconds since the last real authentication (step-up), 1 to 3600. Only sessions can pass it; with `live`, by their access tokens too. Default: no limit. */
  maxAge?: number;
  /** Ask the store whether the session behind an access token is there still: one read. Others were asked about already. Default: false. */
  live?: boolean | undefined;
  /** Load the user into `req.user`: one directory read. Default: false. */
  user?: boolean | undefined;
  /** Where a page navigation is sent instead of a 401; the page asked for goes along as `return_to`, which our routes take. Default: that of `createAuth`. */
  signInUrl?: string | undefined;
  /** `next` hands a refusal to the application's error handler. Default: `answer`. */
  onRefused?: "answer" | "next" | undefined;
}

const DEFAULT_KINDS: readonly CredentialKind[] = ["session", "access_token", "api_key"];
const KINDS: readonly CredentialKind[] = ["guest", ...DEFAULT_KINDS];
const OPTIONS = ["kinds", "roles", "scope", "maxAge", "live", "user", "signInUrl", "onRefused"];
const MAX_FRESH = 3600;

interface RequireAuthConfig {
  readonly kinds: ReadonlySet<CredentialKind>;
  readonly roles: readonly string[] | null;
  readonly scope: readonly string[];
  readonly maxAge: number | null;
  readonly live: boolean;
  readonly user: boolean;
  readonly signInUrl: string | null;
  readonly onRefused: "answer" | "next";
}

/**
 * Guards the routes after it: lets a request through once `req.auth` proves enough. Place it after `app.use(auth)`.
 * It reads `req.auth` alone: no storage (but one read with `live` and one with `user`), no headers.
 *
 * @returns middleware that calls `next()`, or answers with a problem document
 *   - 401 when anonymous or a guest, with the reason `authenticate()` recorded (503 and `Retry-After` when that was the store);
 *   - 401 `insufficient_user_authentication` when the last authentication is older than `maxAge` (RFC 9470);
 *   - 403 `credential_not_allowed`, `insufficient_role` or `insufficient_scope`.
 * @throws {ConfigError} now rather than per request, when an option is unknown, empty or misshapen.
 * @see RFC 6750 section 3.1, for the error codes.
 * @example app.get("/reports", requireAuth({ scope: ["reports:read"] }), listReports);
 */
export function requireAuth(options: RequireAuthOptions = {}): Guard {
  const config = resolveRequireAuthOptions(options);

  return function requireAuthMiddleware(req: Request, res: Response, next: NextFunction) {
    const services = servicesOf(req, "requireAuth");
    const live = config.live && req.auth.kind === "access_token";
    // What a session knows better than its token is asked of the session.
    const known = live ? { ...config, maxAge: null } : config;
    const refusal = refuse(req.auth, known, known.maxAge === null ? 0 : services.clock.now());
    if (refusal) return answer(refusal, config, services, req, res, next);
    if (!live && !config.user) return next();
    Promise.all([live && assertLive(req, config.maxAge, services), config.user && loadUser(req, services)]).then(
      () => next(),
      (error: unknown) => answer(asOutage(error), config, services, req, res, next),
    );
  } as Guard;
}

/** Options of {@link requireRole}, beside the roles. */
export type RequireRoleOptions = Omit<RequireAuthOptions, "roles">;

/**
 * {@link requireAuth} for people with one of `roles`; 403 `insufficient_role` for others. `admin` passes always.
 * @throws {ConfigError} as {@link requireAuth} does, and without a role.
 * @example app.delete("/posts/:id", requireRole(["editor"]), deletePost);
 */
export function requireRole(roles: string | readonly string[], options: RequireRoleOptions = {}): Guard {
  // Left out, it must not come to mean "any role".
  if (roles === undefined) throw new ConfigError("requireRole", 'name a role, such as requireRole("editor")');
  return requireAuth({ ...options, roles: typeof roles === "string" ? [roles] : roles });
}

/**
 * The context of a request behind a guard, narrowed: for handlers that do not follow the guard directly.
 * @throws {AuthError} what `requireAuth()` would have answered, when nobody is signed in; {@link ConfigError} without
 *   `app.use(auth)` or `accessTokenGuard()`.
 */
export function signedIn(req: Request): SignedInContext {
  if (!isContext(req.auth)) throw new ConfigError("signedIn", "place it after app.use(auth), or behind accessTokenGuard()");
  const refusal = refuse(req.auth, NOTHING_MORE, 0);
  if (refusal) throw refusal;
  return req.auth as SignedInContext;
}

/** Why a context is not enough; `null` when it is. `now` counts where there is a `maxAge`. */
export function refuse(
  auth: AuthContext,
  { kinds, roles, scope, maxAge }: Pick<RequireAuthConfig, "kinds" | "roles" | "scope" | "maxAge">,
  now: number,
): AuthError | null {
  if (!kinds.has(auth.kind)) {
    if (auth.isAuthenticated) return new PermissionError("credential_not_allowed", "This kind of credential is not accepted here");
    return auth.failure ?? new CredentialError("authentication_required", "Sign in first");
  }
  if (roles && !auth.hasAnyRole(roles)) return new PermissionError("insufficient_role", "You may not do this");
  if (scope.some((needed) => !auth.hasScope(needed))) return new PermissionError("insufficient_scope", "The credential lacks a scope");
  if (maxAge !== null) {
    if (auth.kind !== "session") return new PermissionError("credential_not_allowed", "This needs a signed-in session");
    if (now - auth.authenticatedAt > maxAge * 1000)
      return new CredentialError("insufficient_user_authentication", "Authenticate again to go on");
  }
  return null;
}

function answer(
  refusal: AuthError,
  config: RequireAuthConfig,
  services: GuardServices,
  req: Request,
  res: Response,
  next: NextFunction,
): void {
  if (config.onRefused === "next") return next(refusal);
  const signInUrl = config.signInUrl ?? services.signInUrl;
  if (signInUrl && refusal.status === 401 && isNavigation(req)) {
    const target = `${signInUrl}${signInUrl.includes("?") ? "&" : "?"}return_to=${encodeURIComponent(req.originalUrl)}`;
    res.setHeader("cache-control", "no-store");
    return res.redirect(303, target);
  }
  sendProblem(res, refusal, config);
}

/** Whether a browser asks for a page, rather than a script for data. */
function isNavigation(req: Request): boolean {
  return req.method === "GET" && (req.get("sec-fetch-mode") ?? "navigate") === "navigate" && req.accepts(["json", "html"]) === "html";
}

async function assertLive(req: Request, maxAge: number | null, { sessions, clock }: GuardServices): Promise<void> {
  const { auth } = req;
  if (auth.kind !== "access_token") return;
  const session = await sessions.get(auth.sessionId);
  if (session?.userId !== auth.userId) throw new CredentialError("session_not_found", "This session has ended: sign in again");
  sessions.touch(session);
  keepSession(req, session);
  if (maxAge !== null) assertFresh(req, clock.now(), maxAge);
}

async function loadUser(req: Request, { users }: GuardServices): Promise<void> {
  const user = req.auth.userId === null ? null : await users.findById(req.auth.userId);
  if (!user) throw new CredentialError("user_not_found", "This account no longer exists");
  req.user = user;
}

function asOutage(error: unknown): AuthError {
  return error instanceof AuthError ? error : new StorageError("The session or the user could not be read", { cause: error });
}

const NOTHING_MORE = { kinds: new Set(DEFAULT_KINDS), roles: null, scope: [], maxAge: null };

function resolveRequireAuthOptions(options: RequireAuthOptions): RequireAuthConfig {
  assertOptions("requireAuth", options, OPTIONS);
  const { kinds, roles, scope, maxAge, live = false, user = false, signInUrl, onRefused = "answer" } = options;
  assertTexts("requireAuth.kinds", kinds);
  assertTexts("requireAuth.roles", roles);
  assertTexts("requireAuth.scope", scope);
  const unknown = kinds?.find((kind) => !KINDS.includes(kind));
  if (unknown) throw new ConfigError("requireAuth.kinds", `"${unknown}" is none of ${KINDS.join(", ")}`);
  if (maxAge !== undefined && !(Number.isInteger(maxAge) && maxAge >= 1 && maxAge <= MAX_FRESH)) {
    throw new ConfigError("requireAuth.maxAge", `give whole seconds from 1 to ${MAX_FRESH}`);
  }
  if (typeof live !== "boolean") throw new ConfigError("requireAuth.live", "give true or false");
  if (typeof user !== "boolean") throw new ConfigError("requireAuth.user", "give true or false");
  if (onRefused !== "answer" && onRefused !== "next") throw new ConfigError("requireAuth.onRefused", 'give "answer" or "next"');
  return {
    kinds: new Set(kinds ?? DEFAULT_KINDS),
    roles: roles ? [...roles] : null,
    scope: [...(scope ?? [])],
    maxAge: maxAge ?? null,
    live,
    user,
    signInUrl: resolveSignInUrl("requireAuth.signInUrl", signInUrl),
    onRefused,
  };
}
