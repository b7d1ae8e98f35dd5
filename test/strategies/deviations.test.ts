import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { OAuthClientOptions } from "../../lib/oauth/client.ts";
import { facebook } from "../../strategies/facebook.ts";
import { google } from "../../strategies/google.ts";
import { kakao } from "../../strategies/kakao.ts";
import { line } from "../../strategies/line.ts";
import { linkedin } from "../../strategies/linkedin.ts";
import { CLIENT, fakeProvider } from "../support/fake-provider.ts";
import { beginWith, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";
import { oauth2Cases } from "./cases/oauth2.ts";
import { openidCases } from "./cases/openid.ts";

const own = { clientId: CLIENT.id, clientSecret: CLIENT.secret };

/** A fake of a documented provider, whose answers at `path` go through `change`. */
async function fakeOf(name: string, change: (reply: Record<string, unknown>) => unknown = (reply) => reply, path = "", status = 200) {
  const documented = { ...openidCases, ...oauth2Cases }[name];
  if (!documented) throw new Error(`no case for ${name}`);
  const fake = await fakeProvider(documented);
  const asked: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    asked.push(url);
    const response = await fake.fetch(url, init);
    if (path === "" || !url.includes(path)) return response;
    return Response.json(change((await response.json()) as Record<string, unknown>), { status });
  };
  const run = async (make: (options: OAuthClientOptions) => ReturnType<typeof line>, options: Partial<OAuthClientOptions> = {}) => {
    const strategy = make({ ...own, fetch, ...options });
    const { url, session } = await beginWith(strategy);
    return completeWith(strategy, session, fake.authorize(url));
  };
  return { asked, run };
}

/** A JWT's signature, made anew. */
function signedBy(secret: string, token: unknown, header: object = { alg: "HS256" }): string {
  const [, claims = ""] = String(token).split(".");
  const signed = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${claims}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

describe("an address at Kakao", () => {
  it.each([
    [true, true, true],
    [true, false, false],
    [false, true, false],
    [true, undefined, false],
    [undefined, true, false],
    ["true", true, false],
    [true, "true", false],
  ])("rule 26: with is_email_valid %j and is_email_verified %j is verified: %j", async (is_email_valid, is_email_verified, verified) => {
    const account = { email: "ada@example.com", is_email_valid, is_email_verified };
    const { run } = await fakeOf("kakao", (reply) => ({ ...reply, kakao_account: account }), "/v2/user/me");

    expect(identityOf(await run(kakao))).toMatchObject({ email: "ada@example.com", emailVerified: verified });
  });
});

describe("an ID token that LINE signs by the channel secret", () => {
  it.each([
    ["another secret", (token: unknown) => signedBy("another secret", token)],
    ["no algorithm", (token: unknown) => signedBy(CLIENT.secret, token, { alg: "none" }).replace(/[^.]*$/, "")],
    ["another algorithm", (token: unknown) => signedBy(CLIENT.secret, token, { alg: "HS384" })],
  ])("rule 29: is refused when it comes under %s", async (_what, forge) => {
    const { run } = await fakeOf("line", (reply) => ({ ...reply, id_token: forge(reply["id_token"]) }), "/token");

    expect(errorOf(await run(line))).toMatchObject({ code: "invalid_provider_response" });
  });

  it.each([null, undefined, ""])("rule 29: needs the secret that signs LINE's ID tokens: %o is none", (clientSecret) => {
    expect(() => line({ clientId: "channel", clientSecret })).toThrow("line.clientSecret");
  });

  it("rule 29: is nothing that another provider's would be taken for", async () => {
    const { run } = await fakeOf("slack", (reply) => ({ ...reply, id_token: signedBy(CLIENT.secret, reply["id_token"]) }), "token");
    const slack = openidCases["slack"]?.make ?? line;

    expect(errorOf(await run(slack))).toMatchObject({ code: "invalid_provider_response" });
  });
});

describe("Facebook", () => {
  it("has its errors, which are objects, told as ours", async () => {
    const refusal = { message: "This authorization code has been used.", type: "OAuthException", code: 100, fbtrace_id: "A1" };
    const { run } = await fakeOf("facebook", () => ({ error: refusal }), "/oauth/access_token", 400);

    const error = errorOf(await run(facebook));

    expect(error).toMatchObject({ code: "provider_error", status: 502 });
    expect(error.message).not.toContain("has been used");
    expect(String(error.cause)).toContain("OAuthException");
  });

  it("gets no proof from an application without a secret", async () => {
    const { asked, run } = await fakeOf("facebook");
    await run(facebook, { clientSecret: null }).catch(() => null);

    expect(asked.filter((url) => url.includes("appsecret_proof"))).toEqual([]);
  });
});

describe("the options of every provider", () => {
  const begun = async (options: Partial<OAuthClientOptions>) =>
    new URL((await beginWith(linkedin({ ...own, ...options }))).url).searchParams;

  it("say whom to ask for, and how", async () => {
    const parameters = await begun({ prompt: "select_account", loginHint: "ada@example.com" });

    expect([parameters.get("prompt"), parameters.get("login_hint")]).toEqual(["select_account", "ada@example.com"]);
  });

  it("give way to nothing when they are left out", async () => {
    const parameters = await begun({ prompt: undefined, loginHint: undefined, profile: undefined, clientAuthentication: undefined });

    expect([parameters.has("prompt"), parameters.has("login_hint")]).toEqual([false, false]);
  });

  it.each([
    [{ prompt: "" }, "linkedin.prompt: give a text"],
    [{ prompt: "login", authorizationParameters: { prompt: "none" } }, 'leave "prompt" out: prompt says it'],
    [{ loginHint: "a", authorizationParameters: { login_hint: "b" } }, 'leave "login_hint" out: loginHint says it'],
    [{ profile: "name" as never }, "linkedin.profile: give a function"],
    [{ authorizationParameters: { code_challenge: "x" } }, 'leave "code_challenge" out'],
  ])("are checked at start: %j", (options, message) => {
    expect(() => linkedin({ ...own, ...options })).toThrow(message);
  });

  it("let a profile vouch for an address of its own, and for nothing else's", async () => {
    const { run } = await fakeOf("linkedin");
    const other = "other@example.com";

    const read = async (profile: OAuthClientOptions["profile"]) => identityOf(await run(linkedin, { profile }));

    expect(await read(() => ({ email: other }))).toMatchObject({ email: other, emailVerified: false });
    expect(await read(() => ({ email: other, emailVerified: true }))).toMatchObject({ email: other, emailVerified: true });
    expect(await read(({ email }) => ({ email }))).toMatchObject({ email: "ada@example.com", emailVerified: true });
    expect(await read((_, said) => ({ name: String(said["given_name"]) }))).toMatchObject({ name: "Ada", emailVerified: true });
  });

  it("rule 25: sign nobody in when a profile is left without a subject, or throws", async () => {
    const { run } = await fakeOf("linkedin");

    expect(errorOf(await run(linkedin, { profile: () => ({ subject: "" }) }))).toMatchObject({ code: "invalid_provider_response" });
    const thrown = errorOf(await run(linkedin, { profile: () => Promise.reject(new Error("a secret of the application")) }));
    expect(thrown).toMatchObject({ code: "provider_error" });
    expect(thrown.message).not.toContain("secret");
  });

  it("send parameters of the application before those of the provider", async () => {
    const { url } = await beginWith((oauth2Cases["atlassian"]?.make ?? google)({ ...own, authorizationParameters: { prompt: "none" } }));

    expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({ audience: "api.atlassian.com", prompt: "none" });
  });
});
