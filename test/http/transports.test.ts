import fc from "fast-check";
import request, { type Response } from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { requireAuth } from "../../lib/index.ts";
import type { AuthOptions } from "../../lib/options.ts";
import { startApp } from "../support/app.ts";

const TOKENS = { audience: "https://api.example.com" };
const PASSWORD = "correct horse battery staple";
const BROWSER = { "sec-fetch-site": "same-origin" };

let app: Awaited<ReturnType<typeof startApp>>;
afterEach(() => app.close());

async function start(options: AuthOptions = {}) {
  app = await startApp({
    tokens: TOKENS,
    passwords: { requireConfirmedEmail: false },
    ...options,
    routes(routes) {
      routes.get("/me", requireAuth(), (req, res) => void res.json({ kind: req.auth.kind, userId: req.auth.userId }));
      routes.get("/live", requireAuth({ live: true }), (_req, res) => void res.json({}));
      routes.post("/write", requireAuth(), (_req, res) => void res.json({}));
    },
  });
  await app.auth.passwords.signUp({
    email: "ada@example.com",
    password: PASSWORD,
    source: { ip: null, userAgent: null },
    origin: "http://localhost",
  });
}

const signIn = (transport: string, headers: Record<string, string> = BROWSER) =>
  request(app.server).post("/auth/sign-in").set(headers).send({ email: "ada@example.com", password: PASSWORD, transport });

const setCookies = ({ headers }: Response) => [headers["set-cookie"] ?? []].flat().map(String);
const cookieOf = (response: Response, name: string) =>
  setCookies(response)
    .map((cookie) => cookie.split(";")[0] ?? "")
    .find((cookie) => cookie.startsWith(`${name}=`))
    ?.slice(name.length + 1);

describe("the split transport", () => {
  const signedIn = async () => {
    const response = await signIn("split").expect(200);
    return {
      response,
      half: (response.body as { access_token: string }).access_token,
      signature: cookieOf(response, "sid-access") ?? "",
      refresh: cookieOf(response, "sid-refresh") ?? "",
    };
  };
  const me = (headers: Record<string, string>) => request(app.server).get("/me").set(headers);

  it("gives the script two parts, and keeps the signature in a cookie that it cannot read", async () => {
    await start();
    const { response, half, signature } = await signedIn();
    expect(half.split(".")).toHaveLength(2);
    expect(signature).toMatch(/^\.[\w-]{86}$/);
    expect(response.body).toMatchObject({ token_type: "Bearer", expires_in: 900 });
    expect(response.body).not.toHaveProperty("refresh_token");
    const cookies = setCookies(response);
    expect(cookies).toHaveLength(2);
    for (const cookie of cookies) expect(cookie).toMatch(/HttpOnly/);
    expect(cookies.find((cookie) => cookie.startsWith("sid-access="))).toMatch(/Max-Age=900;/);
    expect(cookies.find((cookie) => cookie.startsWith("sid-refresh="))).toMatch(/Path=\/auth;.*SameSite=Strict/);
  });

  it("takes both halves together, and neither alone", async () => {
    await start();
    const { half, signature } = await signedIn();
    const both = await me({ authorization: `Bearer ${half}`, cookie: `sid-access=${signature}` });
    expect([both.status, both.body.kind]).toEqual([200, "access_token"]);
    expect((await me({ authorization: `Bearer ${half}` })).status).toBe(401);
    expect((await me({ cookie: `sid-access=${signature}` })).status).toBe(401);
    expect((await me({ authorization: `Bearer ${half}`, cookie: "sid-access=.AAAA" })).status).toBe(401);
    expect((await me({ authorization: `Bearer ${half}.`, cookie: `sid-access=${signature}` })).status).toBe(401);
  });

  it("rule 36: needs no cross-site check: another site can make a browser send the cookie, but not the other half", async () => {
    await start();
    const { half, signature } = await signedIn();
    const from = { "sec-fetch-site": "cross-site", cookie: `sid-access=${signature}` };
    await request(app.server).post("/write").set(from).expect(401);
    await request(app.server)
      .post("/write")
      .set({ ...from, authorization: `Bearer ${half}` })
      .expect(200);
  });

  it("completes no bearer that is whole: a signature left behind breaks nothing", async () => {
    await start();
    const { signature } = await signedIn();
    const { access_token: whole } = (await signIn("bearer", {}).expect(200)).body as { access_token: string };
    expect((await me({ authorization: `Bearer ${whole}`, cookie: `sid-access=${signature}` })).status).toBe(200);
    const { token } = (await signIn("token", {}).expect(200)).body as { token: string };
    expect((await me({ authorization: `Bearer ${token}`, cookie: `sid-access=${signature}` })).status).toBe(200);
  });

  it("refreshes by the cookie, into halves again, and never into a body", async () => {
    await start();
    const { refresh, half } = await signedIn();
    app.clock.advance(1000);
    const next = await request(app.server).post("/auth/refresh").set(BROWSER).set("cookie", `sid-refresh=${refresh}`).expect(200);
    const { access_token: nextHalf } = next.body as { access_token: string };
    expect(nextHalf.split(".")).toHaveLength(2);
    expect(nextHalf).not.toBe(half);
    expect((await me({ authorization: `Bearer ${nextHalf}`, cookie: `sid-access=${cookieOf(next, "sid-access")}` })).status).toBe(200);
    const body = await request(app.server)
      .post("/auth/refresh")
      .send({ refresh_token: cookieOf(next, "sid-refresh") });
    expect([body.status, body.body.code]).toEqual([401, "session_not_found"]);
  });

  it("ends with signing out, which any of its credentials does", async () => {
    await start();
    const { half, signature, refresh } = await signedIn();
    const out = await request(app.server)
      .post("/auth/sign-out")
      .set({ ...BROWSER, authorization: `Bearer ${half}`, cookie: `sid-access=${signature}; sid-refresh=${refresh}` })
      .expect(200);
    expect(setCookies(out).filter((cookie) => cookie.includes("Max-Age=0"))).toHaveLength(2);
    expect(await app.auth.sessions.count()).toBe(0);
  });
});

