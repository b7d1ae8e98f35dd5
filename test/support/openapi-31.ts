import { z } from "zod";

/**
 * The parts of OpenAPI 3.1 that our description uses, closed: a field that the specification does not have, or one that it wants and is
 * missing, fails. Sections are those of the specification, https://spec.openapis.org/oas/v3.1.0.
 */
const schemaObject = z.union([z.boolean(), z.record(z.string(), z.unknown())]);
const reference = z.strictObject({ $ref: z.string().regex(/^#\/components\/(schemas|securitySchemes)\/[\w.-]+$/) });

/** 4.8.14 */
const mediaType = z.strictObject({ schema: z.union([reference, schemaObject]).optional(), example: z.unknown().optional() });
const content = z.record(z.string().regex(/^[\w-]+\/[\w.+-]+$/), mediaType);

/** 4.8.12 */
const parameter = z
  .strictObject({
    name: z.string().min(1),
    in: z.enum(["query", "header", "path", "cookie"]),
    required: z.boolean().optional(),
    description: z.string().optional(),
    schema: schemaObject,
  })
  .refine((value) => value.in !== "path" || value.required === true, "a path parameter is required");

/** 4.8.21: as a parameter, without name and place. */
const header = z.strictObject({ description: z.string().optional(), required: z.boolean().optional(), schema: schemaObject });

/** 4.8.17 */
const response = z.strictObject({
  description: z.string(),
  headers: z.record(z.string(), header).optional(),
  content: content.optional(),
});

/** 4.8.10 */
const operation = z.strictObject({
  operationId: z.string().min(1),
  summary: z.string(),
  tags: z.array(z.string()),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(parameter).optional(),
  requestBody: z.strictObject({ description: z.string().optional(), required: z.boolean().optional(), content }).optional(),
  responses: z
    .record(z.string().regex(/^(?:[1-5]\d\d|[1-5]XX|default)$/), response)
    .refine((responses) => Object.keys(responses).length > 0, "there is a response"),
});

/** 4.8.27 */
const securityScheme = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("http"), scheme: z.string(), bearerFormat: z.string().optional(), description: z.string().optional() }),
  z.strictObject({
    type: z.literal("apiKey"),
    name: z.string().min(1),
    in: z.enum(["query", "header", "cookie"]),
    description: z.string().optional(),
  }),
]);

/** 4.8.1 and what it holds. */
export const openApi31 = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.strictObject({ title: z.string(), version: z.string(), description: z.string().optional() }),
  servers: z.array(z.strictObject({ url: z.string(), description: z.string().optional() })).optional(),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string().optional() })),
  paths: z.record(z.string().startsWith("/"), z.strictObject({ get: operation, post: operation, delete: operation }).partial()),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[\w.-]+$/), schemaObject),
    securitySchemes: z.record(z.string().regex(/^[\w.-]+$/), securityScheme),
  }),
});

/** What else a document must be that no shape tells: names are unique, references lead somewhere, templates and parameters match. */
export function faultsOf(document: z.infer<typeof openApi31>): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  const { schemas, securitySchemes } = document.components;
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, { operationId, parameters = [], security, tags }] of Object.entries(item).filter(isOperation)) {
      const where = `${method} ${path}`;
      if (seen.has(operationId)) faults.push(`${where}: ${operationId} names two operations`);
      seen.add(operationId);
      const named = parameters.filter((each) => each.in === "path").map(({ name }) => name);
      const template = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
      if (sorted(named) !== sorted(template)) faults.push(`${where}: parameters ${named} for ${template}`);
      if (new Set(parameters.map((each) => `${each.in} ${each.name}`)).size < parameters.length) faults.push(`${where}: a parameter twice`);
      for (const name of security.flatMap((each) => Object.keys(each)))
        if (!(name in securitySchemes)) faults.push(`${where}: no scheme ${name}`);
      for (const tag of tags) if (!document.tags.some(({ name }) => name === tag)) faults.push(`${where}: no tag ${tag}`);
    }
  }
  for (const [, name = ""] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
    if (!(name in schemas)) faults.push(`no schema ${name}`);
  const text = JSON.stringify(document);
  for (const name of Object.keys(schemas)) if (!text.includes(`"#/components/schemas/${name}"`)) faults.push(`nobody uses ${name}`);
  for (const [name, schema] of Object.entries(schemas)) {
    try {
      z.fromJSONSchema(withDefinitions(schema, schemas) as Parameters<typeof z.fromJSONSchema>[0]);
    } catch (error) {
      faults.push(`${name} is no JSON Schema: ${String(error)}`);
    }
  }
  return faults;
}

function isOperation(entry: [string, unknown]): entry is [string, z.infer<typeof operation>] {
  return entry[1] !== undefined;
}

/** A schema with those it refers to inside it, as JSON Schema alone has them. */
export function withDefinitions(schema: unknown, schemas: Readonly<Record<string, unknown>>): object {
  const local = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll("#/components/schemas/", "#/$defs/")) as object;
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...local(schema), $defs: local(schemas) };
}

function sorted(names: readonly string[]): string {
  return names.toSorted((one, other) => one.localeCompare(other)).join();
}
