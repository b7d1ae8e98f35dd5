import { connect, type AddressInfo } from "node:net";
import { Strategy } from "passport";
import cookieParser from "cookie-parser";
import express, { type Express, type Request } from "express";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { errorHandler } from "../../lib/http/problem.ts";
import { routeTable } from "../../lib/http/route-table.ts";
import type { AnyRoute } from "../../lib/http/route.ts";
import { startApp } from "../support/app.ts";

/** Every route there is, and a path that is none. */
const ROUTES = routeTable({ email: null, production: false, apiKeyRoutes: true, passwordRoutes: true });
const NOWHERE = { method: "GET", path: "/nothing/{id}", operationId: "nothing" } as AnyRoute;

/** What a parameter of the right shape may be; none of it exists but the provider. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  provider: ["acme", "unknown"],
  id: ["A".repeat(43), "A".repeat(22)],
  user_id: ["nobody"],
};

const BODIES: readonly (readonly [name: string, type: string | null, body: string | Buffer, headers?: Record<string, string>])[] = [
  ["broken JSON", "application/json", '{"email":'],
  ["an array", "application/json", "[]"],
  ["a text", "application/json", '"text"'],
  ["null", "application/json", "null"],
  ["a number", "application/json", "1"],
  ["a number for a text", "application/json", '{"email":1,"code":2,"name":3,"tenant_id":4,"method":5}'],
  ["arrays for texts", "application/json", '{"email":["a@b.example"],"code":["1"],"name":["x"],"tenant_id":["t"],"method":["magic_code"]}'],
  ["objects for texts", "application/json", '{"email":{"$gt":""},"code":{"$ne":1},"name":{},"tenant_id":{},"method":{}}'],
  ["prototype keys", "application/json", '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}}}'],
  ["a prototype key below", "application/json", '{"email":{"__proto__":{"x":1}},"hasOwnProperty":1}'],
  ["an unknown field", "application/json", '{"is_admin":true}'],
  ["deep nesting", "application/json", `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`],
  ["a byte order mark alone", "application/json", "\ufeff"],
  ["bytes that are no UTF-8", "application/json", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ["JSON as UTF-16", "application/json; charset=utf-16", Buffer.from("{}", "utf16le")],
  ["an unknown charset", "application/json; charset=nonsense", "{}"],
  ["what is not compressed", "application/json", "{}", { "content-encoding": "gzip" }],
  ["an unknown encoding", "application/json", "{}", { "content-encoding": "rot13" }],
  ["a nested form", "application/x-www-form-urlencoded", "email[a]=b&code[]=1&__proto__[x]=1"],
  ["a doubled field", "application/x-www-form-urlencoded", "email=a&email=b&code=1&code=2"],
  ["broken percent encoding", "application/x-www-form-urlencoded", "email=%E0%A4%A&code=%"],
  ["a thousand fields", "application/x-www-form-urlencoded", Array.from({ length: 1000 }, (_, index) => `f${index}=1`).join("&")],
  ["XML", "application/xml", "<a/>"],
  ["multipart", "multipart/form-data; boundary=x", "--x--"],
  ["text", "text/plain", "email=a"],
  ["nothing that says what it is", null, Buffer.from("{}")],
  ["a type that is none", "json", "{}"],
  ["two types", "application/json, text/html", "{}"],
  ["a megabyte", "application/json", JSON.stringify({ email: "x".repeat(1024 * 1024) })],
  ["a megabyte form", "application/x-www-form-urlencoded", `email=${"x".repeat(1024 * 1024)}`],
];

/** Odd rather than wrong: where all fields may be left out it may be taken. They come last, as a sign-out that is taken ends the session. */
const ODD = /^(?:null|an unknown field|a byte order mark|JSON as UTF-16|a nested form|a doubled field|broken percent|a thousand)/;
const WRONG_FIRST = [...BODIES].sort(([a], [b]) => Number(ODD.test(a)) - Number(ODD.test(b)));

/** What is tried in the place of each field that a route knows. */
const VALUES: readonly string[] = [
  "1", "-1", "1e400", "0.5", "true", "null", "[]", '["x"]', "[[]]", "{}", '{"$gt":""}', '{"toString":1}', '""', '" "', '"\\u0000"', '"a\\r\\nSet-Cookie: x=1"',
  '"\\ud800"', '"\\u202e"', '"__proto__"', '"javascript:alert(1)"', '"//evil.example"', '"/\\\\evil.example"', '"%00"', '"../../x"', `"${"x".repeat(5000)}"`,
]; // prettier-ignore

