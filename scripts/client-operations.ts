/**
 * Writes what the client knows of the API, types and paths, from the API's own description.
 *
 *     npm run make:client      writes lib/client/operations.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import express from "express";
import { format, resolveConfig } from "prettier";
import { consoleTransport } from "../lib/email/console.ts";
import type { OpenApiDocument, OpenApiOperation } from "../lib/http/openapi-document.ts";
import { createAuth } from "../lib/index.ts";

export const operationsFile = fileURLToPath(new URL("../lib/client/operations.ts", import.meta.url));

/** They bring what they need themselves: nothing is renewed for them. */
const ENDS_OR_RENEWS = new Set(["refresh", "signOut"]);

type Schema = Readonly<Record<string, unknown>>;

/** Called by providers and by browsers that come from there, not by clients. */
const NOT_CALLED = new Set(["callback", "callbackForm", "backChannelLogout", "openapiGet"]);

/** The text of `lib/client/operations.ts`. */
export async function clientOperations(): Promise<string> {
  const document = await describeAll();
  const operations = Object.entries(document.paths)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
    .filter(({ operation }) => answerOf(operation) !== null && !NOT_CALLED.has(operation.operationId));
  const used = new Set<string>();
  const common = operations.map(({ operation }) => codesOf(operation)).reduce((left, right) => left.filter((code) => right.includes(code)));
  const interfaces = operations.map(({ operation }) => {
    const codes = codesOf(operation).filter((code) => !common.includes(code));
    return [
      `/** ${operation.summary} */`,
      `${operation.operationId}: {`,
      `input: ${inputOf(document, operation, used)};`,
      `output: ${typeOf(answerOf(operation) ?? {}, used)};`,
      `code: ${["CommonCode", ...codes.map((code) => JSON.stringify(code))].join(" | ")};`,
      `};`,
    ].join("\n");
  });
  const rows = operations.map(({ path, method, operation }) => {
    const guarded = operation.security.length > 0 && !ENDS_OR_RENEWS.has(operation.operationId) ? " *" : "";
    return `${operation.operationId}: "${method.toUpperCase()} ${path.replace(/^\/auth/, "")}${guarded}",`;
  });
  const source = [
    `// Made from the API's description by scripts/client-operations.ts. Change the routes, and run that again.`,
    `/** Text of RFC 3339, in UTC: \`2026-01-31T12:00:00.000Z\`. */\nexport type Instant = string;`,
    `/** Every operation: what it takes, what it answers, and the codes with which it refuses. */\nexport interface Operations {\n${interfaces.join("\n")}\n}`,
    `/** Refusals that may come of any call. */\nexport type CommonCode = ${common.map((code) => JSON.stringify(code)).join(" | ")};`,
    ...namedTypes(document, used),
    `/** Method and path of each operation; * marks those that somebody must be signed in for. */\nexport const operations = {\n${rows.join("\n")}\n} as const satisfies Record<keyof Operations, string>;`,
  ].join("\n\n");
  return format(source, { ...(await resolveConfig(operationsFile)), parser: "typescript" });
}

/** The description of an API in which everything is switched on. */
async function describeAll(): Promise<OpenApiDocument> {
  const tokens = { audience: "https://api.example.com" };
  const on = { passwords: true, apiKeys: true, tokens, email: consoleTransport() };
  const auth = createAuth({ secret: "only to describe the API with it", baseUrl: "http://localhost", ...on });
  const app = express();
  app.use(auth);
  const server = app.listen(0, "localhost");
  try {
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const answer = await fetch(`http://localhost:${port}/auth/openapi.json`);
    return (await answer.json()) as OpenApiDocument;
  } finally {
    server.close();
    await auth.close();
  }
}

function answerOf({ responses }: OpenApiOperation): Schema | null {
  return responses["200"]?.content?.["application/json"]?.schema ?? null;
}

