import cookieParser from "cookie-parser";
import type { Request, RequestHandler, Response } from "express";
import type { SessionData } from "express-session";
import type { Auth } from "../auth.ts";
import { assertOptions } from "../check-options.ts";
import { anonymousContext } from "../core/context.ts";
import type { Session } from "../core/sessions.ts";
import { AuthError, ConfigError, CredentialError, StorageError } from "../errors.ts";
import { parseCookies } from "../http/extract.ts";
import { servicesOf } from "../http/services.ts";
import { requestSource } from "../http/source.ts";
import { createMovedSessions, type MovedTo } from "./moved-sessions.ts";
import { createOldSessions, type OldStore } from "./old-sessions.ts";

/** Options of {@link migrateExpressSession}. */
export interface MigrateExpressSessionOptions {
  /** What `createAuth` returned. Its store keeps which sessions were moved; one that makes tables is to be given `collections: expressSessionCollections`. */
  auth: Pick<Auth, "authenticate" | "sessions" | "users" | "events">;
  /** The store that express-session had: `connect-redis`, any other, or our `expressSessionStore`. */
  store: OldStore;
  /** The `secret` that express-session had: a text, or all of them. */
  secret: string | readonly (string | undefined)[] | undefined;
  /** The `name` that express-session's cookie had. Default: `connect.sid`. */
  cookieName?: string | undefined;
  /** The id, in `auth.users`, of a session's user; `null` when it has none. Default: `session.passport.user`, if that is a text or a whole number. */
  userId?: ((session: SessionData) => string | null | Promise<string | null>) | undefined;
}

/**
 * Lets an application go from express-session (and Passport) to latchkey without signing anybody out. Place it before `app.use(auth)`,
 * and leave it there until the last old cookie has ended.
 *
 * A request without a credential of ours, but with a signed cookie of express-session, has its old session read. If that has a user whom
 * `auth.users` knows, they get a session of ours, once: the old one is destroyed before the new cookie is sent, and requests that arrive with it at
 * the same time, or within a minute, get the same session. How long ago they signed in is not known, so the session is never fresh:
 * `requireAuth({ maxAge })` asks them again. What else the old session held is gone.
 *
 * A user whose sessions were all ended (`revokeAll`, `disable`) has no old sessions any more either: those that come are destroyed.
 *
 * It answers nothing itself. When a store is away, `req.auth` is anonymous with a {@link StorageError}, guards answer 503, and cookies and
 * the old session are left as they are. A forged cookie asks no store; nor does a request of somebody signed in.
 *
 * @throws {ConfigError} when an option is missing, unknown or misshapen.
 * @example
 * app.use(migrateExpressSession({ auth, store: new RedisStore({ client }), secret: process.env.SESSION_SECRET }));
 * app.use(auth);
 */
