import { hasSchema, registerSchema, setShouldValidateFormat, validate, type Validator } from "@hyperjump/json-schema/openapi-3-1";
import "@hyperjump/json-schema/formats-lite";
import type { OpenApiDocument, OpenApiOperation } from "../../lib/http/openapi-document.ts";

/** The schema that the OpenAPI Initiative gives for 3.1, with its dialect for the schemas inside: https://spec.openapis.org/oas/. */
const OFFICIAL = "https://spec.openapis.org/oas/3.1/schema-base";

const JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema";

/** The meta-schema of JSON Schema 2020-12, closed at every depth: it lets unknown keywords pass, and what is mistyped is one. */
const CLOSED_JSON_SCHEMA = "https://latchkey.test/json-schema-2020-12-closed";
if (!hasSchema(CLOSED_JSON_SCHEMA)) {
  const closed = { $schema: JSON_SCHEMA, $dynamicAnchor: "meta", $ref: JSON_SCHEMA, unevaluatedProperties: false };
  registerSchema(closed, CLOSED_JSON_SCHEMA);
}
// A `pattern` has to be a regular expression, a URL a URL.
setShouldValidateFormat(true);

const official = await validate(OFFICIAL);
const closedJsonSchema = await validate(CLOSED_JSON_SCHEMA);

/**
 * What is wrong with a description: by the official schema of OpenAPI 3.1; of the schemas inside, by that of JSON Schema 2020-12, each by itself;
 * then what no schema tells: names are unique, references lead somewhere, templates and parameters match, nothing is described for nobody.
 */
export function faultsOf(document: OpenApiDocument): string[] {
  const faults = refusals(official, "document", document);
  if (faults.length > 0) return faults;
  for (const [where, schema] of schemasIn(document)) faults.push(...refusals(closedJsonSchema, where, schema));
  return [...faults, ...namesAmiss(document), ...referencesAmiss(document)];
}

/** Where a value is not as a schema has it, and by which of its words. */
function refusals(validator: Validator, where: string, value: unknown): string[] {
  const json: Parameters<Validator>[0] = JSON.parse(JSON.stringify(value));
  if (validator(json).valid) return [];
  const result = validator(json, "BASIC");
  const errors = result.valid ? [] : (result.errors ?? []);
  return errors.map(({ instanceLocation, absoluteKeywordLocation }) => `${where} ${instanceLocation}: ${absoluteKeywordLocation}`);
}

/** Every JSON Schema of a description, and where it is. */
function* schemasIn(document: OpenApiDocument): Generator<readonly [where: string, schema: unknown]> {
  for (const [name, schema] of Object.entries(document.components.schemas)) yield [name, schema];
  for (const { where, operation } of operationsIn(document)) {
    const { parameters = [], requestBody, responses } = operation;
    for (const { name, schema } of parameters) yield [`${where} ${String(name)}`, schema];
    for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) yield [`${where} ${type}`, schema];
    for (const [status, { headers = {}, content = {} }] of Object.entries(responses)) {
      for (const [name, { schema }] of Object.entries(headers)) yield [`${where} ${status} ${name}`, schema];
      for (const [type, { schema }] of Object.entries(content)) yield [`${where} ${status} ${type}`, schema];
    }
  }
}

function* operationsIn({ paths }: OpenApiDocument): Generator<{ where: string; path: string; operation: OpenApiOperation }> {
  for (const [path, item] of Object.entries(paths))
    for (const [method, operation] of Object.entries(item)) yield { where: `${method} ${path}`, path, operation };
}

function namesAmiss(document: OpenApiDocument): string[] {
  const faults: string[] = [];
  const { tags, components } = document;
  const [seen, used] = [new Set<string>(), new Set<string>()];
  for (const { where, path, operation } of operationsIn(document)) {
    const { operationId, parameters = [], security } = operation;
    if (seen.has(operationId)) faults.push(`${where}: ${operationId} names two operations`);
    seen.add(operationId);
    const named = parameters.filter((each) => each["in"] === "path").map(({ name }) => String(name));
    const template = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
    if (sorted(named) !== sorted(template)) faults.push(`${where}: parameters ${named} for ${template}`);
    const distinct = new Set(parameters.map(({ in: place, name }) => `${String(place)} ${String(name)}`));
    if (distinct.size < parameters.length) faults.push(`${where}: a parameter twice`);
    for (const name of security.flatMap((each) => Object.keys(each)))
      if (!(name in components.securitySchemes)) faults.push(`${where}: no scheme ${name}`);
    for (const tag of operation.tags) used.add(tag);
    for (const type of typesOf(operation)) if (!/^[\w-]+\/[\w.+-]+$/.test(type)) faults.push(`${where}: no media type ${type}`);
  }
  const told = tags.map(({ name }) => name);
  if (sorted(told) !== sorted([...used])) faults.push(`tags ${told} for ${[...used]}`);
  return faults;
}

function typesOf({ requestBody, responses }: OpenApiOperation): string[] {
  return [requestBody, ...Object.values(responses)].flatMap((each) => Object.keys(each?.content ?? {}));
}

function referencesAmiss(document: OpenApiDocument): string[] {
  const { schemas } = document.components;
  const targets = new Set([...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, target = ""]) => target));
  const places = Object.keys(schemas).map((name) => `#/components/schemas/${name}`);
  return [
    ...[...targets].filter((target) => !places.includes(target)).map((target) => `nothing is at ${target}`),
    ...places.filter((place) => !targets.has(place)).map((place) => `nobody uses ${place}`),
  ];
}

function sorted(names: readonly string[]): string {
  return names.toSorted((one, other) => one.localeCompare(other)).join();
}