const NASTY = [
  "%00", "%0d%0aSet-Cookie:%20x=1", "%E0%A4%A", "__proto__", "constructor", "toString", "..%2f..%2fme", "x".repeat(5000), "%F0%9F%92%A9", "%ED%A0%80",
  "'%20OR%201=1", "%20", "a;b", "*",
]; // prettier-ignore

const QUERIES = [
  "code[a]=1", "code[]=1", "state=a&state=b", "__proto__[x]=1", "__proto__=1", "constructor=1", "return_to=a&return_to=b", `state=${"x".repeat(9000)}`, "state=%00&code=%00",
  "state=%E0%A4%A", "error=%0d%0aSet-Cookie:x=1", "code=%ED%A0%80&state=x", "return_to=%5C%5Cevil.example", "=&&=;", Array.from({ length: 1200 }, (_, i) => `q${i}=1`).join("&"),
]; // prettier-ignore

const MANY = Array.from({ length: 100 }, (_, index) => `c${index}=${index}`).join("; ");
const JUNK_COOKIES = [
  "", "%00", "%E0%A4%A", '"quoted"', 'j:{"a":1}', "j:[1]", "s:x.y", "A".repeat(5000), "A".repeat(43), "A".repeat(107), "a|b|c", "..", "a, b",
]; // prettier-ignore

class Elsewhere extends Strategy {
  override name = "acme";
  override authenticate({ query }: Request) {
    if (query["code"] === undefined) this.redirect("https://acme.example/authorize");
    else this.fail({ message: "no such code" });
  }
}

type App = Awaited<ReturnType<typeof startApp>>;
const closing: App[] = [];
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

/** An application as different people build it, and somebody who is signed in to it. */
async function start(before: (app: Express) => void = () => {}) {
  const app = await startApp({ before, strategies: [new Elsewhere()], routes: (server) => void server.use(errorHandler()) });
  closing.push(app);
  const failed: unknown[] = [];
  app.auth.events.on("request.failed", (event) => failed.push(event));
  await app.auth.users.create({ id: "user-1", email: "user@example.com", emailVerified: true });

  const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: string | Buffer) => {
    const response = await fetch(`${app.url}${path}`, { method, headers, redirect: "manual", ...(body === undefined ? {} : { body }) });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  /** A new session for each route, after a while: neither limits nor what another route did may answer in the place of the check. */
  const callers = async (): Promise<Record<string, string>[]> => {
    app.clock.advance(3600);
    const { token } = await app.auth.sessions.create({ userId: "user-1" });
    const { key } = await app.auth.apiKeys.create({ userId: "user-1", name: "key", ttl: 60 });
    return [{}, { cookie: `sid=${token}` }, { authorization: `Bearer ${key}` }];
  };
  return { app, ask, callers, failed };
}

type Answer = Awaited<ReturnType<Awaited<ReturnType<typeof start>>["ask"]>>;

/** What is wrong with an answer; `null` when nothing is. `sound` is whether the input may also be taken. */
function complaint({ status, headers, text }: Answer, { sound }: { sound: boolean }): string | null {
  if (status >= 500) return "is a failure of ours";
  if (/node_modules|\.[jt]s:\d|\n\s+at /.test(text)) return "shows a stack";
  if (headers.get("x") !== null || headers.getSetCookie().some((cookie) => cookie.startsWith("x=")))
    return "has a header that was smuggled in";
  const location = headers.get("location") ?? "";
  if (/evil|^javascript/.test(new URL(location, "http://localhost").host)) return "leads elsewhere";
  if (status < 400) return sound ? null : "was taken";
  if (!headers.get("content-type")?.startsWith("application/problem+json")) return "is no problem document";
  const problem = JSON.parse(text) as Record<string, unknown>;
  return problem["status"] === status && typeof problem["code"] === "string" && typeof problem["detail"] === "string"
    ? null
    : "is misshapen";
}

