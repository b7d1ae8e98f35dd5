import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Fetch } from "../../lib/oauth/http.ts";
import { oauth2, type OAuth2Provider } from "../../strategies/oauth2.ts";
import { startFakeGitHub, TOKEN_PATH, type FakeGitHub } from "../support/fake-github.ts";
import { beginWith, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

interface User {
  readonly id: string | number;
  readonly login: string;
  readonly name: string | null;
  readonly email: string | null;
}

let server: FakeGitHub;
beforeEach(async () => {
  server = await startFakeGitHub();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
});

function strategy(changes: Partial<OAuth2Provider<User>> = {}, options: Partial<Parameters<typeof oauth2>[1]> = {}) {
  const provider: OAuth2Provider<User> = {
    name: "gitea",
    authorizationEndpoint: `${server.baseUrl}/login/oauth/authorize`,
    tokenEndpoint: `${server.baseUrl}${TOKEN_PATH}`,
    userinfoEndpoint: `${server.baseUrl}/api/v3/user`,
    scope: ["read:user"],
    grantEnded: [{ error: "bad_refresh_token" }, { error: "bad_verification_code" }],
    profile: ({ id, login, email }) => ({ subject: id, name: login, email, emailVerified: false }),
    ...changes,
  };
  return oauth2(provider, { clientId: "gh-client", clientSecret: "gh-secret", ...options });
}

async function signIn(client = strategy(), options = {}) {
  const { url, session } = await beginWith(client);
  return completeWith(client, session, server.authorize(url), options);
}

describe("a provider given as data", () => {
  it("signs in by its userinfo, under its own name and origin", async () => {
    server.user.email = "octocat@example.com";

    expect(identityOf(await signIn())).toMatchObject({
      provider: "gitea",
      issuer: server.baseUrl,
      subject: "583231",
      name: "octocat",
      email: "octocat@example.com",
      emailVerified: false,
      tokens: { accessToken: expect.stringMatching(/^gho_/), scope: "read:user user:email" },
    });
  });

  it("keeps accounts under another name or issuer when told so", async () => {
    const identity = identityOf(await signIn(strategy({ issuer: "https://git.example.com" }, { name: "git", scope: ["a", "b"] })));

    expect(identity).toMatchObject({ provider: "git", issuer: "https://git.example.com" });
  });

  it("may answer its token request as a form, and without token_type or expiry", async () => {
    const asForm: Fetch = (url, init) => {
      const headers = new Headers(init.headers);
      if (url.endsWith(TOKEN_PATH)) headers.delete("accept");
      return fetch(url, { ...init, headers });
    };

    expect(identityOf(await signIn(strategy({}, { fetch: asForm }))).tokens).toMatchObject({ scope: "read:user user:email" });
  });

  it("shows the secret by HTTP Basic when told so, and in the body otherwise", async () => {
    const seen: string[] = [];
    const spy: Fetch = (url, init) => {
      if (url.endsWith(TOKEN_PATH)) seen.push(`${new Headers(init.headers).get("authorization") ?? ""} ${init.body as string}`);
      return fetch(url, init);
    };
    await signIn(strategy({}, { fetch: spy }));
    await signIn(strategy({ clientAuthentication: "basic" }, { fetch: spy }));
    await signIn(strategy({}, { fetch: spy, clientSecret: null }));

    expect(seen[0]).toMatch(/^ .*client_secret=gh-secret/);
    expect(seen[1]).toMatch(/^Basic /);
    // Form-encoded first: RFC 6749, section 2.3.1.
    expect(decodeURIComponent(Buffer.from(seen[1]?.split(" ")[1] ?? "", "base64").toString())).toBe("gh-client:gh-secret");
    expect(seen[1]).not.toContain("gh-secret");
    expect(seen[2]).not.toContain("secret");
    expect(seen.every((request) => /code_verifier=[\w-]{43}/.test(request))).toBe(true);
  });

  it("has its access token in the Authorization header alone", async () => {
    const urls: string[] = [];
    const spy: Fetch = (url, init) => {
      urls.push(url);
      return fetch(url, init);
    };
    await signIn(strategy({}, { fetch: spy }));

    expect(urls.at(-1)).toBe(`${server.baseUrl}/api/v3/user`);
  });

  it("rule 24: is not mixed up with another: an iss of elsewhere is refused, its own is taken", async () => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const callback = server.authorize(url);
    const withIss = (iss: string) => completeWith(client, structuredClone(session), `${callback}&iss=${encodeURIComponent(iss)}`);

    for (const iss of ["https://evil.example", "", "no url", `${server.baseUrl}.evil.example`]) {
      expect(errorOf(await withIss(iss))).toMatchObject({ code: "invalid_provider_response" });
    }
    expect(server.requests).toEqual([]);
    expect(identityOf(await withIss(`${server.baseUrl}/`)).subject).toBe("583231");
  });

  it("rule 23: gets no token for a code that was begun with another verifier or elsewhere", async () => {
    const client = strategy();
    const mine = await beginWith(client);
    const theirs = await beginWith(client);
    const code = new URL(server.authorize(theirs.url)).searchParams.get("code") ?? "";
    const injected = new URL(server.authorize(mine.url));
    injected.searchParams.set("code", code);

    expect(errorOf(await completeWith(client, mine.session, injected.href))).toMatchObject({ code: "invalid_grant" });
  });

  it.each([
    ["state", (url: URL) => url.searchParams.append("state", url.searchParams.get("state") ?? "")],
    ["code", (url: URL) => url.searchParams.append("code", "another")],
  ])("rule 40: refuses a %s that is there twice", async (name, repeat) => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const callback = new URL(server.authorize(url));
    repeat(callback);
    const query = Object.fromEntries([...callback.searchParams.keys()].map((key) => [key, callback.searchParams.getAll(key)]));
    const { runStrategy } = await import("../../lib/core/run-strategy.ts");

    const outcome = await runStrategy(client, { req: { method: "GET", query, headers: {} }, session }, {});

    expect(errorOf(outcome)).toMatchObject({ code: "invalid_provider_response" });
    expect([name, server.requests]).toEqual([name, []]);
  });

  it.each([
    ["throws", () => { throw new TypeError("access_token=s3cret"); }, "provider_error"], // prettier-ignore
    ["rejects", () => Promise.reject(new Error("access_token=s3cret")), "provider_error"],
    ["gives nothing", () => undefined, "provider_error"],
    ["gives no subject", () => ({ email: "octocat@example.com", emailVerified: true }), "invalid_provider_response"],
    ["gives an empty subject", () => ({ subject: "" }), "invalid_provider_response"],
  ])("rule 25: signs nobody in when its profile function %s", async (_what, profile, code) => {
    const error = errorOf(await signIn(strategy({ profile: profile as unknown as OAuth2Provider<User>["profile"] })));

    expect(error).toMatchObject({ code, status: 502 });
    expect(`${error.message} ${String((error.cause as Error | undefined)?.message)}`).not.toContain("s3cret");
  });

  it("rule 28: passes on no text that is not what it should be", async () => {
    const profile = () => ({
      subject: 7,
      name: { toString: "x" },
      image: "javascript:alert(1)",
      email: ["a@example.com"],
      emailVerified: true,
    });
    const identity = identityOf(await signIn(strategy({ profile: profile as unknown as OAuth2Provider<User>["profile"] })));

    expect(identity).toMatchObject({ subject: "7", name: null, image: null, email: null, emailVerified: false });
  });

  it("is given five seconds for each request, and no more", async () => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    const asked = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => timeout(ms / 100));
    server.answerOnce(TOKEN_PATH, { body: "", silent: true });

    const error = errorOf(await signIn());

    expect(error).toMatchObject({ code: "provider_unavailable", status: 502, message: "The provider took too long to answer" });
    expect(Math.min(...asked.mock.calls.flat())).toBe(5000);
  });

  it("gets no redirect followed, so that the secret goes nowhere else", async () => {
    const elsewhere: Fetch = async (url, init) =>
      url.endsWith(TOKEN_PATH) ? Response.redirect("https://evil.example/", 307) : fetch(url, init);

    expect(errorOf(await signIn(strategy({}, { fetch: elsewhere })))).toMatchObject({ code: "invalid_provider_response" });
  });
});

