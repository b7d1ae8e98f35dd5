import type { Request } from "express";
import { boundServices, servicesOf } from "./services.ts";

type Done = (error?: unknown) => void;

/**
 * Gives a request that services are bound to `login`, `logIn`, `logout`, `logOut`, `isAuthenticated` and `isUnauthenticated`, as
 * Passport's users know them: with a callback, or awaited. They are given once, to the prototype that Express makes for an application's
 * requests to be extended by, and show on requests behind `app.use(auth)` alone; to a request itself only where another's stand before them.
 * `login(user, { session: false })`, which `passport.authenticate(..., { session: false })` calls, sets `req.user` and does nothing else.
 */
export function addPassportHabits(req: Request): void {
  if (req.login === login) return;
  const { request: prototype } = req.app as { request?: object };
  if (prototype && !Object.hasOwn(prototype, "login")) extend(prototype);
  if (req.login !== login) Object.assign(req, HABITS);
}

function login(this: Request, user: unknown, options?: unknown, done?: Done) {
  const { habits } = servicesOf(this, "req.login");
  const callback = typeof options === "function" ? (options as Done) : done;
  return settle(withoutSession(options) ? showUser(this, user) : habits.login(this, user), callback);
}

/** For this request alone: `req.auth` says nothing of it, and guards refuse as before. */
async function showUser(req: Request, user: unknown): Promise<void> {
  req.user = user as Express.User;
}

function withoutSession(options: unknown): boolean {
  return typeof options === "object" && options !== null && "session" in options && options.session === false;
}

function logout(this: Request, options?: unknown, done?: Done) {
  return settle(servicesOf(this, "req.logout").habits.logout(this), typeof options === "function" ? (options as Done) : done);
}

function isAuthenticated(this: Request) {
  return this.auth.isAuthenticated;
}

function isUnauthenticated(this: Request) {
  return !this.auth.isAuthenticated;
}

const HABITS = { login, logIn: login, logout, logOut: logout, isAuthenticated, isUnauthenticated };

function extend(prototype: object): void {
  for (const [name, habit] of Object.entries(HABITS)) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Request) {
        return boundServices(this) ? habit : undefined;
      },
      set(this: Request, value: unknown) {
        Object.defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true });
      },
    });
  }
}

/** Tells a callback, where there is one; a promise otherwise. */
function settle(work: Promise<void>, done: Done | undefined): Promise<void> | undefined {
  if (!done) return work;
  work.then(() => done(), done);
  return undefined;
}