/** Paths of a route, with every parameter that may be of the right shape. */
function pathsOf({ path }: AnyRoute): string[] {
  const name = /\{(\w+)\}/.exec(path)?.[1];
  if (!name) return [`/auth${path}`];
  return (PARAMETERS[name] ?? []).map((value) => `/auth${path.replace(`{${name}}`, value)}`);
}

/** What fields that must be there hold while another one is tried. */
const SAMPLES: Readonly<Record<string, string>> = {
  email: "ada@example.com",
  code: "12345678",
  name: "key",
  method: "magic_code",
  tenant_id: "t",
};

/** The fields that a route's body knows, as its schema says, each with a body around it in which only that field may be wrong. */
function fieldsOf({ body }: AnyRoute): { field: string; around: Record<string, unknown> }[] {
  const schema: { properties?: object; required?: string[] } = body ? z.toJSONSchema(body, { io: "input", unrepresentable: "any" }) : {};
  return Object.keys(schema.properties ?? {}).map((field) => {
    const others = (schema.required ?? []).filter((name) => name !== field);
    return { field, around: Object.fromEntries(others.map((name) => [name, SAMPLES[name] ?? "x"])) };
  });
}

const PARSERS: readonly (readonly [name: string, before: (app: Express) => void])[] = [
  ["no parser before it", () => {}],
  [
    "every parser before it",
    (app) => app.use(express.json({ strict: false }), express.urlencoded({ extended: true }), express.text(), cookieParser()),
  ],
];

