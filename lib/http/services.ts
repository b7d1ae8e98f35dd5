import type { Request } from "express";
import type { Clock } from "../clock.ts";
import type { RateLimits } from "../core/rate-limits.ts";
import type { Users } from "../core/users.ts";
import { ConfigError } from "../errors.ts";

/** What guards need beside `req.auth`. */
export interface GuardServices {
  readonly clock: Clock;
  readonly users: Users;
  readonly rateLimits: RateLimits;
  readonly signInUrl: string | null;
}

const services: unique symbol = Symbol("latchkey");

type Bound = Request & { [services]?: GuardServices };

/** Makes the services of one `createAuth` known to the guards behind it. */
export function bindServices(req: Request, bound: GuardServices): void {
  (req as Bound)[services] = bound;
}

/** @throws {ConfigError} when no `app.use(auth)` ran before. */
export function servicesOf(req: Request, who: string): GuardServices {
  const bound = (req as Bound)[services];
  if (!bound) throw new ConfigError(who, "place it after app.use(auth)");
  return bound;
}
