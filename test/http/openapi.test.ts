import { readFileSync } from "node:fs";
import express from "express";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { API_VERSION } from "../../lib/http/openapi.ts";
import type { OpenApiDocument } from "../../lib/http/openapi-document.ts";
import { problemsOf } from "../../lib/http/openapi-problems.ts";
import { routeTable } from "../../lib/http/route-table.ts";
import type { AuthOptions } from "../../lib/options.ts";
import { resolveTokensOptions } from "../../lib/core/token-options.ts";
import { listen, startApp } from "../support/app.ts";
import { answersRecorder } from "../support/documented.ts";

const TOKENS = { audience: "https://api.example.com" };
const ALL: AuthOptions = { tokens: TOKENS, passwords: true, apiKeys: true };
const NONE: AuthOptions = { apiKeys: false, passwords: false };

let app: Awaited<ReturnType<typeof startApp>>;
afterEach(() => app.close());

async function documentOf(options: AuthOptions): Promise<OpenApiDocument> {
  app = await startApp(options);
  const { body } = await request(app.server)
    .get(`${options.basePath ?? "/auth"}/openapi.json`)
    .expect(200)
    .expect("content-type", /^application\/json/);
  return body as OpenApiDocument;
}

const operationsOf = ({ paths }: OpenApiDocument) =>
  Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ path, method, operation })));

describe("the description of the API", () => {
  it("has exactly the routes that are served", async () => {
    const document = await documentOf(ALL);
    const tokens = resolveTokensOptions(TOKENS, { origin: null, absoluteTtl: 3600 });
    const served = routeTable({ email: null, production: false, apiKeyRoutes: true, passwordRoutes: true, tokens });
    expect(
      operationsOf(document)
        .map(({ path, method }) => `${method.toUpperCase()} ${path}`)
        .sort(),
    ).toEqual(served.map(({ method, path }) => `${method} /auth${path}`).sort());
  });

  it("describes nothing that the router does not answer, and the router nothing that is not described", async () => {
    for (const options of [ALL, NONE]) {
      const document = await documentOf(options);
      for (const path of Object.keys(document.paths)) {
        const url = path
          .replace(/\{provider\}/, "acme")
          .replace(/\{user_id\}/, "nobody")
          .replace(/\{id\}/, "A".repeat(43));
        // 405 names what a path takes.
        const { headers } = await request(app.server).put(url).expect(405);
        const methods = Object.keys(document.paths[path] ?? {}).map((method) => method.toUpperCase());
        expect([path, headers["allow"]?.split(", ").sort()]).toEqual([path, methods.sort()]);
      }
      if (options === NONE) {
        for (const path of ["/auth/api-keys", "/auth/sign-in", "/auth/refresh"]) {
          expect(document.paths[path]).toBeUndefined();
          await request(app.server).put(path).expect(404);
        }
      }
      await app.close();
    }
    app = await startApp();
  });

  it("says of every operation how it succeeds, and every code with which it refuses", async () => {
    const document = await documentOf(ALL);
    const tokens = resolveTokensOptions(TOKENS, { origin: null, absoluteTtl: 3600 });
    for (const route of routeTable({ email: null, production: false, apiKeyRoutes: true, passwordRoutes: true, tokens })) {
      const operation = document.paths[`/auth${route.path}`]?.[route.method.toLowerCase()];
      const responses = operation?.responses ?? {};
      expect([route.operationId, "200" in responses || "303" in responses]).toEqual([route.operationId, true]);
      for (const problem of problemsOf(route)) {
        const [status = "", code] = problem.split(" ");
        const schema = responses[status]?.content?.["application/problem+json"]?.schema;
        expect(JSON.stringify(schema), `${route.operationId} ${problem}`).toContain(`"${code}"`);
      }
      expect("requestBody" in (operation ?? {}), route.operationId).toBe(route.body !== undefined);
    }
  });

  it("names credentials as they travel: http bearer, and cookies by their configured names", async () => {
    const { components, paths } = await documentOf({ ...ALL, cookie: { name: "acme" } });
    expect(components.securitySchemes).toMatchObject({
      bearer: { type: "http", scheme: "bearer" },
      sessionCookie: { type: "apiKey", in: "cookie", name: "acme" },
      accessCookie: { name: "acme-access" },
      refreshCookie: { name: "acme-refresh" },
    });
    expect(paths["/auth/me"]?.["get"]?.security).toEqual([{ bearer: [] }, { sessionCookie: [] }, { accessCookie: [] }]);
    expect(paths["/auth/api-keys"]?.["post"]?.security).toEqual([{ bearer: [] }, { sessionCookie: [] }, { accessCookie: [] }]);
    expect(paths["/auth/sign-in"]?.["post"]?.security).toEqual([]);
  });

  it("describes what is sent: fields, and which of them are needed", async () => {
    const { components, paths } = await documentOf(ALL);
    expect(components.schemas["SignInRequest"]).toMatchObject({
      type: "object",
      required: ["email", "password"],
      additionalProperties: false,
      properties: { email: { type: "string", maxLength: 320 }, transport: { enum: expect.arrayContaining(["session"]) } },
    });
    expect(paths["/auth/sessions/{id}"]?.["delete"]?.parameters).toMatchObject([{ name: "id", in: "path", required: true }]);
    expect(paths["/auth/email/confirm"]?.["get"]?.parameters).toMatchObject([
      { name: "token", in: "query", required: true },
      { name: "error", in: "query" },
    ]);
  });

  it("is made once, and not sent again to who has it", async () => {
    await documentOf(ALL);
    const first = await request(app.server).get("/auth/openapi.json");
    const { etag } = first.headers;
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    const { text, headers } = await request(app.server).get("/auth/openapi.json").set("if-none-match", etag!).expect(304);
    expect([text, headers["etag"]]).toEqual(["", etag]);
    await request(app.server).get("/auth/openapi.json").set("if-none-match", '"another"').expect(200);
  });

  it("tells no secret and nothing of the application but its name", async () => {
    const text = JSON.stringify(await documentOf({ ...ALL, secret: "a secret that must not be found anywhere" }));
    expect(text).not.toContain("a secret that must");
    expect(text).not.toContain(process.cwd());
  });

  it("has the package's version", async () => {
    const { info } = await documentOf(NONE);
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
    expect([info.version, API_VERSION]).toEqual([version, version]);
  });
});

describe("the check of all answers in these tests", () => {
  it("notices an answer that its route does not document, and no other", async () => {
    app = await startApp();
    const { middleware, undocumented } = answersRecorder();
    const other = express();
    other.use(middleware);
    other.get("/auth/me", (req, res) => {
      if (req.query["case"] === "status") return void res.status(418).json({});
      if (req.query["case"] === "code") {
        const problem = { type: "about:blank", title: "x", status: 401, code: "made_up", detail: "x" };
        return void res.status(401).type("application/problem+json").send(JSON.stringify(problem));
      }
      res.json({ id: "user-1", surprise: true });
    });
    other.get("/elsewhere", (_req, res) => void res.status(418).json({}));
    const server = await listen(other);
    for (const path of ["/auth/me", "/auth/me?case=status", "/auth/me?case=code", "/elsewhere"]) await request(server).get(path);
    await new Promise((resolve) => server.close(resolve));
    expect(undocumented).toHaveLength(3);
    expect(undocumented[0]).toContain("surprise");
    expect(undocumented[2]).toContain('"401 made_up" is none of its problems');
  });
});
