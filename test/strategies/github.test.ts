import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { github, type GitHubOptions } from "../../strategies/github.ts";
import { startFakeGitHub, TOKEN_PATH, type FakeGitHub } from "../support/fake-github.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

let hub: FakeGitHub;
beforeEach(async () => {
  hub = await startFakeGitHub();
});
afterEach(() => hub.close());

const strategy = (options: Partial<GitHubOptions> = {}) =>
  github({ clientId: "gh-client", clientSecret: "gh-secret", baseUrl: hub.baseUrl, ...options });

/** Goes to GitHub, agrees, and comes back. */
async function signIn(client = strategy(), options = {}) {
  const { url, session } = await beginWith(client);
  return completeWith(client, session, hub.authorize(url), options);
}

describe("signing in with GitHub", () => {
  it("asks for the user and its addresses, with state and PKCE", async () => {
    const { url } = await beginWith(strategy());

    const { searchParams } = new URL(url);
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: "gh-client",
      redirect_uri: CALLBACK,
      response_type: "code",
      scope: "read:user user:email",
      state: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
    });
  });

  it("ends in the identity, by its number, with the private primary address that GitHub verified", async () => {
    expect(identityOf(await signIn())).toEqual({
      provider: "github",
      issuer: hub.baseUrl,
      subject: "583231",
      email: "octocat@example.com",
      emailVerified: true,
      name: "Mona Lisa",
      image: "https://avatars.example.com/u/583231",
      tokens: {
        accessToken: expect.stringMatching(/^gho_/),
        refreshToken: null,
        idToken: null,
        accessTokenExpiresAt: null,
        refreshTokenExpiresAt: null,
        scope: "read:user user:email",
      },
      providerSessionId: null,
      authenticatedAt: null,
    });
  });

  it("goes to github.com and its API unless told otherwise", async () => {
    const client = strategy({ baseUrl: undefined, fetch: hub.fetch });
    const { url, session } = await beginWith(client);
    expect(url.startsWith("https://github.com/login/oauth/authorize?")).toBe(true);

    const identity = identityOf(await completeWith(client, session, hub.authorize(url)));

    expect(identity).toMatchObject({ issuer: "https://github.com", subject: "583231", email: "octocat@example.com" });
    expect(hub.requests).toEqual([`POST ${TOKEN_PATH}`, "GET /api/v3/user", "GET /api/v3/user/emails"]);
  });

  it("names somebody without a name by the login", async () => {
    hub.user.name = null;

    expect(identityOf(await signIn()).name).toBe("octocat");
  });

  it.each([
    ["is not verified", [{ email: "octocat@example.com", primary: true, verified: false, visibility: null }]],
    ["says verified in another way than true", [{ email: "octocat@example.com", primary: true, verified: "true", visibility: null }]],
    ["is not primary", [{ email: "octocat@example.com", primary: false, verified: true, visibility: null }]],
    ["is no text", [{ email: { evil: true }, primary: true, verified: true, visibility: null }]],
    ["is not there", []],
  ])("rule 26: takes nothing from an address that %s, not even when it is public", async (_what, emails) => {
    hub.user.email = "public@example.com";
    hub.user.emails = emails;

    expect(identityOf(await signIn())).toMatchObject({ subject: "583231", email: null, emailVerified: false });
  });

  it.each([[null], [""], [undefined], [{}], ["x".repeat(256)], [1.5]])("rule 25: refuses a user whose id is %j", async (id) => {
    hub.user.id = id;

    expect(errorOf(await signIn())).toMatchObject({ code: "invalid_provider_response", status: 502 });
  });

  it("rule 28: reports the errors that come under status 200 in our words", async () => {
    const client = strategy({ clientSecret: "wrong" });

    const error = errorOf(await signIn(client));

    expect(error).toMatchObject({ code: "provider_error", status: 502, message: "The provider refused" });
    expect(String((error.cause as Error).message)).toContain("incorrect_client_credentials");
  });

  it("rule 3: takes a code once: GitHub's bad_verification_code is an invalid_grant", async () => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const callback = hub.authorize(url);
    const again = structuredClone(session);
    identityOf(await completeWith(client, session, callback));

    expect(errorOf(await completeWith(client, session, callback))).toMatchObject({ code: "transaction_not_found" });
    expect(errorOf(await completeWith(client, again, callback))).toMatchObject({ code: "invalid_grant", status: 502 });
  });

  it("rule 28: says that the person declined, as GitHub tells it", async () => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const state = new URL(url).searchParams.get("state") ?? "";
    const declined = new URLSearchParams({
      error: "access_denied",
      error_description: "The user has denied your application access.",
      state,
    });

    expect(errorOf(await completeWith(client, session, `${CALLBACK}?${declined}`))).toMatchObject({ code: "access_denied", status: 401 });
  });

  it.each([
    [TOKEN_PATH, "HTML", { type: "text/html", body: "<!DOCTYPE html><title>Unicorn!</title>" }],
    [TOKEN_PATH, "nothing", { body: "" }],
    [TOKEN_PATH, "a list", { body: "[]" }],
    [TOKEN_PATH, "no token", { body: '{"token_type":"bearer"}' }],
    [TOKEN_PATH, "a token that is no text", { body: '{"access_token":{"$ne":1},"token_type":"bearer"}' }],
    [TOKEN_PATH, "2 MB", { body: JSON.stringify({ access_token: "x".repeat(2 * 1024 * 1024) }) }],
    ["/api/v3/user", "HTML", { type: "text/html", body: "<!DOCTYPE html><title>Unicorn!</title>" }],
    ["/api/v3/user", "2 MB", { body: `"${"x".repeat(2 * 1024 * 1024)}"` }],
    ["/api/v3/user", "null", { body: "null" }],
    ["/api/v3/user", "a limit", { status: 403, body: '{"message":"API rate limit exceeded"}' }],
    ["/api/v3/user/emails", "an error", { status: 500, body: '{"message":"Server Error"}' }],
    ["/api/v3/user/emails", "an object", { body: '{"message":"Not Found"}' }],
  ])("refuses an answer of %s that is %s", async (path, _what, answer) => {
    hub.answerOnce(path, answer);

    const error = errorOf(await signIn());

    expect(error.status).toBe(502);
    expect(["invalid_provider_response", "provider_error", "provider_unavailable"]).toContain(error.code);
  });

  it.each([TOKEN_PATH, "/api/v3/user", "/api/v3/user/emails"])("gives up in time when %s stays silent", async (path) => {
    hub.answerOnce(path, { body: "", silent: true });
    const before = performance.now();

    const error = errorOf(await signIn(strategy(), { timeout: 0.1 }));

    expect(error).toMatchObject({ code: "provider_unavailable", status: 502 });
    expect(performance.now() - before).toBeLessThan(1500);
  });

  it("says when GitHub cannot be reached", async () => {
    const { url, session } = await beginWith(strategy());
    const callback = hub.authorize(url);
    await hub.close();

    expect(errorOf(await completeWith(strategy(), session, callback))).toMatchObject({ code: "provider_unavailable", status: 502 });
  });

  it("says that it cannot vouch for a new authentication", async () => {
    await expect(beginWith(strategy(), {}, { reauthenticate: true })).rejects.toThrow(/reauthentication_unsupported/);
  });

  it("refreshes the tokens of a GitHub App, and knows when that is over", async () => {
    const tokens = { ...identityOf(await signIn()).tokens!, refreshToken: "ghr_good" };

    const next = await strategy().refresh(tokens);

    expect(next).toMatchObject({ accessToken: expect.stringMatching(/^gho_/), refreshToken: "ghr_good", scope: "read:user user:email" });
    expect(next.accessToken).not.toBe(tokens.accessToken);
    await expect(strategy().refresh({ ...tokens, refreshToken: "ghr_old" })).rejects.toMatchObject({ code: "invalid_grant" });
  });
});

describe("the options of github()", () => {
  it.each([
    [{ clientId: undefined }, /github\.clientId: is missing/],
    [{ clientSecret: undefined }, /github\.clientSecret: is missing/],
    [{ clientSecret: "" }, /github\.clientSecret: is missing/],
    [{ baseUrl: "github.example.com" }, /github\.baseUrl: give the whole URL/],
    [{ baseUrl: "http://github.example.com" }, /not https/],
    [{ scopes: ["user"] }, /scope/],
    [{ authorizationParameters: { state: "fixed" } }, /leave "state" out/],
    [{ name: "../x" }, /github\.name/],
    [{ callbackUrl: "/callback" }, /callbackUrl: give the whole URL/],
  ])("are checked at once: %j", (options, message) => {
    expect(() => strategy(options as Partial<GitHubOptions>)).toThrow(message);
  });
});
