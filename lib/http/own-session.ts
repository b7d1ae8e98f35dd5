import type { Request } from "express";
import type { Session } from "../core/sessions.ts";
import { CredentialError, PermissionError } from "../errors.ts";

/** Who manages their own things: a person in a session, by whichever transport. Where an access token stands for it, it is read. */
export const OWN_SESSION = { kinds: ["session", "access_token"], live: true } as const;

/** Seconds for which an authentication is good for changes of credentials. */
const FRESH = 600;

/** The same, who authenticated within ten minutes. */
export const FRESH_SESSION = { ...OWN_SESSION, maxAge: FRESH } as const;

/** Sessions that a guard read for an access token. */
const behind = new WeakMap<Request, Session>();

/** Remembers, for the handler, the session that a guard read. */
export function keepSession(req: Request, session: Session): void {
  behind.set(req, session);
}

/**
 * The session of who calls a route behind {@link OWN_SESSION}. No store.
 * @throws {PermissionError} `credential_not_allowed` when no session was looked at: for API keys, and tokens that nobody checked.
 */
export function ownSession(req: Request): Session {
  const session = req.auth.kind === "session" ? req.auth.session : behind.get(req);
  if (!session) throw new PermissionError("credential_not_allowed", "This needs a signed-in session");
  return session;
}

/**
 * Changes of credentials need a proof of the last minutes: of the session, and of the token, which proves no more than when it was issued.
 * @throws {CredentialError} `insufficient_user_authentication` when it is older.
 */
export function assertFresh(req: Request, now: number, maxAge: number = FRESH): void {
  const authenticatedAt = Math.min(ownSession(req).authenticatedAt, req.auth.authenticatedAt ?? 0);
  if (now - authenticatedAt > maxAge * 1000) throw new CredentialError("insufficient_user_authentication", "Authenticate again to go on");
}
