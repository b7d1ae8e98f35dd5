import express, { type Request, type Response } from "express";
import { z, type ZodType } from "zod";
import { RequestError } from "../errors.ts";

/** The most a body of ours may hold. @see OWASP ASVS 5.0, 2.4.1. */
const BODY_LIMIT = 16 * 1024;

const parseJson = express.json({ limit: BODY_LIMIT, strict: true, type: "application/json" });
const parseForm = express.urlencoded({ limit: BODY_LIMIT, extended: false, parameterLimit: 50 });

const CONTROL = /\p{Cc}/u;

/** Text of 1 to `max` characters without control characters. */
export function text(max: number) {
  return z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !CONTROL.test(value), "has control characters");
}

/**
 * The body of a request, parsed here unless the application already did: JSON or a flat form, up to 16 KB; none is `{}`.
 * @throws {RequestError} 400 `invalid_request`, 413 `body_too_large`, 415 `unsupported_media_type`.
 */
export async function readBody(req: Request, res: Response): Promise<unknown> {
  const length = Number(req.get("content-length") ?? 0);
  const hasBody = length > 0 || req.get("transfer-encoding") !== undefined;
  if (!hasBody) return {};
  if (length > BODY_LIMIT) throw new RequestError("The body is too large", "body_too_large", { status: 413 });
  const json = req.is("application/json");
  if (!json && !req.is("application/x-www-form-urlencoded")) {
    throw new RequestError("Send application/json or a form", "unsupported_media_type", { status: 415 });
  }
  if (req.body === undefined) {
    await new Promise<void>((resolve, reject) => {
      const parse = json ? parseJson : parseForm;
      parse(req, res, (error?: Error) => (error ? reject(error) : resolve()));
    });
  }
  return (req.body as unknown) ?? {};
}

/**
 * Input checked against a schema: exact types, lengths and known keys.
 * @throws {RequestError} 400 `invalid_request`, naming the field and never repeating its value.
 */
export function checked<T>(schema: ZodType<T>, input: unknown, where: string): T {
  if (typeof input !== "object" || input === null || Array.isArray(input) || Object.hasOwn(input, "__proto__")) {
    throw new RequestError(`The ${where} must be a plain object`);
  }
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.code === "unrecognized_keys" ? "an unknown field" : `"${issue?.path.map(String).join(".") ?? ""}"`;
  throw new RequestError(
    `The ${where} is misshapen: ${field} ${issue?.code === "unrecognized_keys" ? "is not allowed" : "is missing or wrong"}`,
  );
}