export function migrateExpressSession(options: MigrateExpressSessionOptions): RequestHandler {
  const { auth, store, secrets, cookieName, userId } = resolve(options);

  /** The id in a request's signed cookie, and nothing else than a signed one. */
  const sidOf = (req: Request): string | null => {
    const text = (parseCookies(req) as Record<string, unknown> | undefined)?.[cookieName];
    const sid = typeof text === "string" && text.startsWith("s:") ? cookieParser.signedCookie(text, secrets) : false;
    return sid === false || sid === "" ? null : sid;
  };

  const idOf = async (data: SessionData): Promise<string | null> => {
    const id = await userId(data);
    return typeof id === "string" && id !== "" ? id : null;
  };

  const move = async (req: Request): Promise<void> => {
    const sid = sidOf(req);
    if (sid === null) return;
    const { clock, adoption } = servicesOf(req, "migrateExpressSession");
    const old = createOldSessions(store, clock);
    const moved = createMovedSessions(adoption.store, clock);
    const source = requestSource(req);
    let made: string | null = null;

    const begin = async (): Promise<MovedTo | null> => {
      // Again, as somebody else may have moved it before this request could claim it.
      const data = await old.read(sid);
      const id = data && (await idOf(data));
      if (id === null || !(await auth.users.findById(id))) return null;
      try {
        const given = { userId: id, methods: [METHOD], authenticatedAt: LONG_AGO, epoch: NEVER_ENDED, source };
        const { session, token } = await auth.sessions.create(given);
        made = session.id;
        return { token, undo: () => auth.sessions.revoke(session.id, { reason: "replaced", source }) };
      } catch (error) {
        // Whoever may not come in now must not come in later by what they had before.
        if (error instanceof CredentialError) await old.destroy(sid);
        throw error;
      }
    };

    const data = await old.read(sid);
    if (data && (await idOf(data)) === null) return;
    const refusal = adoption.crossSite(req);
    if (refusal) throw refusal;
    // One that is gone may have been moved by a request that was sent together with this.
    const token = data ? await moved.once(sid, begin) : await moved.find(sid);
    if (token === null) return;
    // Before anything is sent, and by everybody who sends it: whoever moved it may have got no further.
    if (data) await old.destroy(sid);
    const { session } = await auth.sessions.resolve(token);
    if (!session) return;
    await adoption.adopt(req, { session, token });
    (req.res as Response).clearCookie(cookieName, { path: "/" });
    if (session.id === made) {
      auth.events.emit("sign_in.succeeded", { method: METHOD, sessionId: made }, { userId: session.userId, source });
    }
  };

  const refused = (req: Request, error: unknown) => {
    const failure =
      error instanceof AuthError ? error : new StorageError("The session of express-session could not be moved", { cause: error });
    if (failure instanceof ConfigError) auth.events.emit("request.failed", { path: req.path, message: failure.message });
    if (failure instanceof StorageError) {
      auth.events.emit("storage.failed", { operation: "move a session of express-session", message: failure.message });
    }
    return anonymousContext(failure);
  };

  return function migrateExpressSessionMiddleware(req, res, next) {
    return auth.authenticate(req, res, (error?: unknown) => {
      // Whoever shows a credential of ours is judged by that alone.
      if (error || req.auth.kind !== "anonymous" || req.auth.failure) return next(error);
      move(req)
        .catch((failure: unknown) => void (req.auth = refused(req, failure)))
        .then(() => next(), next);
    });
  };
}

const METHOD = "express_session";
/** When nobody knows when somebody signed in: not of late. */
const LONG_AGO = 0;
/** An old session is of no epoch: it counts for those alone whose sessions, and everybody's, were never ended. */
const NEVER_ENDED: Session["epoch"] = [0, 0];

function passportUser({ passport }: SessionData & { passport?: { user?: unknown } | null }): string | null {
  const user = passport?.user;
  return typeof user === "string" || Number.isSafeInteger(user) ? String(user) : null;
}

function resolve(options: MigrateExpressSessionOptions) {
  assertOptions("migrateExpressSession", options, ["auth", "store", "secret", "cookieName", "userId"]);
  const { auth, store, secret, cookieName = "connect.sid", userId = passportUser } = options;
  if (typeof auth?.authenticate !== "function") throw new ConfigError("migrateExpressSession.auth", "give what createAuth() returned");
  if (typeof store?.get !== "function" || typeof store.destroy !== "function") {
    throw new ConfigError("migrateExpressSession.store", "give the store of express-session: an object with get() and destroy()");
  }
  const secrets = [secret].flat().filter((text) => text !== undefined && text !== "");
  if (secrets.length === 0 || secrets.some((text) => typeof text !== "string")) {
    throw new ConfigError("migrateExpressSession.secret", "is missing: give the secret of express-session, or a list of them");
  }
  if (typeof cookieName !== "string" || cookieName === "")
    throw new ConfigError("migrateExpressSession.cookieName", "give the name of its cookie");
  if (typeof userId !== "function") throw new ConfigError("migrateExpressSession.userId", "give a function of a session");
  return { auth, store, secrets: secrets as string[], cookieName, userId };
}
