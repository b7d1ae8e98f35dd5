import { problemsOf } from "../../lib/http/openapi-problems.ts";
import type { AnyRoute } from "../../lib/http/route.ts";
import { routeTable } from "../../lib/http/route-table.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import { resolveOptions } from "../../lib/options.ts";
import { cell } from "./interfaces.ts";

/** All routes there are, with everything switched on. */
export function allRoutes(): readonly AnyRoute[] {
  const everything = { email: memoryTransport(), passwords: true, apiKeys: true, secret: "a secret for the reference, 32 bytes" };
  const tokens = { audience: "https://api.example.com" };
  return routeTable(resolveOptions({ ...everything, baseUrl: "https://app.example.com", tokens }, "test"));
}

/** The codes that a route documents. */
export function codesOf(route: AnyRoute): readonly string[] {
  return problemsOf(route).map((problem) => problem.slice(4));
}

/** The page of all routes. */
export function routesPage(): string {
  const rows = allRoutes().map((route) => {
    const { method, path, operationId, summary, limit } = route;
    return `| ${method} \`${path}\` | \`${operationId}\` | ${cell(summary)} | ${whoMay(route)} | ${limit ?? ""} |`;
  });
  return [
    "# Routes",
    "",
    "Every route, below `basePath` (`/auth`), with everything switched on. What each takes and answers is described by `GET /auth/openapi.json`:",
    "[the HTTP API](../http-api.md). Those that may be called by anybody check what they are given themselves.",
    "",
    "| Route | Name | Does | For | Limit, by source |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function whoMay({ guard }: AnyRoute): string {
  if (!guard) return "anybody";
  const { kinds = ["session", "access_token", "api_key"], roles, maxAge } = guard;
  const fresh = maxAge === undefined ? "" : ", authenticated within " + `${maxAge / 60} min`;
  return `${kinds.join(", ")}${roles ? `, role ${roles.join(" or ")}` : ""}${fresh}`;
}
