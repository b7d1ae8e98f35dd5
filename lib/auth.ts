import express, { type Request, type RequestHandler, type Response, type Router } from "express";
import { memoryStore } from "./adapters/memory/index.ts";
import { createAccounts, type Accounts } from "./core/accounts.ts";
import { createApiKeys, type ApiKeys } from "./core/api-keys.ts";
import { createBackground } from "./core/background.ts";
import { createCredentials } from "./core/credentials.ts";
import { createEvents, type Events } from "./core/events.ts";
import type { Kit } from "./core/kit.ts";
import { createMagicCodes, type MagicCodes } from "./core/magic-codes.ts";
import { createPrincipals, type Principals } from "./core/principals.ts";
import { createRateLimits, type RateLimits } from "./core/rate-limits.ts";
import { createSessionTokens } from "./core/session-token.ts";
import { createSessions, type Sessions } from "./core/sessions.ts";
import { createSignIn, type SignIn } from "./core/sign-in.ts";
import { createTransactions } from "./core/transactions.ts";
import { directoryUserStore } from "./core/user-directory.ts";
import { createUsers, type Users } from "./core/users.ts";
import { createKeyRing } from "./crypto/key-ring.ts";
import { consoleTransport } from "./email/console.ts";
import { emailTemplates } from "./email/messages.ts";
import { createEmailQueue } from "./email/queue.ts";
import { AuthError, ConfigError, CredentialError, RequestError, StorageError } from "./errors.ts";
import { authenticate } from "./http/authenticate.ts";
import { createCookies } from "./http/cookies.ts";
import { readCookie } from "./http/extract.ts";
import { addPassportHabits } from "./http/passport-habits.ts";
import { sendProblem } from "./http/problem.ts";
import { safeReturnTo } from "./http/return-to.ts";
import type { AnyRoute, HttpEdge } from "./http/route.ts";
import { createRouter } from "./http/router.ts";
import { accountRoutes } from "./http/routes/accounts.ts";
import { apiKeyRoutes } from "./http/routes/api-keys.ts";
import { magicRoutes } from "./http/routes/magic.ts";
import { oauthRoutes } from "./http/routes/oauth.ts";
import { reauthenticateRoutes } from "./http/routes/reauthenticate.ts";
import { sessionRoutes } from "./http/routes/sessions.ts";
import { bindServices } from "./http/services.ts";
import { requestSource } from "./http/source.ts";
import { isLoopback, resolveOptions, type AuthOptions } from "./options.ts";

/** What {@link createAuth} makes: an Express middleware that holds the services. Every flow that has a route can be called from code. */
export interface Auth extends RequestHandler {
  readonly sessions: Sessions;
  readonly users: Users;
  readonly accounts: Accounts;
  readonly principals: Principals;
  readonly signIn: SignIn;
  readonly magicCodes: MagicCodes;
  readonly apiKeys: ApiKeys;
  readonly rateLimits: RateLimits;
  readonly events: Events;
  /** Our routes alone, to be mounted by hand at `basePath`; `app.use(auth)` serves them already. */
  routes(): Router;
  /** Ends timers and subscribers, and waits up to 5 s for write-backs and mail. Clients that the application passed stay open. */
  close(): Promise<void>;
}

const DRAIN = 5000;
const SWEEP_INTERVAL = 60_000;

/**
 * Authentication for an Express app. `app.use(auth)` fills `req.auth` on every request and serves our routes under `basePath`.
 *
 * A guarded request with a session or an API key costs one read of the store; one without a credential, or with a forged one, none.
 *
 * @throws {ConfigError} when an option is missing, unknown, misshapen or unsafe: it names the option and the fix.
 * @example
 * const auth = createAuth({ secret: process.env.AUTH_SECRET });
 * app.use(auth);
 */
