import type { Request, Response } from "express";
import type { ZodType } from "zod";
import type { Kit } from "../core/kit.ts";
import type { RequestSource } from "../core/events.ts";
import type { Cookies } from "./cookies.ts";
import type { RequireAuthOptions } from "./require-auth.ts";

/** One route as data: read alike by the router, and by whatever describes the API. */
export interface Route<Body = unknown, Query = unknown, Params = unknown> {
  /** Its name in an API description, such as `apiKeyCreate`. */
  readonly operationId: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the base path, with `{name}` for parameters. */
  readonly path: string;
  readonly summary: string;
  /** Who may call it; left out: anybody. */
  readonly guard?: RequireAuthOptions;
  /** Skips the cross-site check, for what other sites post by protocol. */
  readonly crossSite?: true;
  readonly body?: ZodType<Body>;
  readonly query?: ZodType<Query>;
  readonly params?: ZodType<Params>;
  /** The most calls from one source, such as `"20/1h"`. Default: none. */
  readonly limit?: string;
  handle(call: RouteCall<Body, Query, Params>): Promise<Reply>;
}

/** A route that the router can keep in a list with others: its input is whatever its own schemas made of it. */
export type AnyRoute = Route;

/** Declares a route; its handler's input is typed by its schemas. */
export function route<Body = undefined, Query = undefined, Params = undefined>(definition: Route<Body, Query, Params>): AnyRoute {
  return definition;
}

/** What a handler is called with: checked input, who and where from, and the services. */
export interface RouteCall<Body, Query, Params> {
  readonly kit: Kit;
  readonly http: HttpEdge;
  readonly req: Request;
  readonly res: Response;
  readonly body: Body;
  readonly query: Query;
  readonly params: Params;
  readonly source: RequestSource;
}

/** What the Express edge knows and the services do not. */
export interface HttpEdge {
  readonly cookies: Cookies;
  /** `https://app.example.com`, from `baseUrl` or, in development, from the loopback host of the request. */
  origin(req: Request): string;
  /** Such as `/auth`. */
  readonly basePath: string;
  /** A safe place to send a browser: same origin or allow-listed, else `/`. */
  readonly returnTo: (req: Request, target: string | undefined) => string;
  /** Native clients that say they are browsers may still hold tokens. */
  readonly allowTokensInBrowsers: boolean;
  /** Whether a proven address is a way in, because codes are mailed. */
  readonly mailsCodes: boolean;
  /** Whether people sign in by password. */
  readonly passwords: boolean;
  /** Scopes that users may give to their API keys. */
  readonly apiKeyScopes: ReadonlySet<string>;
}

/** A handler's answer. */
export interface Reply {
  /** Default 200. */
  readonly status?: number;
  readonly json?: unknown;
  /** Beside `json` only for a browser that navigates. */
  readonly html?: string;
  /** Sends the browser on, with 303; beside `json` only when it navigates. */
  readonly location?: string;
}
