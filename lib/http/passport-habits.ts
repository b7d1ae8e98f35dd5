import type { Request } from "express";

type Done = (error?: unknown) => void;

/** What `req.login` and `req.logout` do. */
export interface PassportHabits {
  login(req: Request, user: unknown): Promise<void>;
  logout(req: Request): Promise<void>;
}

const habit: unique symbol = Symbol("latchkey habits");
type Habitual = Request & { [habit]: PassportHabits };

/**
 * Gives a request `login`, `logIn`, `logout`, `logOut`, `isAuthenticated` and `isUnauthenticated`, as Passport's users know them:
 * with a callback, or awaited. The functions are shared by all requests, so that this costs a few fields.
 */
export function addPassportHabits(req: Request, habits: PassportHabits): void {
  const target = req as unknown as Record<string | symbol, unknown>;
  target[habit] = habits;
  target["login"] = login;
  target["logIn"] = login;
  target["logout"] = logout;
  target["logOut"] = logout;
  target["isAuthenticated"] = isAuthenticated;
  target["isUnauthenticated"] = isUnauthenticated;
}

function login(this: Habitual, user: unknown, options?: unknown, done?: Done) {
  return settle(this[habit].login(this, user), typeof options === "function" ? (options as Done) : done);
}

function logout(this: Habitual, options?: unknown, done?: Done) {
  return settle(this[habit].logout(this), typeof options === "function" ? (options as Done) : done);
}

function isAuthenticated(this: Request) {
  return this.auth.isAuthenticated;
}

function isUnauthenticated(this: Request) {
  return !this.auth.isAuthenticated;
}

/** Tells a callback, where there is one; a promise otherwise. */
function settle(work: Promise<void>, done: Done | undefined): Promise<void> | undefined {
  if (!done) return work;
  work.then(() => done(), done);
  return undefined;
}
