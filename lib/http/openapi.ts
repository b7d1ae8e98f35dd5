import { z, type ZodType } from "zod";
import { sha256 } from "../crypto/hash.ts";
import type { OpenApiDocument, OpenApiOperation, OpenApiResponse, Schema } from "./openapi-document.ts";
import { problemSchema, SCHEMA_NAMES } from "./openapi-schemas.ts";
import { problemsOf, redirectOf } from "./openapi-problems.ts";
import { ERROR_TO } from "./form-refusal.ts";
import type { Cookies } from "./cookies.ts";
import type { AnyRoute } from "./route.ts";

export interface OpenApiParts {
  readonly basePath: string;
  /** `null`: not known. */
  readonly origin: string | null;
  readonly cookies: Pick<Cookies, "session" | "access" | "refresh">;
  /** Whether there are access tokens. */
  readonly tokens: boolean;
  readonly title: string;
}

/** The version of this API: that of the package. */
export const API_VERSION = "0.1.0";

/**
 * Describes `routes` to clients. Reads the same data as the router does, so what is switched off is not there and what is there is served:
 * parameters and bodies are the schemas that check them, problem documents list every code that a route can give.
 *
 * @see OpenAPI Specification 3.1.0.
 */
export function openApiDocument(routes: readonly AnyRoute[], parts: OpenApiParts): OpenApiDocument {
  const { basePath, origin, title } = parts;
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const route of routes) {
    const path = (paths[`${basePath}${route.path}`] ??= {});
    path[route.method.toLowerCase()] = operation(route, parts);
  }
  return {
    openapi: "3.1.0",
    info: {
      title,
      version: API_VERSION,
      description: "Signing in, sessions, API keys and tokens. Errors are problem documents (RFC 9457): branch on their `code`.",
    },
    ...(origin === null ? {} : { servers: [{ url: origin }] }),
    tags: [...new Set(routes.map(tagOf))].sort().map((name) => ({ name })),
    paths,
    components: { schemas: components(routes), securitySchemes: securitySchemes(parts) },
  };
}

/** {@link openApiDocument} when it is first asked for, and the same from then on, with a strong validator. */
export function createOpenApi(routes: readonly AnyRoute[], parts: OpenApiParts) {
  let made: { readonly document: OpenApiDocument; readonly etag: string } | null = null;
  return () => {
    if (made) return made;
    const document = openApiDocument(routes, parts);
    made = { document, etag: `"${sha256(JSON.stringify(document)).toString("base64url")}"` };
    return made;
  };
}

function operation(route: AnyRoute, { tokens }: OpenApiParts): OpenApiOperation {
  const { operationId, summary, method, params, query, body, guard, shows } = route;
  const parameters = [...parametersOf("path", params), ...parametersOf("query", query)];
  const content = { schema: reference(requestName(route)) };
  return {
    operationId,
    summary,
    tags: [tagOf(route)],
    security: shows
      ? shows.filter((name) => tokens || !TOKEN_COOKIES.has(name)).map((name) => ({ [name]: [] }))
      : guard
        ? security(guard.kinds, tokens)
        : [],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(method !== "GET" && body
      ? {
          requestBody: {
            required: !body.safeParse({}).success,
            content: { "application/json": content, "application/x-www-form-urlencoded": content },
          },
        }
      : {}),
    responses: responsesOf(route),
  };
}

const TOKEN_COOKIES = new Set(["accessCookie", "refreshCookie"]);

/** Which credentials pass a guard: a bearer of any kind, or the cookies of the kinds it lets through. */
function security(kinds: readonly string[] = ["session", "access_token", "api_key"], tokens: boolean) {
  return [
    { bearer: [] },
    ...(kinds.includes("session") ? [{ sessionCookie: [] }] : []),
    ...(tokens && kinds.includes("access_token") ? [{ accessCookie: [] }] : []),
  ];
}

function securitySchemes({ cookies, tokens }: OpenApiParts): Record<string, Schema> {
  const cookie = (name: string, description: string) => ({ type: "apiKey", in: "cookie", name, description });
  return {
    bearer: { type: "http", scheme: "bearer", description: "An API key, an access token, or a session token of the `token` transport." },
    sessionCookie: cookie(cookies.session, "The session of a browser."),
    ...(tokens
      ? {
          accessCookie: cookie(cookies.access, "The access token of a browser under the `cookie` transport."),
          refreshCookie: cookie(cookies.refresh, "The refresh token of a browser."),
        }
      : {}),
  };
}

