import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startApp } from "../support/app.ts";

/** Everything that listens to a client, with what a signed-in user would send. */
const ROUTES = [
  ["GET", "/auth/me"],
  ["POST", "/auth/sign-out"],
  ["POST", "/auth/guest"],
  ["POST", "/auth/tenant"],
  ["POST", "/auth/reauthenticate"],
  ["GET", "/auth/sessions"],
  ["DELETE", "/auth/sessions"],
  ["DELETE", "/auth/sessions/x"],
  ["POST", "/auth/magic/send"],
  ["POST", "/auth/magic/verify"],
  ["GET", "/auth/api-keys"],
  ["POST", "/auth/api-keys"],
  ["DELETE", "/auth/api-keys/x"],
  ["POST", "/auth/api-keys/x/rotate"],
  ["GET", "/auth/providers"],
  ["GET", "/auth/login/x"],
  ["POST", "/auth/login/x"],
  ["GET", "/auth/callback/x"],
  ["POST", "/auth/callback/x"],
  ["GET", "/auth/accounts"],
  ["DELETE", "/auth/accounts/x"],
  ["POST", "/auth/accounts/x/link"],
  ["GET", "/auth/nothing"],
] as const;

const UNSAFE = ROUTES.filter(([method]) => method !== "GET");

const BODIES: readonly (readonly [name: string, type: string, body: string])[] = [
  ["broken JSON", "application/json", '{"email":'],
  ["an array", "application/json", "[]"],
  ["a text", "application/json", '"text"'],
  ["null", "application/json", "null"],
  ["a number for a text", "application/json", '{"email":1,"code":2,"name":3,"tenant_id":4,"method":5}'],
  ["arrays for texts", "application/json", '{"email":["a@b.example"],"code":["1"],"name":["x"],"tenant_id":["t"],"method":["magic_code"]}'],
  ["objects for texts", "application/json", '{"email":{"$gt":""},"code":{"$ne":1},"name":{},"tenant_id":{},"method":{}}'],
  ["prototype keys", "application/json", '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}}}'],
  ["an unknown field", "application/json", '{"is_admin":true}'],
  [
    "NUL and CRLF",
    "application/json",
    '{"email":"a\\u0000@b.example","name":"a\\r\\nSet-Cookie: x=1","tenant_id":"\\u0000","return_to":"/\\r\\nx"}',
  ],
  ["deep nesting", "application/json", `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`],
  ["a nested form", "application/x-www-form-urlencoded", "email[a]=b&code[]=1&__proto__[x]=1"],
  ["a doubled field", "application/x-www-form-urlencoded", "email=a&email=b&code=1&code=2"],
  ["broken percent encoding", "application/x-www-form-urlencoded", "email=%E0%A4%A"],
  ["XML", "application/xml", "<a/>"],
  ["multipart", "multipart/form-data; boundary=x", "--x--"],
  ["text", "text/plain", "email=a"],
  ["a megabyte", "application/json", JSON.stringify({ email: "x".repeat(1024 * 1024) })],
  ["a megabyte form", "application/x-www-form-urlencoded", `email=${"x".repeat(1024 * 1024)}`],
];

