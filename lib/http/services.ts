import type { Request } from "express";
import type { Clock } from "../clock.ts";
import { isContext } from "../core/context.ts";
import type { Events } from "../core/events.ts";
import type { RateLimits } from "../core/rate-limits.ts";
import type { IssuedSession, Sessions } from "../core/sessions.ts";
import type { Users } from "../core/users.ts";
import { ConfigError, type PermissionError } from "../errors.ts";
import type { RecordStore } from "../storage/record-store.ts";
import { keep, kept } from "./request-auth.ts";

/** What `req.login` and `req.logout` do. */
export interface PassportHabits {
  login(req: Request, user: unknown): Promise<void>;
  logout(req: Request): Promise<void>;
}

/** What guards, and the habits of Passport's users, need beside `req.auth`. */
export interface GuardServices {
  readonly clock: Clock;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly rateLimits: RateLimits;
  readonly events: Events;
  readonly signInUrl: string | null;
  readonly habits: PassportHabits;
  readonly adoption: Adoption;
}

/** What those need who sign a browser in by a credential that is not ours. */
export interface Adoption {
  readonly store: RecordStore;
  /** Why no cookie may act for this request; `null` when it may. */
  crossSite(req: Request): PermissionError | null;
  /** Makes this request, and what the browser sends from now on, one of this session. */
  adopt(req: Request, issued: IssuedSession): Promise<void>;
}

const services = Symbol("latchkey");

/** Makes the services of one `createAuth` known to what comes behind it. */
export function bindServices(req: Request, bound: GuardServices): void {
  keep(req, services, bound);
}

/** The services behind which a request is handled; `null` where no `app.use(auth)` ran before. */
export function boundServices(req: Request): GuardServices | null {
  return (kept(req, services) as GuardServices | undefined) ?? null;
}

/** @throws {ConfigError} when no `app.use(auth)` ran before. */
export function servicesOf(req: Request, who: string): GuardServices {
  const bound = boundServices(req);
  if (bound) return bound;
  const behindToken = isContext(req.auth); // set by accessTokenGuard alone, where nothing is bound
  throw new ConfigError(
    who,
    behindToken
      ? "needs app.use(auth): accessTokenGuard takes `roles` and `scope` itself"
      : "place it after app.use(auth), and have nothing replace res.locals",
  );
}
