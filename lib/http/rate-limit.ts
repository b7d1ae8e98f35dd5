import type { Request, RequestHandler } from "express";
import { assertOptions } from "../check-options.ts";
import { parseLimit, sourceKey } from "../core/rate-limits.ts";
import { AuthError, ConfigError, RateLimitError, StorageError } from "../errors.ts";
import { sendProblem } from "./problem.ts";
import { servicesOf } from "./services.ts";
import { requestSource } from "./source.ts";

/** Options of {@link rateLimit}. */
export interface RateLimitOptions {
  /** Names the limit, in letters, digits, `.`, `_`, `-`; calls under one name count together. */
  name: string;
  /** How many in how long: `"5/15m"`, `"100/1h"`. Required: `undefined` is there for the environment, and is refused. */
  limit: string | undefined;
  /** Whom to count. Default: the client's address, IPv6 by /64. `null`: this request is not counted. */
  key?: ((req: Request) => string | null) | undefined;
}

/**
 * Refuses requests over a limit with 429, `Retry-After` and `RateLimit` headers. Counted in the store, atomically, for all processes:
 * one round trip. When the store cannot be asked it refuses with 503. An unknown source has no bucket that it would share with strangers.
 *
 * @throws {ConfigError} now rather than per request, for a limit that does not read.
 * @see RateLimit header fields for HTTP, draft-ietf-httpapi-ratelimit-headers.
 * @example app.post("/contact", rateLimit({ name: "contact", limit: "5/1h" }), contact);
 */
export function rateLimit(options: RateLimitOptions): RequestHandler {
  assertOptions("rateLimit", options, ["name", "limit", "key"]);
  const { name, key = (req: Request) => sourceKey(req.ip ?? null) } = options;
  if (typeof name !== "string" || !/^[\w.-]{1,64}$/.test(name)) {
    throw new ConfigError("rateLimit.name", 'give the limit a name of letters, digits, ".", "_", "-"');
  }
  if (typeof key !== "function") throw new ConfigError("rateLimit.key", "give a function of the request");
  if (options.limit === undefined) throw new ConfigError("rateLimit.limit", 'is missing: write one like "5/15m"');
  const limit = parseLimit(options.limit, "rateLimit.limit");

  return async function rateLimitMiddleware(req, res, next) {
    const counted = key(req);
    if (counted === null) return next();
    try {
      const { rateLimits, clock, events } = servicesOf(req, "rateLimit");
      const { allowed, remaining, resetAt, retryAfter } = await rateLimits.take(name, counted, limit);
      const seconds = Math.max(0, Math.ceil((resetAt - clock.now()) / 1000));
      res.setHeader("ratelimit-policy", `"${name}";q=${limit.max};w=${limit.windowSeconds}`);
      res.setHeader("ratelimit", `"${name}";r=${remaining};t=${seconds}`);
      if (!allowed) {
        events.emit("rate_limit.exceeded", { limit: name }, { userId: req.auth.userId, source: requestSource(req) });
        return sendProblem(res, new RateLimitError("Too many requests: try again later", retryAfter));
      }
    } catch (error) {
      return sendProblem(res, error instanceof AuthError ? error : new StorageError("The limit could not be checked", { cause: error }));
    }
    next();
  };
}
