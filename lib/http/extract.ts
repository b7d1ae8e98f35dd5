import cookieParser from "cookie-parser";
import type { Request, Response } from "express";
import { CredentialError } from "../errors.ts";
import type { Credential } from "../core/credentials.ts";
import type { Cookies } from "./cookies.ts";

const BEARER = /^Bearer +([\w\-.~+/]+=*)$/i;

/**
 * The credential a request shows: a bearer (that of the `split` transport completed by its cookie), else the session cookie, else the access cookie, else none. A bearer beats cookies and never
 * falls back to them; a scheme that is not ours is no credential at all. Reads headers only, never a query or a body.
 *
 * @throws {CredentialError} `invalid_token` for a Bearer header that is not one token.
 * @see RFC 6750 section 2.1, for the grammar.
 */
export function extractCredential(req: Request, cookies: Pick<Cookies, "session" | "access">): Credential | null {
  const bearer = bearerOf(req);
  if (bearer !== null) return { kind: "bearer", token: withSignature(bearer, req, cookies) };
  const token = readCookie(req, cookies.session);
  if (token !== null) return { kind: "cookie", token };
  const access = readCookie(req, cookies.access);
  // A signature alone is half a credential: other sites make browsers send it, but cannot send the other half.
  return access === null || access.startsWith(".") ? null : { kind: "access_cookie", token: access };
}

/** The two halves of the `split` transport as one: a bearer of two segments, and a cookie that is a signature. Anything else stays as it is. */
function withSignature(bearer: string, req: Request, { access }: Pick<Cookies, "access">): string {
  if (!/^[\w-]+\.[\w-]+$/.test(bearer)) return bearer;
  const signature = readCookie(req, access);
  return signature?.startsWith(".") ? bearer + signature : bearer;
}

/** As nearly everybody writes it; other spellings take the longer way. */
const SCHEME = "Bearer ";

/**
 * What stands behind `Bearer ` in the header, unchecked; `null` where it is spelled otherwise. Good for one thing alone: asking whether just this
 * text proved true before.
 */
export function plainBearer({ headers: { authorization } }: Request): string | null {
  return authorization?.startsWith(SCHEME) ? authorization.slice(SCHEME.length) : null;
}

/** The token of the Authorization header; `null` without a header of that scheme. @throws {CredentialError} as {@link extractCredential}. */
export function bearerOf({ headers: { authorization } }: Request): string | null {
  if (authorization === undefined || !/^bearer(?: |$)/i.test(authorization)) return null;
  const token = BEARER.exec(authorization)?.[1];
  if (!token) throw new CredentialError("invalid_token", "The Authorization header does not hold one bearer token");
  return token;
}

/** A cookie's text; `null` when it is absent or no text. Leaves `req.cookies` to the application's own cookie-parser, and reads that if it ran before. */
export function readCookie(req: Request, name: string): string | null {
  if (!req.headers.cookie) return null;
  const cookies = (req.cookies ?? parseCookies(req)) as Record<string, unknown>;
  const value = cookies[name];
  return typeof value === "string" && value !== "" ? value : null;
}

const parser = cookieParser();
const NO_RESPONSE = {} as Response;
const ignore = () => {};

/** The cookies of a request's headers. cookie-parser leaves what it finds at a request; this request is made for that. */
export function parseCookies({ headers }: Request): unknown {
  const read = { headers } as Request;
  parser(read, NO_RESPONSE, ignore);
  return read.cookies;
}