// Thousands of requests each, which a busy machine answers slowly.
describe.each(PARSERS)("bad input, with %s,", { timeout: 240_000 }, (_name, before) => {
  it("rule 40: in a body is a 4xx problem document on every route, whoever asks", async () => {
    const { ask, callers, failed } = await start(before);
    const wrong: unknown[] = [];
    for (const route of ROUTES.filter(({ method }) => method !== "GET")) {
      for (const caller of await callers()) {
        for (const [name, type, body, headers = {}] of WRONG_FIRST) {
          const answer = await ask(
            route.method,
            pathsOf(route)[0] ?? "",
            { ...caller, ...headers, ...(type ? { "content-type": type } : {}) },
            body,
          ).catch(
            () => null, // the connection was cut in the middle of an oversized body, which is an answer too
          );
          // A route that takes no body, or of any body the protocol's own fields alone, need not mind what is in it.
          const sound = !route.body || route.operationId === "callbackForm" || ODD.test(name);
          const fault = answer && complaint(answer, { sound });
          if (fault) wrong.push([route.operationId, Object.keys(caller)[0], name, answer.status, fault]);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(failed).toEqual([]);
  });

  it("rule 40: in a field that a route knows is never our failure, and never a stack", async () => {
    const { ask, callers, failed } = await start(before);
    const wrong: unknown[] = [];
    let tried = 0;
    for (const route of ROUTES) {
      for (const { field, around } of fieldsOf(route)) {
        for (const caller of await callers()) {
          for (const value of VALUES) {
            tried += 1;
            const answer = await ask(
              route.method,
              pathsOf(route)[0] ?? "",
              { ...caller, "content-type": "application/json" },
              JSON.stringify({ ...around, [field]: 0 }).replace(`"${field}":0`, () => `"${field}":${value}`),
            );
            const fault = complaint(answer, { sound: true });
            if (fault) wrong.push([route.operationId, field, value.slice(0, 40), answer.status, fault]);
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(500);
    expect(wrong).toEqual([]);
    expect(failed).toEqual([]);
  });

  it("rule 40: in a path or a query is a 4xx problem document on every route", async () => {
    const { ask, callers, failed } = await start(before);
    const wrong: unknown[] = [];
    for (const route of [...ROUTES, NOWHERE]) {
      for (const caller of await callers()) {
        const named = NASTY.map((text) => [`/auth${route.path.replace(/\{\w+\}/, text)}`, false] as const);
        const queried = pathsOf(route).flatMap((path) => QUERIES.map((query) => [`${path}?${query}`, true] as const));
        for (const [path, sound] of route.path.includes("{") ? [...named, ...queried] : queried) {
          const answer = await ask(route.method, path, caller);
          const fault = complaint(answer, { sound: sound || route.operationId === "callbackForm" });
          if (fault) wrong.push([route.operationId, path.slice(0, 60), answer.status, fault]);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(failed).toEqual([]);
  });

  it("in cookies breaks no route, and signs nobody in", async () => {
    const { ask, callers, failed } = await start(before);
    const wrong: unknown[] = [];
    for (const route of ROUTES) {
      await callers();
      for (const junk of JUNK_COOKIES) {
        for (const cookie of [`sid=${junk}`, `sid-code=${junk}; sid-oauth=${junk}`, `${MANY}; sid=${junk}; sid=b; __proto__=x; =;;;=`]) {
          for (const path of pathsOf(route)) {
            const query = route.operationId === "callback" ? "?state=x&code=y" : "";
            const answer = await ask(route.method, `${path}${query}`, { cookie });
            const fault = complaint(answer, { sound: !route.guard });
            if (fault) wrong.push([route.operationId, cookie.slice(-60), answer.status, fault]);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(failed).toEqual([]);
  });
});

describe("bad input", () => {
  it("in headers never breaks a public page, and is 401 behind a guard", async () => {
    const { ask } = await start();
    const credentials = [
      "Bearer",
      "Bearer ",
      "Bearer  x  y",
      "Bearer \u00e9",
      "bearer x,Bearer y",
      "Bearer sk-",
      `Bearer ${"x".repeat(8000)}`,
      "Digest x",
      ":",
      "Basic Og==",
    ];
    for (const authorization of credentials) {
      expect((await ask("GET", "/auth/providers", { authorization })).status, authorization).toBe(200);
      expect((await ask("GET", "/auth/me", { authorization })).status, authorization).toBe(401);
    }
    for (const cookie of JUNK_COOKIES) {
      expect((await ask("GET", "/auth/providers", { cookie: `sid=${cookie}` })).status, cookie).toBe(200);
      expect((await ask("GET", "/auth/me", { cookie: `sid=${cookie}` })).status, cookie).toBe(401);
    }
    for (const [name, value] of [
      ["accept", "*/*;q=x, ,;"],
      ["accept", "x".repeat(4000)],
      ["user-agent", "\u00ff".repeat(2000)],
      ["origin", "null"],
      ["origin", "http://[::1"],
      ["sec-fetch-site", "sideways"],
      ["sec-fetch-mode", "navigate"],
      ["x-forwarded-for", "' OR 1=1, ::1, 999.1.1.1"],
      ["if-none-match", "*"],
      ["range", "bytes=0-1"],
    ] as const) {
      expect((await ask("GET", "/auth/providers", { [name]: value })).status, `${name}: ${value}`).toBe(200);
      const { status } = await ask("POST", "/auth/guest", { [name]: value, "content-type": "application/json" }, "{}");
      expect(status, `${name}: ${value}`).toBeLessThan(500);
    }
  });

  it("sent twice as a header is refused or read once, never a crash", async () => {
    const { app } = await start();
    const { port } = app.server.address() as AddressInfo;
    const raw = (...lines: readonly string[]) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(port, "localhost", () =>
          socket.end(["GET /auth/me HTTP/1.1", "Connection: close", ...lines].join("\r\n") + "\r\n\r\n"),
        );
        let text = "";
        socket.on("data", (chunk) => (text += String(chunk)));
        socket.on("end", () => resolve(text.split("\r\n")[0] ?? ""));
        socket.on("error", reject);
      });
    const host = "Host: localhost";
    expect(await raw(host, "Authorization: Bearer a", "Authorization: Bearer b")).toMatch(/ 401 /);
    expect(await raw(host, "Cookie: sid=a", "Cookie: sid=b")).toMatch(/ 401 /);
    expect(await raw(host, "Origin: http://a", "Origin: http://b")).toMatch(/ 401 /);
    expect(await raw(host, "Host: evil.example")).toMatch(/ (?:400|401|421) /);
    expect(await raw(host, "Content-Length: 2", "Content-Length: 3")).toMatch(/ 400 /);
    expect(await raw(host, "Content-Length: 2", "Transfer-Encoding: chunked")).toMatch(/ 400 /);
    expect(await raw("Host:")).toMatch(/ (?:400|421) /);
    expect(await raw("Host: [::1")).toMatch(/ (?:400|421) /);
    expect(await raw(host, "X: a\u0000b")).toMatch(/ 400 /);
  });
});
