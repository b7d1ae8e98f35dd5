import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { startApp } from "../support/app.ts";

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content: Content }>>;
}
interface Content {
  readonly "application/json": { readonly schema: object };
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

/** Another system's description of the same routes, as it is. */
const DOCUMENT = JSON.parse(await readFile(new URL("../fixtures/fast-auth/openapi.json", import.meta.url), "utf8")) as Document;

/** A check by a schema of the document. What is a `uuid` there is any text: to a client both are text. */
function checkOf(content: Content): z.ZodType {
  const { schema } = content["application/json"];
  const text = JSON.stringify({ ...schema, $defs: DOCUMENT.components.schemas });
  const local = text.replaceAll("#/components/schemas/", "#/$defs/").replaceAll('"format":"uuid"', '"description":"an id"');
  return z.fromJSONSchema(JSON.parse(local) as Parameters<typeof z.fromJSONSchema>[0]);
}

/** Operations by the names that generators give them: `apiKeyCreate` of `api_key_create`. */
const OPERATIONS = new Map(
  Object.entries(DOCUMENT.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, requestBody, responses }]) => {
      const name = operationId.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
      const body = requestBody ? checkOf(requestBody.content) : null;
      const answer = checkOf(responses["200"]?.content ?? { "application/json": { schema: {} } });
      return [name, { method: method.toUpperCase(), path, body, answer, statuses: Object.keys(responses).map(Number) }] as const;
    }),
  ),
);

/** Opening the mailed link shows a page here: what scans mails would have confirmed it. docs/conformance.md, mail 5. */
const OTHERWISE = ["emailConfirmGet"];

