import express, { type Request, type RequestHandler, type Response, type Router } from "express";
import { anonymousContext, sessionContext } from "../core/context.ts";
import { createCredentials } from "../core/credentials.ts";
import type { Kit } from "../core/kit.ts";
import { sendsMail } from "../email/mailer.ts";
import { ConfigError, RequestError, StorageError } from "../errors.ts";
import { isLoopback } from "../loopback.ts";
import type { AuthConfig } from "../options.ts";
import { createAuthenticate } from "./authenticate.ts";
import { bindHanding, createCookies } from "./cookies.ts";
import { csrfRefusal } from "./csrf.ts";
import { createOpenApi } from "./openapi.ts";
import { addPassportHabits } from "./passport-habits.ts";
import { createPassportHabits } from "./passport-login.ts";
import { sendProblem } from "./problem.ts";
import { safeReturnTo } from "./return-to.ts";
import type { HttpEdge } from "./route.ts";
import { createRouter } from "./router.ts";
import { routeTable } from "./route-table.ts";
import { exposeAuth } from "./request-auth.ts";
import { bindServices, boundServices, type Adoption } from "./services.ts";

/**
 * The Express edge of one `createAuth`: a middleware that fills `req.auth`, then serves our routes at `basePath`,
 * and those routes alone, for mounting by hand.
 */
export function createMiddleware(
  kit: Kit,
  config: AuthConfig,
): { middleware: RequestHandler; authenticate: RequestHandler; router: Router } {
  const { origin, basePath } = config;
  const { clock, store, users, rateLimits, sessions, apiKeys, events } = kit;
  const originOf = (req: Request) => origin ?? `${req.protocol}://${req.get("host") ?? "localhost"}`;
  const cookies = createCookies({ ...config.cookie, basePath, tokens: config.tokens !== null });
  const csrf = { origin, trustedOrigins: config.trustedOrigins, sameSiteNone: config.cookie.sameSite === "none" };
  const table = routeTable(config);
  const http: HttpEdge = {
    cookies,
    basePath,
    origin: originOf,
    returnTo: (req, target) => safeReturnTo(target, originOf(req), config.returnToOrigins) ?? "/",
    transport: config.session.transport,
    allowTokensInBrowsers: config.allowTokensInBrowsers,
    mailsCodes: sendsMail(config),
    passwords: config.passwordRoutes,
    minPasswordLength: config.passwords.minLength,
    confirmedPasswords: config.passwordRoutes && config.passwords.requireConfirmedEmail,
    ownUsers: config.users !== null,
    apiKeyScopes: config.apiKeyScopes,
    openapi: createOpenApi(table, { basePath, origin, cookies, tokens: config.tokens !== null, title: config.appName }),
  };

  const credentials = createCredentials({
    sessions,
    apiKeys,
    accessTokens: kit.accessTokens,
    apiKeyPrefix: config.apiKeys.prefix ?? "sk-",
    sessionScopes: config.session.scopes,
  });
  const identify = createAuthenticate({ credentials, cookies, csrf, events, clock });
  const routes = mounted(createRouter(table, { kit, http, csrf }), basePath, kit);
  const habits = createPassportHabits(kit, cookies, config.session.scopes);

  const loadUser = async (req: Request) => {
    const user = req.auth.isAuthenticated && req.auth.userId !== null ? await users.findById(req.auth.userId) : null;
    if (user) req.user = user;
  };

  const adoption: Adoption = {
    store,
    crossSite: (req) => csrfRefusal(req, csrf),
    async adopt(req, { session, token }) {
      req.auth = sessionContext(session, config.session.scopes);
      if (config.loadUser) await loadUser(req);
      cookies.set(req.res as Response, cookies.session, token, (session.expiresAt - clock.now()) / 1000);
    },
  };
  const guardServices = { clock, users, sessions, rateLimits, events, signInUrl: config.signInUrl, habits, adoption };

  const authenticate: RequestHandler = function latchkeyAuthenticate(req, res, next) {
    // Used twice, or before routes mounted by hand: who asks is known already.
    if (boundServices(req) === guardServices) return next();
    if (origin === null && !isLoopback(hostnameOf(req))) {
      const refusal = new RequestError("Without `baseUrl` only loopback hosts are served: set baseUrl", "host_not_served", { status: 421 });
      return sendProblem(res, refusal);
    }
    bindServices(req, guardServices);
    exposeAuth(req);
    addPassportHabits(req);
    if (!config.loadUser) return identify(req, res, next);
    return identify(req, res, (error?: unknown) => {
      if (error) return next(error);
      loadUser(req)
        .catch((cause: unknown) => {
          // As when the session could not be read: public pages go on, guards answer 503.
          const failure = cause instanceof StorageError ? cause : new StorageError("The user could not be read", { cause });
          events.emit("storage.failed", { operation: "load user", message: failure.message });
          req.auth = anonymousContext(failure);
        })
        .then(() => next(), next);
    });
  };

  const middleware: RequestHandler = function latchkeyMiddleware(req, res, next) {
    return authenticate(req, res, (error?: unknown) => (error ? next(error) : routes(req, res, next)));
  };

  bindHanding(middleware, { cookies, transport: config.session.transport });
  return { middleware, authenticate, router: express.Router({ caseSensitive: true }).use(authenticate, routes) };
}

/**
 * Serves `router` at `basePath` as seen from outside, wherever the middleware is mounted: under a sub-app at `/api`, `basePath` begins
 * with `/api`. Links, redirect URIs and cookie paths are made from it, so a mount that differs is refused rather than half working.
 */
function mounted(router: Router, basePath: string, { events }: Kit): RequestHandler {
  const byMount = new Map<string, RequestHandler>();

  const at = (relative: string): RequestHandler => {
    let handler = byMount.get(relative);
    if (!handler)
      byMount.set(relative, (handler = relative === "" ? router : express.Router({ caseSensitive: true }).use(relative, router)));
    return handler;
  };

  return function latchkeyRoutes(req, res, next) {
    const { baseUrl } = req;
    // Express finds a mount in whatever case somebody writes it, and then says it so.
    if (!isUnder(basePath.toLowerCase(), baseUrl.toLowerCase())) {
      const error = new ConfigError(
        "basePath",
        `is "${basePath}", but latchkey is mounted at "${baseUrl}": set it to "${baseUrl}${basePath}", or mount at the top`,
      );
      events.emit("request.failed", { path: baseUrl, message: error.message });
      return next(error);
    }
    const relative = basePath.slice(baseUrl.length);
    return isUnder(req.path, relative) ? at(relative)(req, res, next) : next();
  };
}

/** Whether `path` is `base` or lies below it. */
function isUnder(path: string, base: string): boolean {
  return base === "" || (path.startsWith(base) && (path.length === base.length || path[base.length] === "/"));
}

function hostnameOf(req: Request): string {
  return (req.get("host") ?? "").replace(/:\d*$/, "");
}
