import express, { type NextFunction, type Request, type RequestHandler, type Response, type Router } from "express";
import { z } from "zod";
import type { Kit } from "../core/kit.ts";
import { messageOf, outageOf } from "../core/redact.ts";
import { AuthError, NotFoundError, RequestError, StorageError } from "../errors.ts";
import { csrfRefusal, type CsrfConfig } from "./csrf.ts";
import { errorTarget, withoutErrorTarget } from "./form-refusal.ts";
import { checked, readBody } from "./input.ts";
import { framedPagePolicy, onwardPagePolicy, pagePolicy } from "./page.ts";
import { asAuthError, sendProblem } from "./problem.ts";
import { rateLimit } from "./rate-limit.ts";
import { requireAuth } from "./require-auth.ts";
import type { AnyRoute, HttpEdge, Reply } from "./route.ts";
import { requestSource } from "./source.ts";

export interface RouterParts {
  readonly kit: Kit;
  readonly http: HttpEdge;
  readonly csrf: CsrfConfig;
}

/** What changes nothing, and so reads no body. */
const SAFE = new Set<AnyRoute["method"]>(["GET"]);
/** What a route that takes none may be sent. */
const NO_BODY = z.strictObject({});

/** An Express router of `routes`: each checked for origin, limits, guard and input before its handler runs; every error is a problem document. */
export function createRouter(routes: readonly AnyRoute[], { kit, http, csrf }: RouterParts): Router {
  const router = express.Router({ caseSensitive: true });

  const sameSite: RequestHandler = (req, res, next) => {
    // A page elsewhere cannot send a bearer. Other schemes, such as Basic, browsers send by themselves.
    const refusal = /^bearer /i.test(req.headers.authorization ?? "") ? null : csrfRefusal(req, csrf);
    if (refusal) return sendProblem(res, refusal);
    next();
  };

  const run = async (route: AnyRoute, req: Request, res: Response) => {
    const call = {
      kit,
      http,
      req,
      res,
      source: requestSource(req),
      params: route.params ? checked(route.params, { ...req.params }, "path") : undefined,
      query: route.query ? checked(route.query, { ...req.query }, "query") : undefined,
      body: SAFE.has(route.method)
        ? undefined
        : checked(route.body ?? NO_BODY, withoutErrorTarget(await readBody(req, res), route.body), "body"),
    };
    send(req, res, await route.handle(call));
  };

  for (const route of routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ":$1");
    const handlers: RequestHandler[] = [];
    if (!route.crossSite) handlers.push(sameSite);
    if (route.limit) handlers.push(rateLimit({ name: route.operationId, limit: route.limit }));
    // A form may say where its refusal leads, so that goes through the handler of errors below.
    if (route.guard) handlers.push(requireAuth({ ...route.guard, onRefused: route.method === "POST" ? "next" : "answer" }));
    handlers.push((req, res) => run(route, req, res));
    router[route.method.toLowerCase() as "get" | "post" | "delete"](path, ...handlers);
  }

  const paths = [...new Set(routes.map((route) => route.path))];
  for (const path of paths) {
    const allowed = routes.filter((route) => route.path === path).map((route) => route.method);
    router.all(path.replaceAll(/\{(\w+)\}/g, ":$1"), (_req, res) => {
      res.setHeader("allow", allowed.join(", "));
      sendProblem(res, new RequestError("This method is not allowed here", "method_not_allowed", { status: 405 }));
    });
  }

  router.use((_req, res) => sendProblem(res, new NotFoundError("There is no such route, or no option switches it on")));

  router.use(async (error: unknown, req: Request, res: Response, next: NextFunction) => {
    const known = asAuthError(error) ?? new AuthError("internal_error", "Internal server error", 500, { cause: error });
    // What nobody foresaw: an event for the log, and an answer that says nothing.
    if (known.status === 500) kit.events.emit("request.failed", { path: req.baseUrl + req.path, message: messageOf(error) });
    // What could not be read of the credential was told where it was read.
    if (known instanceof StorageError && known !== req.auth.failure)
      kit.events.emit("storage.failed", { operation: req.baseUrl + req.path, message: outageOf(known) });
    if (res.headersSent) return next(error);
    const target = navigates(req) ? await errorTarget(req, res, http, known) : null;
    if (target === null) return sendProblem(res, known);
    res.setHeader("cache-control", "no-store");
    res.redirect(303, target);
  });

  return router;
}

/** Never cached: everything we answer is about one person. */
function send(req: Request, res: Response, { status = 200, json, html, framedBy, leadsTo, location }: Reply): void {
  res.setHeader("cache-control", "no-store");
  if (location !== undefined && (json === undefined || navigates(req))) return res.redirect(303, location);
  res.status(status);
  if (html !== undefined && (json === undefined || navigates(req))) {
    res.setHeader("referrer-policy", "strict-origin");
    res.setHeader("content-security-policy", policyOf({ framedBy, leadsTo }));
    // An application may have set it for all of its pages; it knows no single origin.
    if (framedBy !== undefined) res.removeHeader("x-frame-options");
    res.type("html").send(html);
  } else {
    res.json(json);
  }
}

function policyOf({ framedBy, leadsTo }: { framedBy: string | undefined; leadsTo: string | undefined }): string {
  if (framedBy !== undefined) return framedPagePolicy(framedBy);
  return leadsTo === undefined ? pagePolicy : onwardPagePolicy(leadsTo);
}

/** Whether a page was left for this answer, by a link or a form, rather than a script asking. */
function navigates(req: Request): boolean {
  const mode = req.get("sec-fetch-mode");
  if (mode !== undefined) return mode === "navigate";
  return req.is("application/json") === false && req.accepts(["json", "html"]) === "html";
}
