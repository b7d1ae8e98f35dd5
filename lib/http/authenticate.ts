import type { Request, RequestHandler, Response } from "express";
import type { Clock } from "../clock.ts";
import { anonymousContext, type AuthContext } from "../core/context.ts";
import type { Credential, Credentials, ResolvedCredential } from "../core/credentials.ts";
import type { Events } from "../core/events.ts";
import { outageOf } from "../core/redact.ts";
import { AuthError, StorageError } from "../errors.ts";
import type { Cookies } from "./cookies.ts";
import { csrfRefusal, type CsrfConfig } from "./csrf.ts";
import { extractCredential, plainBearer } from "./extract.ts";
import { requestSource } from "./source.ts";

export interface AuthenticateParts {
  readonly credentials: Credentials;
  readonly cookies: Cookies;
  readonly csrf: CsrfConfig;
  readonly events: Events;
  readonly clock: Clock;
}

/** Something that knows how to authenticate: what `createAuth` returns. */
export interface Authenticator {
  /** See {@link authenticate}. */
  readonly authenticate: RequestHandler;
}

/**
 * The middleware that fills `req.auth` and serves no routes, for applications that mount `auth.routes()` themselves.
 * `app.use(auth)` does both.
 *
 * @example
 * app.use(authenticate(auth));
 * app.use("/auth", auth.routes());
 */
export function authenticate({ authenticate: middleware }: Authenticator): RequestHandler {
  return middleware;
}

/**
 * For what must not be done for nobody while somebody may be signed in: what puts another cookie in the place of theirs, or drops it.
 * @throws {StorageError} when an outage left open whose request this is.
 */
export function assertKnown({ auth }: Request): void {
  if (auth.failure instanceof StorageError) throw auth.failure;
}

/**
 * Fills `req.auth` and never answers: a refused credential leaves it anonymous with the reason in `failure`, a store outage
 * likewise, so public pages go on and a guard can say exactly what was wrong. Cookies are left alone.
 */
export function createAuthenticate({ credentials, cookies, csrf, events, clock }: AuthenticateParts): RequestHandler {
  /** What the request shows; a cookie counts only where no other site can have sent it. @throws {AuthError} */
  const shown = (req: Request): Credential | null => {
    const credential = extractCredential(req, cookies);
    const refusal = credential === null || credential.kind === "bearer" ? null : csrfRefusal(req, csrf);
    if (refusal) throw refusal;
    return credential;
  };

  const refused = (error: unknown): AuthContext => {
    const failure = error instanceof AuthError ? error : new StorageError("The credential could not be checked", { cause: error });
    if (failure instanceof StorageError) events.emit("storage.failed", { operation: "authenticate", message: outageOf(failure) });
    return anonymousContext(failure);
  };

  const resign = (req: Request, res: Response, { context, resign: text }: ResolvedCredential) => {
    if (text === null || !("session" in context)) return;
    cookies.set(res, cookies.session, text, (context.session.expiresAt - clock.now()) / 1000);
  };

  return function authenticateMiddleware(req, res, next) {
    // What proved true before, to the letter, leaves nothing to ask or to wait for.
    const bearer = plainBearer(req);
    const proven = bearer === null ? null : credentials.seen({ kind: "bearer", token: bearer });
    if (proven) {
      req.auth = proven;
      return next();
    }
    let credential: Credential | null;
    try {
      credential = shown(req);
    } catch (error) {
      req.auth = refused(error);
      return next();
    }
    const known = credential ? credentials.seen(credential) : NOBODY;
    if (known || !credential) {
      req.auth = known ?? NOBODY;
      return next();
    }
    return credentials
      .resolve(credential, () => requestSource(req))
      .then(
        (resolved) => {
          req.auth = resolved.context;
          resign(req, res, resolved);
          next();
        },
        (error: unknown) => {
          req.auth = refused(error);
          next();
        },
      );
  };
}

const NOBODY = anonymousContext();