interface Call {
  readonly body?: object;
  readonly path?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is at a place in an answer. */
const at = (data: unknown, ...path: readonly (string | number)[]) =>
  path.reduce<unknown>((value, key) => (value as Readonly<Record<string | number, unknown>>)[key], data);

/** As generators make them: fetch, a body or none, cookies as a browser keeps them for a path, no field that the document has not. */
function generatedClient(baseUrl: string) {
  const jar = new Map<string, { value: string; path: string }>();
  const called = new Set<string>();
  const call = async (name: string, { body, path = {}, headers = {} }: Call = {}): Promise<{ data: unknown; response: Response }> => {
    const operation = OPERATIONS.get(name);
    if (!operation) throw new Error(`the document has no ${name}`);
    called.add(name);
    expect(body === undefined, `${name} has a body`).toBe(operation.body === null);
    operation.body?.parse(body);
    const url = new URL(
      operation.path.replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(path[key] ?? "")),
      baseUrl,
    );
    const cookie = [...jar].flatMap(([key, kept]) => (url.pathname.startsWith(kept.path) ? [`${key}=${kept.value}`] : [])).join("; ");
    const response = await fetch(url, {
      method: operation.method,
      headers: {
        "sec-fetch-site": "same-origin",
        ...(cookie === "" ? {} : { cookie }),
        ...(body ? { "content-type": "application/json" } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    for (const set of response.headers.getSetCookie()) {
      const [, key = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "") jar.delete(key);
      else jar.set(key, { value, path: /path=([^;]+)/i.exec(set)?.[1] ?? "/" });
    }
    const json: unknown = await response.json();
    expect(operation.statuses, `what ${name} answers`).toContain(response.status);
    if (!response.ok) throw Object.assign(new Error(`${name}: ${response.status}`), { status: response.status, error: json });
    return { data: operation.answer.parse(json), response };
  };
  return { call, jar, called };
}

let app: Awaited<ReturnType<typeof startApp>>;
beforeEach(async () => {
  app = await startApp({
    session: { transport: "cookie" },
    cookie: { accessName: "access_token", refreshName: "refresh_token" },
    tokens: { audience: "authenticated" },
    passwords: { requireConfirmedEmail: false, unsafeMinLength: 8 },
  });
});
afterEach(() => app.close());

const ADA = { email: "ada@example.com", password: "Mauve-kettle-7" };

describe("a client generated from a document that knows email and password, and cookies named access_token and refresh_token", () => {
  it("completes its cycle, which has all that the document has: signing up, refreshing, keys, a forgotten password, signing out and in", async () => {
    const { call, jar, called } = generatedClient(app.url);
    const { data: signedUp, response } = await call("signUp", { body: ADA });
    expect(response.status).toBe(200);
    expect([...jar.keys()].sort()).toEqual(["access_token", "refresh_token"]);
    expect((await call("meGet")).data).toEqual(at(signedUp, "user"));

    const before = jar.get("refresh_token")?.value;
    expect(at((await call("refresh")).data, "user")).toEqual(at(signedUp, "user"));
    expect(jar.get("refresh_token")?.value).not.toBe(before);

    const { data: made } = await call("apiKeyCreate", { body: { name: "deploy" } });
    const { data: listed } = await call("apiKeysList");
    expect(listed).toHaveLength(1);
    expect(at(listed, 0, "id")).toBe(at(made, "id"));
    const program = generatedClient(app.url);
    const headers = { authorization: `Bearer ${String(at(made, "key"))}` };
    expect(at((await program.call("meGet", { headers })).data, "email")).toBe(ADA.email);
    const path = { api_key_id: String(at(made, "id")) };
    expect(at((await call("apiKeyDelete", { path })).data, "id")).toBe(path.api_key_id);
    expect((await call("apiKeysList")).data).toEqual([]);

    expect(at((await call("emailConfirmSend", { body: { email: ADA.email } })).data, "message")).toMatch(/^If an account exists/);
    await app.mailbox.waitForLink(ADA.email);
    expect(at((await call("passwordForgot", { body: { email: ADA.email } })).data, "message")).toMatch(/^If an account exists/);
    const token = new URL(await app.mailbox.waitForLink(ADA.email)).searchParams.get("token");
    const password = "Quiet-badger-9";
    expect(at((await call("passwordReset", { body: { token, password } })).data, "message")).toMatch(/^Password reset successfully/);
    await expect(call("refresh")).rejects.toMatchObject({ status: 401 });
    await expect(call("signIn", { body: ADA })).rejects.toMatchObject({ status: 401 });

    expect(at((await call("signIn", { body: { ...ADA, password } })).data, "user", "id")).toBe(at(signedUp, "user", "id"));
    expect(at((await call("signOut")).data, "success")).toBe(true);
    expect([...jar.keys()]).toEqual([]);
    await expect(call("meGet")).rejects.toMatchObject({ status: 401 });
    expect([...called, ...OTHERWISE].sort()).toEqual([...OPERATIONS.keys()].sort());
  });

  it("is told of a refusal by a status that the document has", async () => {
    const { call } = generatedClient(app.url);
    await call("signUp", { body: ADA });
    const stranger = generatedClient(app.url);
    for (const [name, options, status] of [
      ["signUp", { body: ADA }, 409],
      ["signUp", { body: { ...ADA, email: "nobody" } }, 400],
      ["signIn", { body: { ...ADA, password: "Quiet-badger-9" } }, 401],
      ["refresh", {}, 401],
      ["signOut", {}, 401],
      ["meGet", {}, 401],
      ["apiKeysList", {}, 401],
      ["apiKeyCreate", { body: { name: "deploy" } }, 401],
      ["passwordReset", { body: { token: "f".repeat(64), password: "Quiet-badger-9" } }, 401],
      ["passwordForgot", { body: { email: "nobody" } }, 400],
      ["emailConfirmSend", { body: { email: "nobody" } }, 400],
    ] as const)
      await expect(stranger.call(name, options), name).rejects.toMatchObject({ status });
    await expect(call("apiKeyCreate", { body: { name: " " } })).rejects.toMatchObject({ status: 400 });
    await expect(call("apiKeyDelete", { path: { api_key_id: "A".repeat(22) } })).rejects.toMatchObject({ status: 404 });
  });

  it("renews by hand: a call, 401, a refresh, and the call once more", async () => {
    const { call } = generatedClient(app.url);
    await call("signUp", { body: ADA });
    app.clock.advance(906);
    await expect(call("apiKeysList")).rejects.toMatchObject({ status: 401 });
    await call("refresh");
    expect((await call("apiKeysList")).data).toEqual([]);
  });
});
