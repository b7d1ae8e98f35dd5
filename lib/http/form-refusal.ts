import type { Request, Response } from "express";
import { z, type ZodType } from "zod";
import type { AuthError } from "../errors.ts";
import { readBody } from "./input.ts";
import type { HttpEdge } from "./route.ts";

/** The field of a form, or of what begins a round trip, that says where a refusal should lead, as `return_to` says it of a success. */
export const ERROR_TO = "error_to";

/**
 * Where the browser goes when a form that was posted to us is refused: the form's `error_to`, safe as every return URL is, with the code
 * as `error`: `/sign-in?error=invalid_code`. `null` for requests of scripts and for forms without that field: they get the problem document.
 */
export async function errorTarget(req: Request, res: Response, http: HttpEdge, error: AuthError): Promise<string | null> {
  if (req.method !== "POST" || !req.is("application/x-www-form-urlencoded")) return null;
  // A guard refuses before the body is read; whatever is wrong with the body then matters no more.
  if (req.body === undefined && !req.readableDidRead) await readBody(req, res).catch(() => undefined);
  const target = (req.body as Record<string, unknown> | undefined)?.[ERROR_TO];
  return typeof target === "string" ? withError(req, http, target, error) : null;
}

/** `target`, safe as every return URL is, with the code as `error`. */
export function withError(req: Request, http: HttpEdge, target: string, error: AuthError): string {
  const origin = http.origin(req);
  const url = new URL(http.returnTo(req, target), origin);
  url.searchParams.set("error", error.code);
  return url.origin === origin ? `${url.pathname}${url.search}${url.hash}` : url.href;
}

/** A body without what is meant for the router alone: where the route takes no such field itself. */
export function withoutErrorTarget(body: unknown, schema: ZodType | undefined): unknown {
  if (schema instanceof z.ZodRecord || (schema instanceof z.ZodObject && Object.hasOwn(schema.shape, ERROR_TO))) return body;
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, ERROR_TO)) return body;
  const { [ERROR_TO]: _, ...rest } = body as Record<string, unknown>;
  return rest;
}
