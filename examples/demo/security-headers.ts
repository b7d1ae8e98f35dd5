import type { RequestHandler } from "express";

/**
 * No script or style but our own files, no framing, no caching of pages about a person.
 * `formsTo` is the one other origin that an answer to a form may lead to: browsers check that too.
 */
export function securityHeaders({ formsTo }: { formsTo: string }): RequestHandler {
  const policy = [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self'",
    `form-action 'self' ${formsTo}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");

  return function securityHeadersMiddleware(_req, res, next) {
    res.set({
      "content-security-policy": policy,
      "cache-control": "no-store",
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff",
    });
    next();
  };
}

/** Sends a browser that came by another name of this machine, such as 127.0.0.1, to `url`: cookies belong to a name. */
export function onlyAt(url: string): RequestHandler {
  const { host } = new URL(url);

  return function onlyAtMiddleware(req, res, next) {
    if (req.method !== "GET" || req.get("host") === host) return next();
    res.redirect(302, new URL(req.originalUrl, url).href);
  };
}
