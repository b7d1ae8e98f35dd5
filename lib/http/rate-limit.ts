import type { Request, RequestHandler, Response } from "express";
import { assertOptions } from "../check-options.ts";
import type { Clock } from "../clock.ts";
import type { EventSubject } from "../core/events.ts";
import { parseLimit, sourceFailureLimit, sourceKey, type Counted, type LimitUse } from "../core/rate-limits.ts";
import { AuthError, ConfigError, RateLimitError, StorageError } from "../errors.ts";
import { sayLimit, sendProblem } from "./problem.ts";
import type { RouteCall } from "./route.ts";
import { servicesOf, type GuardServices } from "./services.ts";
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
    const services = servicesOf(req, "rateLimit");
    try {
      const subject = { userId: req.auth.userId, source: requestSource(req) };
      await count(res, services, { name, key: counted, limit }, subject);
    } catch (error) {
      if (error instanceof AuthError) return sendProblem(res, error);
      throw error;
    }
    next();
  };
}

/**
 * Counts a call of a route of ours, where the route knows whom to count better than its path and source say. One round trip, two when refused.
 * @throws {RateLimitError} `rate_limited`; {@link StorageError} when the store cannot be asked.
 */
export async function countCall({ kit, res, source }: Call, use: LimitUse): Promise<void> {
  await count(res, kit, use, { source });
}

/**
 * Counts what is no credential at all, by source: who sends such things has none, so that nobody who has shares this bucket with them.
 * The shown one was told to be none without asking the store; this is all it costs.
 * @throws {RateLimitError} `rate_limited`; {@link StorageError} when the store cannot be asked.
 */
export async function countForgery(call: Call, name: string): Promise<void> {
  await countCall(call, { name, key: sourceKey(call.source.ip), limit: sourceFailureLimit });
}

/** Says in the answer's headers what is left of the limits that a service counted a call against. */
export function tellLimits({ kit: { clock }, res }: Call): Counted {
  return (limits) => {
    for (const { name, counter, limit: max, windowSeconds, remaining, resetAt } of limits)
      if (counter !== null) sayLimit(res, { name, max, windowSeconds }, remaining, secondsTo(resetAt, clock));
  };
}

function secondsTo(at: number, clock: Clock): number {
  return Math.max(0, Math.ceil((at - clock.now()) / 1000));
}

type Call = Pick<RouteCall<unknown, unknown, unknown>, "kit" | "res" | "source">;

/** Takes a use, and says in the answer's headers what is left. */
async function count(
  res: Response,
  { rateLimits, clock, events }: Pick<GuardServices, "rateLimits" | "clock" | "events">,
  { name, key, limit }: LimitUse,
  subject: EventSubject,
): Promise<void> {
  if (key === null) return;
  const taken = await rateLimits.take(name, key, limit).catch((cause: unknown) => {
    throw cause instanceof AuthError ? cause : new StorageError("The limit could not be checked", { cause });
  });
  const { allowed, remaining, resetAt, retryAfter } = taken;
  sayLimit(res, { name, ...limit }, remaining, secondsTo(resetAt, clock));
  if (allowed) return;
  events.emit("rate_limit.exceeded", { limit: name }, subject);
  throw new RateLimitError("Too many requests: try again later", retryAfter);
}
