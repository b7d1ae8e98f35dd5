import type { Request } from "express";
import type { RequestSource } from "../core/events.ts";

const MAX_AGENT = 512;

/**
 * Where a request comes from. The address is Express's `req.ip`: the application's `trust proxy` setting decides whom to believe.
 * An IPv4 address that came in by an IPv6 socket is written as what it is.
 */
export function requestSource(req: Request): RequestSource {
  return { ip: req.ip?.replace(/^::ffff:(?=[\d.]+$)/, "") ?? null, userAgent: req.get("user-agent")?.slice(0, MAX_AGENT) ?? null };
}
