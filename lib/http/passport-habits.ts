import type { Request, Response } from "express";
import type { IssuedSession } from "../core/sessions.ts";

type Done = (error?: unknown) => void;

/** What `req.login` and `req.logout` do. */
export interface PassportHabits {
  login(req: Request, res: Response, user: unknown): Promise<IssuedSession>;
  logout(req: Request, res: Response): Promise<void>;
}

/**
 * `req.login`, `req.logIn`, `req.logout`, `req.logOut`, `req.isAuthenticated` and `req.isUnauthenticated`, as Passport's users know them:
 * with a callback, or awaited.
 */
export function addPassportHabits(req: Request, res: Response, habits: PassportHabits): void {
  const login = (user: unknown, options?: unknown, done?: Done) =>
    settle(habits.login(req, res, user), typeof options === "function" ? (options as Done) : done);
  const logout = (options?: unknown, done?: Done) =>
    settle(habits.logout(req, res), typeof options === "function" ? (options as Done) : done);
  Object.assign(req, {
    login,
    logIn: login,
    logout,
    logOut: logout,
    isAuthenticated: () => req.auth.isAuthenticated,
    isUnauthenticated: () => !req.auth.isAuthenticated,
  });
}

/** Tells a callback, where there is one; a promise otherwise. */
function settle(work: Promise<unknown>, done: Done | undefined): Promise<void> | undefined {
  if (!done) return work.then(() => undefined);
  work.then(
    () => done(),
    (error: unknown) => done(error),
  );
  return undefined;
}
