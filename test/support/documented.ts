import type { Request, RequestHandler } from "express";
import type { TokensConfig } from "../../lib/core/token-options.ts";
import { problemsOf, redirectOf } from "../../lib/http/openapi-problems.ts";
import { problemSchema } from "../../lib/http/openapi-schemas.ts";
import type { AnyRoute } from "../../lib/http/route.ts";
import { routeTable } from "../../lib/http/route-table.ts";

const ROUTES = routeTable({ email: null, production: false, apiKeyRoutes: true, passwordRoutes: true, tokens: {} as TokensConfig });

/** Notes every answer of our routes that their description does not foresee. */
export function answersRecorder(basePath = "/auth"): { middleware: RequestHandler; undocumented: string[] } {
  const undocumented: string[] = [];
  const middleware: RequestHandler = (req, res, next) => {
    const path = new URL(req.originalUrl, "http://localhost").pathname;
    const chunks: Buffer[] = [];
    const end = res.end.bind(res) as (...args: unknown[]) => typeof res;
    res.end = ((...args: unknown[]) => {
      if (typeof args[0] === "string" || args[0] instanceof Uint8Array) chunks.push(Buffer.from(args[0] as string));
      return end(...args);
    }) as typeof res.end;
    res.once("finish", () => {
      const route = path.startsWith(`${basePath}/`) ? routeOf(req, path.slice(basePath.length)) : undefined;
      if (!route) return;
      const answer = { status: res.statusCode, type: String(res.getHeader("content-type") ?? ""), body: Buffer.concat(chunks).toString() };
      const why = undocumentedIn(route, answer);
      if (why)
        undocumented.push(`${route.method} ${route.path} answers ${answer.status} ${answer.type}: ${why}: ${answer.body.slice(0, 300)}`);
    });
    next();
  };
  return { middleware, undocumented };
}

/** The route behind a path below the base; `undefined` where there is none, or not with that method. */
function routeOf({ method }: Request, path: string): AnyRoute | undefined {
  return ROUTES.find(
    (route) => route.method === method && new RegExp(`^${route.path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}/?$`).test(path),
  );
}

function undocumentedIn(route: AnyRoute, { status, type, body }: { status: number; type: string; body: string }): string | null {
  const { answers } = route;
  const html = type.startsWith("text/html");
  if (status === 303) return redirectOf(route) === null ? "it redirects nowhere" : null;
  if (status === 304) return answers[304] === undefined ? "it has no validator" : null;
  if (status === 200 && html) return answers.page === undefined ? "it has no page" : null;
  if (status === 200) {
    const parsed = answers[200]?.safeParse(JSON.parse(body));
    if (!parsed) return "it answers no JSON";
    return parsed.success ? null : parsed.error.message;
  }
  if (html) return answers.errorPage === undefined ? "it has no page for errors" : null;
  if (!type.startsWith("application/problem+json")) return "no problem document";
  const problem = problemSchema.safeParse(JSON.parse(body));
  if (!problem.success) return problem.error.message;
  const { code } = problem.data;
  if (status === 404 && code === "not_found" && problem.data.detail.startsWith("There is no such route")) return null; // switched off here
  if (answers.default !== undefined) return null;
  return problemsOf(route).some((known) => known === `${status} ${code}`) ? null : `"${status} ${code}" is none of its problems`;
}
