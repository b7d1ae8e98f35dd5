import type { Request, Response } from "express";
import type { ZodType } from "zod";
import type { Kit } from "../core/kit.ts";
import type { RequestSource } from "../core/events.ts";
import type { SessionTransport } from "../core/session-record.ts";
import type { Cookies } from "./cookies.ts";
import type { OpenApiDocument } from "./openapi-document.ts";
import type { RequireAuthOptions } from "./require-auth.ts";

/** A problem document as data: its status and its code, such as `401 invalid_token`. */
export type Problem = `${400 | 401 | 403 | 404 | 409 | 413 | 415 | 421 | 429 | 500 | 502 | 503} ${string}`;

/** What a route answers, as data. */
export interface Answers {
  /** The JSON of a success. Left out: there is only a page, or only a redirect. */
  readonly 200?: ZodType;
  /** Where the browser is sent, in words; beside 200 only one that navigates. */
  readonly 303?: string;
  /** What still holds, in words. */
  readonly 304?: string;
  /** The HTML page that a browser that navigates is shown, in words; without 200 everybody is. */
  readonly page?: string;
  /** The HTML page that tells a browser of a refusal, in words. */
  readonly errorPage?: string;
  /** The handler's own. Those of guard, limit, origin and input checks come by themselves. */
  readonly problems?: readonly Problem[];
  /** Whose further refusals the handler passes on, in words, where the application has code of its own in it. */
  readonly default?: string;
}

/** Credentials that a handler without guard reads itself, by their names in the API description. */
export type ShownCredential = "bearer" | "sessionCookie" | "accessCookie" | "refreshCookie";

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
  readonly answers: Answers;
  /** What it takes beside what its guard does. Default: none. */
  readonly shows?: readonly ShownCredential[];
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
  /** How credentials travel when a sign-in does not say. */
  readonly transport: SessionTransport;
  /** Native clients that say they are browsers may still hold tokens. */
  readonly allowTokensInBrowsers: boolean;
  /** Whether a proven address is a way in, because codes are mailed. */
  readonly mailsCodes: boolean;
  /** Whether people sign in by password. */
  readonly passwords: boolean;
  /** Characters of the shortest password that a page of ours lets through. */
  readonly minPasswordLength: number;
  /** Whether they do so only once their address is confirmed. */
  readonly confirmedPasswords: boolean;
  /** Whether users are in a store of the application's own. */
  readonly ownUsers: boolean;
  /** Scopes that users may give to their API keys. */
  readonly apiKeyScopes: ReadonlySet<string>;
  /** The description of all routes, made once. */
  openapi(): { readonly document: OpenApiDocument; readonly etag: string };
}

/** A handler's answer. */
export interface Reply {
  /** Default 200. */
  readonly status?: number;
  readonly json?: unknown;
  /** Beside `json` only for a browser that navigates. */
  readonly html?: string;
  /** The one origin whose pages may show `html` in a frame. Default: none may. */
  readonly framedBy?: string;
  /** Another origin that a form of `html` may end up at. Default: it stays on ours. */
  readonly leadsTo?: string;
  /** Sends the browser on, with 303; beside `json` only when it navigates. */
  readonly location?: string;
}
