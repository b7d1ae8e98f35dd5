import request from "supertest";
import { afterEach, describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import { openApiDocument } from "../../lib/http/openapi.ts";
import type { OpenApiDocument } from "../../lib/http/openapi-document.ts";
import type { AnyRoute } from "../../lib/http/route.ts";
import { sessionRoutes } from "../../lib/http/routes/sessions.ts";
import { signInRoutes } from "../../lib/http/routes/sign-in.ts";
import type { AuthOptions } from "../../lib/options.ts";
import { google } from "../../strategies/google.ts";
import { startApp } from "../support/app.ts";
import { faultsOf } from "../support/openapi-31.ts";

const baseUrl = "https://app.example.com";
const TOKENS = { audience: "https://api.example.com" };
const ALL: AuthOptions = { baseUrl, tokens: TOKENS, passwords: { requireConfirmedEmail: false }, apiKeys: { scopes: ["reports:read"] } };

afterEach(() => vi.unstubAllEnvs());

/** What an application answers at `openapi.json`. */
async function documentOf(options: AuthOptions): Promise<OpenApiDocument> {
  const app = await startApp(options);
  try {
    const { body } = await request(app.server)
      .get(`${options.basePath ?? "/auth"}/openapi.json`)
      .expect(200);
    return body as OpenApiDocument;
  } finally {
    await app.close();
  }
}

/** Each switch of an application that adds routes or takes them away, and what it may be. */
const SWITCHES = {
  passwords: { "no passwords": false, passwords: { requireConfirmedEmail: false } },
  apiKeys: { "no API keys": false, "API keys": true },
  tokens: { "no tokens": undefined, tokens: TOKENS, "stateless tokens": { ...TOKENS, stateless: true } },
  email: { "no mail": undefined, mail: memoryTransport() },
} as const;

/** Every combination of them, by its name. */
const applications = Object.entries(SWITCHES).reduce<(readonly [name: string, options: AuthOptions])[]>(
  (sofar, [option, values]) =>
    sofar.flatMap(([name, options]) =>
      Object.entries(values).map(([value, given]) => [name ? `${name}, ${value}` : value, { ...options, [option]: given }] as const),
    ),
  [["", { baseUrl }]],
);

describe("the description of the API, by the official schema of OpenAPI 3.1 and the meta-schema of JSON Schema", () => {
  it.each(applications)("is in order with %s", async (_, options) => {
    vi.stubEnv("NODE_ENV", "production"); // elsewhere, mail is printed
    expect(faultsOf(await documentOf({ ...options, store: { ...memoryStore(), persistent: true } }))).toEqual([]);
  });

  it.each<[string, AuthOptions]>([
    ["nothing said at all", { email: undefined, apiKeys: undefined }],
    ["another path", { ...ALL, basePath: "/api/auth" }],
    ["other names of cookies", { ...ALL, cookie: { name: "acme", accessName: "acme_access", refreshName: "acme_refresh" } }],
    ["a title that needs care", { ...ALL, appName: '"Ada\'s" <b>\\$ref' }],
    ["providers", { ...ALL, strategies: [google({ clientId: "app", clientSecret: "a client secret of the tests alone" })] }],
    ["every credential as tokens", { ...ALL, session: { transport: "bearer" }, allowTokensInBrowsers: true }],
    ["an audit", { ...ALL, audit: true }],
  ])("is in order with %s", async (_, options) => {
    expect(faultsOf(await documentOf(options))).toEqual([]);
  });
});

describe("that check", () => {
  /** Of a few routes: they are enough to be wrong in every way. */
  const document = openApiDocument([...sessionRoutes, ...signInRoutes] as readonly AnyRoute[], {
    basePath: "/auth",
    origin: null,
    title: "A few",
    tokens: false,
    cookies: { session: "sid", access: "sid-access", refresh: "sid-refresh" },
  });

  const me = ["paths", "/auth/me", "get"];
  const signIn = ["paths", "/auth/sign-in", "post"];
  const session = ["paths", "/auth/sessions/{id}", "delete"];
  const schemas = ["components", "schemas"];

  it.each<[what: string, place: readonly string[], value: unknown, fault: RegExp]>([
    ["another version of OpenAPI", ["openapi"], "3.2.0", /openapi: .*pattern/],
    ["no version of the API", ["info", "version"], undefined, /info: .*required/],
    ["a path without its slash", ["paths", "auth/me"], {}, /unevaluatedProperties/],
    ["a method that there is none", [...me.slice(0, 2), "fetch"], {}, /unevaluatedProperties/],
    ["a field of an operation that there is none", [...me, "sumary"], "Who asks.", /unevaluatedProperties/],
    ["an operation without answers", [...me, "responses"], {}, /minProperties/],
    ["a status that there is none", [...me, "responses", "600"], { description: "Done." }, /unevaluatedProperties/],
    ["an answer without a description", [...me, "responses", "200", "description"], undefined, /required/],
    ["a path parameter that may be left out", [...session, "parameters", "0", "required"], false, /const/],
    ["a parameter in a place that there is none", [...session, "parameters", "0", "in"], "body", /enum/],
    ["a parameter without a schema", [...session, "parameters", "0", "schema"], undefined, /oneOf|required/],
    ["a body without its content", [...signIn, "requestBody", "content"], undefined, /required/],
    ["a credential in a place that there is none", ["components", "securitySchemes", "sessionCookie", "in"], "body", /enum/],
    ["a component whose name cannot be referred to", [...schemas, "a b"], {}, /propertyNames|pattern/],
    ["a schema of a type that there is none", [...schemas, "SignInRequest", "properties", "email", "type"], "text", /type/],
    ["a length below nothing", [...schemas, "SignInRequest", "properties", "email", "minLength"], -1, /minLength|minimum/],
    ["a pattern that is no regular expression", [...schemas, "SignInRequest", "properties", "email", "pattern"], "(", /format/],
    ["a required field that is no name", [...schemas, "SignInRequest", "required"], [1], /type/],
    [
      "a mistyped keyword of a schema",
      [...schemas, "SignInRequest", "properties", "email", "maxLenght"],
      320,
      /SignInRequest .*unevaluatedProperties/,
    ],
    ["the same in a parameter", [...session, "parameters", "0", "schema", "maxLenght"], 43, /id .*unevaluatedProperties/],
    [
      "the same in an answer",
      [...me, "responses", "401", "content", "application/problem+json", "schema", "allof"],
      [],
      /401 .*unevaluatedProperties/,
    ],
    ["one name for two operations", [...me, "operationId"], "signIn", /names two operations/],
    ["a template without its parameter", [...session, "parameters"], [], /parameters {2}for id/],
    ["a credential that is not told of", [...me, "security"], [{ cookies: [] }], /no scheme cookies/],
    ["a tag that is not told of", [...me, "tags"], ["nothing"], /tags .* for .*nothing/],
    ["a reference that leads nowhere", [...schemas, "SignInRequest"], undefined, /nothing is at #\/components\/schemas\/SignInRequest/],
    ["a schema that nobody uses", [...schemas, "Spare"], { type: "string" }, /nobody uses #\/components\/schemas\/Spare/],
  ])("finds %s", (_, place, value, fault) => {
    expect(faultsOf(document)).toEqual([]);
    expect(faultsOf(changed(document, place, value)).join("\n")).toMatch(fault);
  });
});

/** A copy with another value in one place; `undefined`: with nothing there. */
function changed(document: OpenApiDocument, place: readonly string[], value: unknown): OpenApiDocument {
  const copy = structuredClone(document);
  const last = place.at(-1) ?? "";
  const holder = place.slice(0, -1).reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, { ...copy });
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return place.length > 1 ? copy : (holder as unknown as OpenApiDocument);
}