function codesOf({ responses }: OpenApiOperation): string[] {
  const codes = Object.values(responses).flatMap((response) => {
    const { allOf } = (response.content?.["application/problem+json"]?.schema ?? {}) as {
      allOf?: { properties?: { code?: { enum?: string[] } } }[];
    };
    return allOf?.flatMap(({ properties }) => properties?.code?.enum ?? []) ?? [];
  });
  return [...new Set(codes)].sort();
}

/** Parameters and body in one object. What is for pages without scripts is left out. */
function inputOf(document: OpenApiDocument, operation: OpenApiOperation, used: Set<string>): string {
  const body = resolved(document, operation.requestBody?.content["application/json"]?.schema ?? {}) as ObjectSchema;
  const parameters = (operation.parameters ?? []) as readonly { name: string; required?: boolean; schema: Schema }[];
  const fields = [
    ...parameters.map(({ name, required, schema }) => ({ name, required: required === true, schema })),
    ...Object.entries(body.properties ?? {}).map(([name, schema]) => ({ name, required: body.required?.includes(name) ?? false, schema })),
    // A route that takes the field itself, for a round trip, limits its length.
  ].filter(({ name, schema }) => name !== "error_to" || schema["maxLength"] !== undefined);
  const names = new Set(fields.map(({ name }) => name));
  if (names.size < fields.length) throw new Error(`${operation.operationId} takes one name in two places`);
  const lines = fields.map(
    ({ name, required, schema }) => `${name}${required ? "" : "?: undefined |"}${required ? ":" : ""} ${typeOf(schema, used)};`,
  );
  if (typeof body.additionalProperties === "object") lines.push(`[field: string]: ${typeOf(body.additionalProperties, used)} | undefined;`);
  return `{ ${lines.join("\n")} }`;
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
}

/** The types that others refer to, with those that they refer to in turn. */
function namedTypes(document: OpenApiDocument, used: Set<string>): string[] {
  const made: string[] = [];
  // What is added on the way is visited too.
  for (const name of used) {
    const schema = document.components.schemas[name];
    if (!schema) throw new Error(`There is no schema ${name}`);
    const body = typeOf(schema, used);
    made.push(body.startsWith("{") ? `export interface ${name} ${body}` : `export type ${name} = ${body};`);
  }
  return made;
}

function resolved(document: OpenApiDocument, schema: Schema): Schema {
  const name = nameOf(schema);
  return name === null ? schema : (document.components.schemas[name] ?? {});
}

function nameOf({ $ref }: Schema): string | null {
  return typeof $ref === "string" ? ($ref.split("/").at(-1) ?? null) : null;
}

function typeOf(schema: Schema, used: Set<string>): string {
  const name = nameOf(schema);
  if (name !== null) {
    used.add(name);
    return name;
  }
  const {
    const: only,
    enum: values,
    anyOf,
    oneOf,
    type,
    items,
    format: kind,
  } = schema as Readonly<Record<string, unknown>> & {
    items?: Schema;
  };
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" | ");
  const variants = (anyOf ?? oneOf) as readonly Schema[] | undefined;
  if (variants) return [...new Set(variants.map((each) => typeOf(each, used)))].join(" | ");
  if (Array.isArray(type)) return type.map((each) => typeOf({ ...schema, type: each as unknown }, used)).join(" | ");
  switch (type) {
    case "string":
      return kind === "date-time" ? "Instant" : "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      return `readonly (${typeOf(items ?? {}, used)})[]`;
    case "object":
      return objectType(schema, used);
    default:
      return "unknown";
  }
}

function objectType(schema: ObjectSchema, used: Set<string>): string {
  const { properties = {}, required = [], additionalProperties } = schema;
  const lines = Object.entries(properties).map(
    ([name, field]) => `readonly ${name}${required.includes(name) ? "" : "?"}: ${typeOf(field, used)};`,
  );
  if (typeof additionalProperties === "object")
    lines.push(
      `readonly [field: string]: ${Object.keys(additionalProperties).length === 0 ? "unknown" : typeOf(additionalProperties, used)};`,
    );
  return `{ ${lines.join("\n")} }`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(operationsFile, await clientOperations());