function responsesOf(route: AnyRoute): Record<string, OpenApiResponse> {
  const { answers } = route;
  const responses: Record<string, OpenApiResponse> = {};
  const json = answers[200];
  if (json || answers.page !== undefined) {
    responses["200"] = {
      description: json ? "Done." : (answers.page ?? ""),
      content: {
        ...(json ? { "application/json": { schema: reference(answerName(route, json)) } } : {}),
        ...htmlOf(answers.page),
      },
    };
  }
  const redirect = redirectOf(route);
  if (redirect !== null) {
    responses["303"] = { description: redirect, headers: { Location: { required: true, schema: { type: "string" } } } };
  }
  if (answers[304] !== undefined) responses["304"] = { description: answers[304] };
  const problems = problemsOf(route);
  for (const status of new Set(problems.map((problem) => problem.slice(0, 3)))) {
    const codes = problems.filter((problem) => problem.startsWith(status)).map((problem) => problem.slice(4));
    responses[status] = {
      description: codes.join(", "),
      ...(status === "429" || status === "503" ? { headers: RETRY_AFTER } : {}),
      content: {
        [PROBLEM_TYPE]: { schema: { allOf: [reference("Problem"), { properties: { code: { enum: codes } } }] } },
        ...htmlOf(answers.errorPage),
      },
    };
  }
  if (answers.default !== undefined) {
    responses["default"] = { description: answers.default, content: { [PROBLEM_TYPE]: { schema: reference("Problem") } } };
  }
  return responses;
}

function htmlOf(page: string | undefined) {
  return page === undefined ? {} : { "text/html": { schema: { type: "string", description: page } } };
}

const PROBLEM_TYPE = "application/problem+json";
const RETRY_AFTER = { "Retry-After": { description: "Seconds after which to try again.", schema: { type: "integer" } } };

/** Every schema that an operation refers to, by name. */
function components(routes: readonly AnyRoute[]): Record<string, Schema> {
  const answers = z.registry<{ id: string }>();
  for (const [schema, id] of SCHEMA_NAMES) answers.add(schema, { id });
  const bodies = z.registry<{ id: string }>();
  for (const route of routes) {
    const json = route.answers[200];
    if (json && !answers.has(json)) answers.add(json, { id: answerName(route, json) });
    if (route.body && !bodies.has(route.body)) bodies.add(route.body, { id: requestName(route) });
  }
  const all = { ...convert(answers, "output"), ...convert(bodies, "input") };
  const used = new Set<string>([answerName(undefined, problemSchema)]);
  for (const route of routes) {
    if (route.answers[200]) collect(answerName(route, route.answers[200]), all, used);
    if (route.body) collect(requestName(route), all, used);
  }
  return Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)));
}

/** Adds a schema's name and those it refers to. */
function collect(name: string, all: Readonly<Record<string, Schema>>, used: Set<string>): void {
  if (used.has(name)) return;
  used.add(name);
  for (const [, found] of JSON.stringify(all[name]).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) collect(found ?? "", all, used);
}

function convert(registry: ReturnType<typeof z.registry<{ id: string }>>, io: "input" | "output"): Record<string, Schema> {
  const { schemas } = z.toJSONSchema(registry, {
    io,
    uri: (id) => reference(id).$ref,
    override({ jsonSchema }) {
      // Answers may gain fields; requests must not have others.
      if (io === "output" && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, io === "input" ? withErrorTarget(bare(schema)) : bare(schema)]),
  );
}

/** Without what belongs to a file of its own. */
function bare({ $schema: _, $id: __, ...schema }: Schema): Schema {
  return schema;
}

/** Any form may say where its refusal leads; a route that takes the field itself says more of it. */
function withErrorTarget(schema: Schema): Schema {
  const properties = (schema["properties"] ?? {}) as Schema;
  const target = { type: "string", description: "In a form that a page posts: where a refusal leads, with its code as `error`." };
  return { ...schema, properties: { [ERROR_TO]: target, ...properties } };
}

function parametersOf(where: "path" | "query", schema: ZodType | undefined): Schema[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    schema: property,
  }));
}

function reference(name: string) {
  return { $ref: `#/components/schemas/${name}` };
}

function requestName({ operationId }: AnyRoute): string {
  return `${operationId.charAt(0).toUpperCase()}${operationId.slice(1)}Request`;
}

function answerName(route: AnyRoute | undefined, schema: ZodType): string {
  const operationId = route?.operationId ?? "";
  return SCHEMA_NAMES.get(schema) ?? `${operationId.charAt(0).toUpperCase()}${operationId.slice(1)}Answer`;
}

/** The first part of the path groups what belongs together. */
function tagOf({ path }: AnyRoute): string {
  return path.split("/")[1]?.replace(/\W/g, "-").replace(/^-/, "") ?? "";
}
