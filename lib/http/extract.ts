import cookieParser from "cookie-parser";
import type { Request, Response } from "express";
import { CredentialError } from "../errors.ts";
import type { Credential } from "../core/credentials.ts";

const parseCookies = cookieParser();
const BEARER = /^Bearer +([\w\-.~+/]+=*)$/i;

/**
 * The credential a request shows: a bearer, else the session cookie, else none. A bearer beats the cookie and never falls back to it;
 * a scheme that is not ours is no credential at all. Reads headers only, never a query or a body.
 *
 * @throws {CredentialError} `invalid_token` for a Bearer header that is not one token.
 * @see RFC 6750 section 2.1, for the grammar.
 */
export function extractCredential(req: Request, cookieName: string): Credential | null {
  const authorization = req.headers.authorization;
  if (authorization !== undefined && /^bearer(?: |$)/i.test(authorization)) {
    const token = BEARER.exec(authorization)?.[1];
    if (!token) throw new CredentialError("invalid_token", "The Authorization header does not hold one bearer token");
    return { kind: "bearer", token };
  }
  const token = readCookie(req, cookieName);
  return token === null ? null : { kind: "cookie", token };
}

/** A cookie's text; `null` when it is absent or no text. Parses the Cookie header once a request, unless the application already did. */
export function readCookie(req: Request, name: string): string | null {
  if (!req.headers.cookie) return null;
  if (!req.cookies) parseCookies(req, NO_RESPONSE, ignore);
  const value: unknown = (req.cookies as Record<string, unknown>)[name];
  return typeof value === "string" && value !== "" ? value : null;
}

/** cookie-parser reads only the request. */
const NO_RESPONSE = {} as Response;
const ignore = () => {};
