import type { Request } from "express";
import { clientAddress } from "../core/client-address.ts";
import type { RequestSource } from "../core/events.ts";

const MAX_AGENT = 512;

/**
 * Where a request comes from. The address is Express's `req.ip`: the application's `trust proxy` setting decides whom to believe.
 * What is none, as anybody may write where `trust proxy` believes too much, is `null`.
 */
export function requestSource(req: Request): RequestSource {
  return { ip: clientAddress(req.ip), userAgent: req.get("user-agent")?.slice(0, MAX_AGENT) ?? null };
}