export function createAuth(options: AuthOptions = {}): Auth {
  const config = resolveOptions(options, process.env.NODE_ENV);
  const { clock, basePath, origin } = config;

  const store = config.store ?? memoryStore({ clock });
  const keys = createKeyRing(config.secrets);
  const events = createEvents(clock);
  const background = createBackground((error) =>
    events.emit("background.failed", { message: error instanceof Error ? error.message : String(error) }),
  );
  const principals = createPrincipals(store);
  const users = createUsers({ store: config.users ?? directoryUserStore(store), clock });
  const rateLimits = createRateLimits({ store, clock, events, keys });
  const sessions = createSessions({
    store,
    tokens: createSessionTokens(keys),
    principals,
    clock,
    events,
    background,
    config: config.session,
  });
  const apiKeys = createApiKeys({ store, clock, principals, events, background, options: config.apiKeys });
  const accounts = createAccounts({ store, keys, clock, events });
  const purge = async (userId: string) => {
    await sessions.revokeAll(userId);
    await apiKeys.revokeAll(userId);
  };
  const signIn = createSignIn({ users, accounts, principals, events, clock, purge, linkByEmail: config.linkByEmail });

  const mail = createEmailQueue({ transport: config.email ?? consoleTransport(), clock, events });
  const magicCodes = createMagicCodes({
    store,
    keys,
    clock,
    events,
    rateLimits,
    principals,
    send({ to, code, userId, idempotencyKey }, expiresAt) {
      const expiresInMinutes = Math.round((expiresAt - clock.now()) / 60_000);
      mail.enqueue(
        { to, idempotencyKey, ...emailTemplates.magicCode({ appName: config.appName, code, expiresInMinutes }) },
        { expiresAt, userId },
      );
    },
  });

  const kit: Kit = {
    clock,
    events,
    store,
    principals,
    sessions,
    users,
    accounts,
    signIn,
    magicCodes,
    rateLimits,
    apiKeys,
    transactions: createTransactions({ store, clock }),
    strategies: config.strategies,
  };

  const originOf = (req: Request) => origin ?? `${req.protocol}://${req.get("host") ?? "localhost"}`;
  const cookies = createCookies(config.cookie);
  const csrf = { origin, trustedOrigins: config.trustedOrigins, sameSiteNone: config.cookie.sameSite === "none" };
  const http: HttpEdge = {
    cookies,
    basePath,
    origin: originOf,
    returnTo: (req, target) => safeReturnTo(target, originOf(req), config.returnToOrigins) ?? "/",
    allowTokensInBrowsers: config.allowTokensInBrowsers,
    apiKeyScopes: config.apiKeyScopes,
  };

  const routes: AnyRoute[] = [
    ...sessionRoutes,
    ...reauthenticateRoutes,
    ...oauthRoutes,
    ...accountRoutes,
    ...(config.email || !config.production ? magicRoutes : []),
    ...(config.apiKeyRoutes ? apiKeyRoutes : []),
  ];
  const router = createRouter(routes, { kit, http, csrf });
  const identify = authenticate({
    credentials: createCredentials({
      sessions,
      apiKeys,
      apiKeyPrefix: config.apiKeys.prefix ?? "sk-",
      sessionScopes: config.session.scopes,
    }),
    cookies,
    csrf,
    events,
    clock,
  });
  const guardServices = { clock, users, rateLimits, signInUrl: config.signInUrl };

  const habits = {
    async login(req: Request, res: Response, user: unknown) {
      const userId = typeof user === "string" ? user : (user as { id?: unknown } | null)?.id;
      if (typeof userId !== "string" || userId === "") throw new RequestError("req.login needs a user with an id");
      const issued = await sessions.upgrade(readCookie(req, cookies.session), { userId, methods: ["login"], source: requestSource(req) });
      cookies.set(res, cookies.session, issued.token, (issued.session.expiresAt - clock.now()) / 1000);
      return issued;
    },
    async logout(req: Request, res: Response) {
      if (req.auth.kind === "session" || req.auth.kind === "guest")
        await sessions.revoke(req.auth.session.id, { reason: "sign_out", source: requestSource(req) });
      cookies.clear(res, cookies.session);
    },
  };

  /** Serves `router` at `basePath` as seen from outside, wherever the middleware is mounted. */
  const serve: RequestHandler = (req, res, next) => {
    const { baseUrl } = req;
    if (!isUnder(basePath, baseUrl)) {
      return sendProblem(
        res,
        reported(
          new ConfigError(
            "basePath",
            `is "${basePath}", but the middleware is mounted at "${baseUrl}": set basePath to "${baseUrl}${basePath}", or mount it at the top`,
          ),
        ),
      );
    }
    const relative = basePath.slice(baseUrl.length);
    if (!isUnder(req.path, relative)) return next();
    mounts.get(relative)(req, res, next);
  };
  const mounts = lazily((relative) => (relative === "" ? router : express.Router({ caseSensitive: true }).use(relative, router)));

  const reported = (error: ConfigError) => {
    events.emit("request.failed", { path: basePath, message: error.message });
    process.emitWarning(error.message);
    return error;
  };

  const loadUser: RequestHandler = (req, res, next) => {
    if (!config.loadUser || !req.auth.isAuthenticated || req.auth.userId === null) return serve(req, res, next);
    users.findById(req.auth.userId).then(
      (user) => {
        if (user) req.user = user;
        serve(req, res, next);
      },
      (error: unknown) =>
        sendProblem(res, error instanceof AuthError ? error : new StorageError("The user could not be read", { cause: error })),
    );
  };

  const middleware: RequestHandler = function latchkeyMiddleware(req, res, next) {
    if (origin === null && !isLoopback(hostnameOf(req))) {
      return sendProblem(
        res,
        new RequestError("Without `baseUrl` only loopback hosts are served: set baseUrl", "host_not_served", { status: 421 }),
      );
    }
    bindServices(req, guardServices);
    addPassportHabits(req, res, habits);
    return identify(req, res, (error?: unknown) => (error ? next(error) : loadUser(req, res, next)));
  };

  const sweeper = store.persistent
    ? null
    : setInterval(() => background.run("sweep", async () => void (await store.sweep())), SWEEP_INTERVAL).unref();

  return Object.assign(middleware, {
    sessions,
    users,
    accounts,
    principals,
    signIn,
    magicCodes,
    apiKeys,
    rateLimits,
    events,
    routes: () =>
      express
        .Router({ caseSensitive: true })
        .use((req, res, next) => (req.baseUrl === basePath ? router(req, res, next) : serve(req, res, next))),
    async close() {
      if (sweeper) clearInterval(sweeper);
      await Promise.all([background.drain(DRAIN), mail.drain(DRAIN)]);
      await store.close();
    },
  });
}

/** Whether `path` is `base` or lies below it. */
function isUnder(path: string, base: string): boolean {
  return path.startsWith(base) && (path.length === base.length || path[base.length] === "/" || base === "");
}

function hostnameOf(req: Request): string {
  const host = req.get("host") ?? "";
  return host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.replace(/:\d*$/, "");
}

/** Makes a value for a key when it is first asked for. */
function lazily<Value>(make: (key: string) => Value): { get(key: string): Value } {
  const made = new Map<string, Value>();
  return {
    get(key) {
      let value = made.get(key);
      if (value === undefined) made.set(key, (value = make(key)));
      return value;
    },
  };
}