describe("bad input", () => {
  let app: Awaited<ReturnType<typeof startApp>>;
  let cookie: string;

  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  const signIn = async () => {
    await app.auth.users.create({ id: "user-1", email: "user@example.com", emailVerified: true });
    cookie = `sid=${(await app.auth.sessions.create({ userId: "user-1" })).token}`;
  };

  const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: string) => {
    const response = await fetch(`${app.url}${path}`, { method, headers, redirect: "manual", ...(body === undefined ? {} : { body }) });
    return { status: response.status, type: response.headers.get("content-type") ?? "", text: await response.text() };
  };

  const expectProblem = ({ status, type, text }: Awaited<ReturnType<typeof ask>>, what: string) => {
    expect(status, what).toBeGreaterThanOrEqual(400);
    expect(status, what).toBeLessThan(500);
    expect(type, what).toContain("application/problem+json");
    expect(text, what).not.toMatch(/\.ts|\.js:|node_modules| at \w/);
    expect(JSON.parse(text), what).toMatchObject({ status, code: expect.any(String), detail: expect.any(String) });
  };

  it("rule 40: in a body is a 4xx problem document on every route, and changes nothing", async () => {
    await signIn();
    for (const [method, path] of UNSAFE) {
      for (const [name, type, body] of BODIES) {
        if (method === "DELETE" && path === "/auth/sessions") continue; // takes no body
        const answer = await ask(method, path, { cookie, "content-type": type }, body).catch((error: unknown) => error);
        if (answer instanceof Error) continue; // the connection was cut on the oversized body, which is an answer too
        const harmless = path === "/auth/callback/x" && method === "POST";
        if (harmless && (answer as { status: number }).status === 303) continue; // looks at the protocol's own fields only
        expectProblem(answer as Awaited<ReturnType<typeof ask>>, `${method} ${path} with ${name}`);
      }
    }
    expect(await app.auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("rule 40: in a path or query is a 4xx problem document", async () => {
    await signIn();
    const nasty = [
      "%00",
      "%0d%0aSet-Cookie:%20x=1",
      "%E0%A4%A",
      "__proto__",
      "constructor",
      "..%2f..%2fme",
      "x".repeat(5000),
      "%F0%9F%92%A9",
      "'%20OR%201=1",
    ];
    for (const text of nasty) {
      for (const [method, path] of [
        ["DELETE", `/auth/sessions/${text}`],
        ["DELETE", `/auth/api-keys/${text}`],
        ["DELETE", `/auth/accounts/${text}`],
        ["GET", `/auth/login/${text}`],
        ["GET", `/auth/callback/${text}`],
        ["GET", `/auth/${text}`],
        ["GET", `/auth/sessions?${text}=1`],
      ] as const) {
        expectProblem(await ask(method, path, { cookie }), `${method} ${path}`);
      }
    }
    for (const query of ["code[a]=1", "state=a&state=b", "__proto__[x]=1", "return_to=a&return_to=b", `state=${"x".repeat(9000)}`]) {
      expectProblem(await ask("GET", `/auth/callback/x?${query}`), query);
      expectProblem(await ask("GET", `/auth/login/x?${query}`), query);
    }
  });

  it("in headers and cookies never breaks a public page, and is 401 behind a guard", async () => {
    const many = Array.from({ length: 100 }, (_, index) => `c${index}=${index}`).join("; ");
    const cookies = [
      "sid",
      "sid=",
      "sid=%00",
      "sid=%E0%A4%A",
      'sid="quoted"',
      'sid=j:{"a":1}',
      "sid=j:[1]",
      "sid=s:x.y",
      `sid=${"A".repeat(5000)}`,
      "sid=a; sid=b; sid=c",
      "__proto__=x; constructor=y",
      "=;;;=",
      `${many}; sid=zzz`,
    ];
    for (const value of cookies) {
      expect((await ask("GET", "/auth/providers", { cookie: value })).status, value).toBe(200);
      expect((await ask("GET", "/auth/me", { cookie: value })).status, value).toBe(401);
    }
    for (const authorization of [
      "Bearer",
      "Bearer ",
      "Bearer  x  y",
      "Bearer \u00e9",
      "bearer x,Bearer y",
      "Bearer sk-",
      `Bearer ${"x".repeat(8000)}`,
      "Digest x",
      ":",
    ]) {
      expect((await ask("GET", "/auth/providers", { authorization })).status, authorization).toBe(200);
      expect((await ask("GET", "/auth/me", { authorization })).status, authorization).toBe(401);
    }
  });

  it("sent twice as a header is refused or read once, never a crash", async () => {
    const { port } = app.server.address() as AddressInfo;
    const raw = (lines: readonly string[]) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(port, "localhost", () => socket.end(`${lines.join("\r\n")}\r\n\r\n`));
        let text = "";
        socket.on("data", (chunk) => (text += String(chunk)));
        socket.on("end", () => resolve(text));
        socket.on("error", reject);
      });
    const head = ["GET /auth/me HTTP/1.1", "Host: localhost", "Connection: close"];
    expect(await raw([...head, "Authorization: Bearer a", "Authorization: Bearer b"])).toMatch(/^HTTP\/1\.1 401/);
    expect(await raw([...head, "Cookie: sid=a", "Cookie: sid=b"])).toMatch(/^HTTP\/1\.1 401/);
    expect(await raw([...head, "Origin: http://a", "Origin: http://b"])).toMatch(/^HTTP\/1\.1 401/);
  });
});