describe("tokens without sessions", () => {
  const stateless = { tokens: { ...TOKENS, stateless: true } };

  it.each(["bearer", "cookie", "split"])("sign in by %s with an access token alone: no session, nothing to refresh", async (transport) => {
    await start(stateless);
    const response = await signIn(transport, {}).expect(200);
    expect(response.body).not.toHaveProperty("refresh_token");
    expect(cookieOf(response, "sid-refresh")).toBeUndefined();
    expect(await app.auth.sessions.count()).toBe(0);
    const access = cookieOf(response, "sid-access");
    const { access_token: bearer } = response.body as { access_token?: string };
    const headers = { ...(bearer ? { authorization: `Bearer ${bearer}` } : {}), ...(access ? { cookie: `sid-access=${access}` } : {}) };
    const me = await request(app.server).get("/me").set(headers).expect(200);
    expect(me.body.kind).toBe("access_token");
    // Who asks for what only a session can prove is told that there is none.
    expect((await request(app.server).get("/live").set(headers)).body.code).toBe("session_not_found");
    app.clock.advance(906);
    await request(app.server).get("/me").set(headers).expect(401);
  });

  it("serve no refresh, and describe none", async () => {
    await start(stateless);
    await request(app.server).post("/auth/refresh").send({}).expect(404);
    const { body } = await request(app.server).get("/auth/openapi.json");
    expect(Object.keys(body.paths)).not.toContain("/auth/refresh");
    expect(app.auth.refreshTokens).toBeNull();
  });

  it("leave sessions to those who ask for one", async () => {
    await start(stateless);
    const response = await signIn("session").expect(200);
    expect(cookieOf(response, "sid")).toBeDefined();
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("rule 9: are not issued under an epoch that moved on, or to who is disabled", async () => {
    await start(stateless);
    const user = await app.auth.users.findByEmail("ada@example.com");
    const { epoch } = await app.auth.principals.standing(user!.id);
    await app.auth.sessions.revokeAll(user!.id);
    await expect(app.auth.statelessSessions!.create({ userId: user!.id, epoch })).rejects.toMatchObject({ code: "session_revoked" });
    await app.auth.users.disable(user!.id);
    await expect(app.auth.statelessSessions!.create({ userId: user!.id })).rejects.toMatchObject({ code: "user_disabled" });
    expect((await signIn("bearer", {})).status).toBe(401);
  });

  it.each(["/auth/sign-out", "/auth/sign-out/provider"])(
    "rule 44: clear what a browser has at %s, and say how long the token that nothing can end holds on",
    async (path) => {
      await start(stateless);
      const response = await signIn("cookie").expect(200);
      const cookie = `sid-access=${cookieOf(response, "sid-access")}`;
      app.clock.advance(60);
      const out = await request(app.server)
        .post(path)
        .set({ ...BROWSER, cookie })
        .expect(200);
      expect(setCookies(out).some((set) => set.startsWith("sid-access=;"))).toBe(true);
      expect(out.body).toMatchObject({
        success: true,
        message: "There was no session to end: the access token holds until it expires.",
        expires_at: new Date(app.clock.now() + 840_000).toISOString(),
      });
      app.clock.advance(835);
      await request(app.server).get("/me").set({ cookie }).expect(200);
      app.clock.advance(11);
      await request(app.server).get("/me").set({ cookie }).expect(401);
    },
  );

  it("rule 44: say the same to a client that holds it itself, and nothing of it where a session ended", async () => {
    await start(stateless);
    const { access_token: token } = (await signIn("bearer", {}).expect(200)).body as { access_token: string };
    const out = await request(app.server).post("/auth/sign-out").set("authorization", `Bearer ${token}`).expect(200);
    expect(out.body.expires_at).toBe(new Date(app.clock.now() + 900_000).toISOString());
    await app.close();
    await start();
    const { access_token: backed } = (await signIn("bearer", {}).expect(200)).body as { access_token: string };
    const ended = await request(app.server).post("/auth/sign-out").set("authorization", `Bearer ${backed}`).expect(200);
    expect(ended.body).toEqual({ success: true, message: "Signed out." });
  });
});

describe("a browser's cookies, whatever it does in which order", () => {
  const actions = fc.oneof(
    fc.record({ path: fc.constant("/auth/sign-in"), transport: fc.constantFrom("session", "cookie", "split", "bearer", "token") }),
    fc.record({
      path: fc.constantFrom(
        "/auth/refresh",
        "/auth/sign-out",
        "/auth/guest",
        "/auth/tenant",
        "/auth/reauthenticate",
        "/auth/password/change",
        "/auth/magic/send",
        "/auth/magic/verify",
        "DELETE /auth/sessions",
        "DELETE own",
        "GET /auth/me",
      ),
      transport: fc.constant("session"),
    }),
    fc.record({ path: fc.constantFrom("spoil", "age"), transport: fc.constant("session") }),
  );
  const BODIES: Record<string, object> = {
    "/auth/tenant": { tenant_id: null },
    "/auth/reauthenticate": { method: "password", password: PASSWORD },
    "/auth/password/change": { password: PASSWORD, current_password: PASSWORD },
    "/auth/magic/send": { email: "ada@example.com" },
    "/auth/magic/verify": { code: "00000000" },
  };

  it.each([
    ["plain http on loopback", {}],
    ["https", { baseUrl: "https://app.example.com" }],
    ["subdomains", { baseUrl: "https://app.example.com", cookie: { domain: "example.com" } }],
    ["SameSite=None", { baseUrl: "https://app.example.com", cookie: { sameSite: "none" as const } }],
  ])(
    "are never set twice in one answer, and cleared with the attributes they were set with: %s",
    async (_, options) => {
      // A second secret, so that cookies are also sent again under the first.
      const secret = ["the secret before this one, long enough", "another secret that is long enough too"];
      await start({ ...options, secret, allowTokensInBrowsers: true });
      await fc.assert(
        fc.asyncProperty(fc.array(actions, { minLength: 2, maxLength: 8 }), async (steps) => {
          const jar = new Map<string, string>();
          const attributes = new Map<string, string>();
          let bearer: string | null = null;
          for (const { path, transport } of steps) {
            if (path === "age") app.clock.advance(400);
            if (path === "spoil") for (const name of [...jar.keys()].slice(0, 1)) jar.set(name, `${jar.get(name)?.slice(0, -4)}AAAA`);
            if (path === "age" || path === "spoil") continue;
            const cookie = [...jar].map((pair) => pair.join("=")).join("; ");
            const [method = "", target = ""] = path.includes(" ") ? path.split(" ") : ["POST", path];
            const own = target === "own" ? `/auth/sessions/${"A".repeat(43)}` : target;
            const call = request(app.server)[method.toLowerCase() as "get" | "post" | "delete"](own);
            void call.set({ ...BROWSER, ...(cookie ? { cookie } : {}), ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) });
            const body = path === "/auth/sign-in" ? { email: "ada@example.com", password: PASSWORD, transport } : (BODIES[path] ?? {});
            const response = method === "GET" ? await call : await call.send(body);
            expect(response.status).toBeLessThan(500);
            const cookies = setCookies(response);
            const names = cookies.map((header) => header.split("=")[0] ?? "");
            expect(new Set(names).size, `${path}: ${cookies.join("\n")}`).toBe(names.length);
            for (const header of cookies) {
              const [pair = "", ...rest] = header.split("; ");
              const [name = "", value = ""] = pair.split(/=(.*)/s);
              const fixed = rest.filter((each) => !/^(?:Max-Age|Expires)=/.test(each)).join("; ");
              expect(fixed, name).toBe(attributes.get(name) ?? fixed);
              attributes.set(name, fixed);
              if (value === "") expect(rest).toContain("Max-Age=0");
              if (value === "") jar.delete(name);
              else jar.set(name, value);
            }
            if (path === "/auth/sign-in" && response.status === 200)
              bearer =
                (response.body as { access_token?: string; token?: string }).access_token ??
                (response.body as { token?: string }).token ??
                null;
            if (path === "/auth/sign-out") bearer = null;
            // Whoever signed in has the credentials of one transport.
            if (path === "/auth/sign-in" && response.status === 200) {
              const held = [...jar.keys()]
                .map((name) => name.replace(/^__\w+-/, ""))
                .filter((name) => /^sid(?:-access|-refresh)?$/.test(name));
              const expected = new Map([
                ["session", ["sid"]],
                ["cookie", ["sid-access", "sid-refresh"]],
                ["split", ["sid-access", "sid-refresh"]],
              ]).get(transport);
              expect(held.toSorted()).toEqual(expected ?? []);
            }
          }
        }),
        { numRuns: 12, seed: 20, interruptAfterTimeLimit: 20_000 },
      );
    },
    40_000,
  );
});
