import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import type { TokensOptions } from "../../lib/core/token-options.ts";
import { ConfigError, PermissionError } from "../../lib/errors.ts";
import { requireAuth } from "../../lib/index.ts";
import { resolveOptions } from "../../lib/options.ts";
import { signInAs } from "../../lib/testing/index.ts";
import { startApp } from "../support/app.ts";

const AUDIENCE = "https://api.example.com";
const PASSWORD = "seven purple lighthouses";
const ADA = { email: "ada@example.com", password: PASSWORD };

let app: Awaited<ReturnType<typeof startApp>>;
let failures: string[];
afterEach(() => app.close());

async function start(tokens: Partial<TokensOptions>) {
  failures = [];
  app = await startApp({
    tokens: { audience: AUDIENCE, ...tokens },
    passwords: { requireConfirmedEmail: false },
    routes: (server) =>
      server.get("/claims", requireAuth(), (req, res) => void res.json(req.auth.kind === "access_token" ? req.auth.claims : null)),
  });
  app.auth.events.on("request.failed", ({ details }) => failures.push(details.message));
}

const post = (path: string, body: object, headers: Record<string, string> = {}) => request(app.server).post(path).set(headers).send(body);
const signUp = (transport = "bearer") => post("/auth/sign-up", { ...ADA, transport });
const signIn = (transport = "bearer") => post("/auth/sign-in", { ...ADA, transport });
const refresh = (token: string) => post("/auth/refresh", { refresh_token: token });
const claimsIn = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
const cookieIn = (response: request.Response, name: string) =>
  [response.headers["set-cookie"] ?? []]
    .flat()
    .map((set) => new RegExp(`^${name}=([^;]+)`).exec(set)?.[1])
    .find(Boolean) ?? "";

describe("claims of the application's own", () => {
  it("are in the tokens of sign-up, sign-in and each refresh, as the session and the application are then", async () => {
    let plan = "free";
    await start({ claims: async ({ userId, methods }) => ({ plan, mail: (await app.auth.users.findById(userId))?.email, by: methods }) });
    const { body } = await signUp().expect(200);
    expect(claimsIn(body.access_token)).toMatchObject({
      plan: "free",
      mail: ADA.email,
      by: ["password"],
      sub: body.user.id,
      aud: AUDIENCE,
    });

    plan = "paid";
    const refreshed = await refresh(body.refresh_token).expect(200);
    expect(claimsIn(refreshed.body.access_token)).toMatchObject({ plan: "paid", sid: claimsIn(body.access_token)["sid"] });
    const { body: again } = await signIn().expect(200);
    expect(claimsIn(again.access_token)).toMatchObject({ plan: "paid" });
    const seen = await request(app.server).get("/claims").set("authorization", `Bearer ${again.access_token}`).expect(200);
    expect(seen.body).toMatchObject({ plan: "paid", sub: body.user.id });
  });

  it("are in those of every transport, of a step-up, of a change of the password, and of who is signed in by a test", async () => {
    await start({ claims: () => ({ plan: "free" }) });
    await signUp().expect(200);
    const cookies = await signIn("cookie").expect(200);
    expect(claimsIn(cookieIn(cookies, "sid-access"))).toMatchObject({ plan: "free" });
    expect(claimsIn((await signIn("split").expect(200)).body.access_token)).toMatchObject({ plan: "free" });

    const { body } = await signIn().expect(200);
    const authorization = `Bearer ${body.access_token}`;
    const proven = await post("/auth/reauthenticate", { method: "password", password: PASSWORD }, { authorization }).expect(200);
    expect(claimsIn(proven.body.access_token)).toMatchObject({ plan: "free" });
    const change = { current_password: PASSWORD, password: "eleven orange windmills" };
    const changed = await post("/auth/password/change", change, { authorization: `Bearer ${proven.body.access_token}` }).expect(200);
    expect(claimsIn(changed.body.access_token)).toMatchObject({ plan: "free" });

    const { headers } = await signInAs(app.auth, body.user.id, { transport: "bearer" });
    expect(claimsIn(String(headers["authorization"]).replace("Bearer ", ""))).toMatchObject({ plan: "free" });
  });

  it("are in those of no session, too", async () => {
    await start({ stateless: true, claims: ({ id }) => ({ plan: "free", of: id }) });
    const { body } = await signUp().expect(200);
    const claims = claimsIn(body.access_token);
    expect(claims).toMatchObject({ plan: "free", of: claims["sid"] });
  });

  it("are not asked for without an access token, for a guest, or for another audience; and give way to those given in code", async () => {
    let asked = 0;
    await start({ claims: () => ({ asked: (asked += 1) }) });
    await post("/auth/guest", {}).expect(200);
    await signUp("session").expect(200);
    expect(asked).toBe(0);

    const user = await app.auth.users.findByEmail(ADA.email);
    const { session } = await app.auth.sessions.create({ userId: user?.id ?? "", transport: "bearer" });
    const issue = async (options?: object) => claimsIn((await app.auth.accessTokens?.issue(session, options))?.token ?? "");
    expect(await issue({ audience: "https://partner.example" })).not.toHaveProperty("asked");
    const given = await issue({ claims: { mine: true } });
    expect([given["mine"], given["asked"], asked]).toEqual([true, undefined, 0]);
    expect((await issue())["asked"]).toBe(1);
    const { session: guest } = await app.auth.sessions.createGuest({});
    await expect(app.auth.accessTokens?.issue(guest)).rejects.toThrow(ConfigError);
    expect(asked).toBe(1);
  });

  it.each([
    ["one of ours", { sub: "somebody else" }, "tokens.claims.sub: is set by us"],
    ["one of ours among others", { plan: "free", roles: ["admin"] }, "tokens.claims.roles: is set by us"],
    ["a longer life", { exp: 4_000_000_000 }, "tokens.claims.exp: is set by us"],
    ["more than a token holds", { text: "x".repeat(8000) }, "accessTokens.issue: the token is too long"],
    ["a list", ["plan"], "tokens.claims: give claims by name"],
    ["nothing", undefined, "tokens.claims: give claims by name"],
  ])("rule 29: that replace ours, are none or too many refuse with 500, and leave no session: %s", async (_, claims, message) => {
    await start({ claims: () => claims as Record<string, unknown> });
    const refused = await signUp();
    expect([refused.status, refused.body.code, refused.body.detail]).toEqual([500, "config_error", "Internal server error"]);
    expect([refused.headers["set-cookie"], refused.body.access_token]).toEqual([undefined, undefined]);
    expect(failures).toEqual([expect.stringContaining(message)]);
    const user = await app.auth.users.findByEmail(ADA.email);
    expect(await app.auth.sessions.list(user?.id ?? "")).toEqual([]);
  });

  it("may refuse: a sign-in leaves no session, and a refresh may be tried again", async () => {
    let refusing = false;
    await start({
      claims: () => {
        if (refusing) throw new PermissionError("plan_expired", "Your plan is over");
        return {};
      },
    });
    const { body } = await signUp().expect(200);
    refusing = true;
    for (const refused of [await signIn(), await refresh(body.refresh_token)])
      expect([refused.status, refused.body.code]).toEqual([403, "plan_expired"]);
    expect(await app.auth.sessions.list(body.user.id)).toHaveLength(1);

    refusing = false;
    await refresh(body.refresh_token).expect(200);
  });

  it("are a function, or the start is refused", async () => {
    await start({});
    expect(() => resolveOptions({ tokens: { audience: AUDIENCE, claims: { plan: "free" } as never } }, undefined)).toThrow(
      "tokens.claims: give a function of the session",
    );
  });
});