describe("the tokens of such a provider", () => {
  const tokens = {
    accessToken: "gho_before",
    refreshToken: "ghr_good",
    idToken: null,
    accessTokenExpiresAt: 1,
    refreshTokenExpiresAt: 2,
    scope: "read:user",
  };

  it("rule 27: are refreshed, and keep the refresh token that the reply leaves out", async () => {
    const next = await strategy().refresh(tokens);

    expect(next).toMatchObject({ refreshToken: "ghr_good", refreshTokenExpiresAt: 2, accessToken: expect.stringMatching(/^gho_/) });
    expect(next.accessTokenExpiresAt).toBeGreaterThan(Date.now());
  });

  it.each([
    ["bad_refresh_token under status 200", { body: '{"error":"bad_refresh_token"}' }, "invalid_grant"],
    ["invalid_grant", { status: 400, body: '{"error":"invalid_grant"}' }, "invalid_grant"],
    ["an outage", { status: 503, type: "text/html", body: "<h1>Down</h1>" }, "provider_unavailable"],
    ["temporarily_unavailable", { status: 503, body: '{"error":"temporarily_unavailable"}' }, "provider_unavailable"],
    ["HTML under status 200", { type: "text/html", body: "<h1>Sign in</h1>" }, "invalid_provider_response"],
    ["no access token", { body: '{"token_type":"bearer"}' }, "invalid_provider_response"],
  ])("that cannot be had because of %s are told apart", async (_what, answer, code) => {
    server.answerOnce(TOKEN_PATH, answer);

    await expect(strategy().refresh(tokens)).rejects.toMatchObject({ code, status: 502 });
  });

  it("have no session at the provider to end", async () => {
    expect(await strategy().endSessionUrl({ idToken: null })).toBeNull();
  });
});

describe("the data of a provider", () => {
  it.each([
    [{ authorizationEndpoint: "/authorize" }, /gitea\.authorizationEndpoint: give the whole URL/],
    [{ tokenEndpoint: "" }, /gitea\.tokenEndpoint/],
    [{ userinfoEndpoint: undefined }, /gitea\.userinfoEndpoint/],
    [{ profile: undefined }, /gitea\.profile/],
    [{ authorizationEndpoint: "http://git.example.com/authorize" }, /not https/],
    [{ tokenEndpoint: "http://git.example.com/token" }, /not https/],
    [{ userinfoEndpoint: "ftp://git.example.com/user" }, /not https/],
  ])("is checked at once: %j", (changes, message) => {
    expect(() => strategy(changes as unknown as Partial<OAuth2Provider<User>>)).toThrow(message);
  });
});
