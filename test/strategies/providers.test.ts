import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CLIENT, fakeProvider } from "../support/fake-provider.ts";
import { beginWith, CALLBACK, completeWith, identityOf } from "../support/strategy-run.ts";
import { email, type ProviderCase } from "./cases/case.ts";
import { oauth2Cases } from "./cases/oauth2.ts";
import { openidCases } from "./cases/openid.ts";

async function signIn(provider: ProviderCase) {
  const fake = await fakeProvider(provider);
  const strategy = provider.make({ clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: fake.fetch });
  const { url, session } = await beginWith(strategy);
  return { url, identity: identityOf(await completeWith(strategy, session, fake.authorize(url))) };
}

const cases = Object.entries({ ...openidCases, ...oauth2Cases });

describe.each(cases)("signing in with %s", (title, provider) => {
  const [name = ""] = title.split(", ");

  it("sends the browser to the documented page, with nothing but what is documented", async () => {
    const { url } = await signIn(provider);

    const { origin, pathname, searchParams } = new URL(url);
    const random = expect.stringMatching(/^[\w-]{43}$/) as unknown;
    expect(origin + pathname).toBe(provider.authorizationEndpoint);
    expect(Object.fromEntries(searchParams)).toEqual({
      [provider.clientIdParameter ?? "client_id"]: CLIENT.id,
      redirect_uri: CALLBACK,
      response_type: "code",
      state: random,
      ...(provider.pkce === "refused" ? {} : { code_challenge: random, code_challenge_method: "S256" }),
      ...(provider.scope === undefined ? {} : { scope: provider.scope }),
      ...(provider.issuer === undefined ? {} : { nonce: random }),
      ...provider.parameters,
    });
  });

  it("ends in the identity, with the tokens as they came", async () => {
    const { identity } = await signIn(provider);

    expect(identity).toMatchObject({ provider: name, ...provider.identity });
    expect(identity.tokens).toMatchObject({ accessToken: "at", refreshToken: provider.tokens["refresh_token"] ?? null });
    expect(identity.tokens?.accessTokenExpiresAt ?? null).toEqual(provider.tokens["expires_in"] === undefined ? null : expect.any(Number));
  });

  it("names a missing client id and secret", () => {
    expect(() => provider.make({ clientId: undefined, clientSecret: "secret" })).toThrow(`${name}.clientId: is missing`);
    expect(() => provider.make({ clientId: "client", clientSecret: undefined })).toThrow(`${name}.clientSecret: is missing`);
  });

  it("asks for what the application says instead", async () => {
    const fake = await fakeProvider(provider);
    const options = { clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: fake.fetch };
    const strategy = provider.make({ ...options, scope: ["openid", "a"], loginHint: email, authorizationParameters: { prompt: "login" } });

    const { searchParams } = new URL((await beginWith(strategy)).url);

    const separator = ["kakao", "tiktok"].includes(name) ? "," : " ";
    expect(Object.fromEntries(searchParams)).toMatchObject({ scope: `openid${separator}a`, login_hint: email, prompt: "login" });
  });

  it("lets the application read the profile its own way", async () => {
    const fake = await fakeProvider(provider);
    const strategy = provider.make({
      clientId: CLIENT.id,
      clientSecret: CLIENT.secret,
      fetch: fake.fetch,
      profile: (profile, said) => ({
        name: `${profile.name} of ${Object.keys(said).length > 0 ? name : "nowhere"}`,
        email: "own@example.com",
      }),
    });
    const { url, session } = await beginWith(strategy);

    const identity = identityOf(await completeWith(strategy, session, fake.authorize(url)));

    expect(identity).toMatchObject({ email: "own@example.com", emailVerified: false });
    expect(identity.name).toMatch(new RegExp(`^[Aa]da.* of ${name}$`));
  });
});

describe("a refresh token", () => {
  const refreshable = cases.filter(([, { tokens }]) => tokens["refresh_token"] !== undefined);

  it.each(refreshable)("of %s is used in the way of its token endpoint", async (_title, provider) => {
    const fake = await fakeProvider(provider);
    const strategy = provider.make({ clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: fake.fetch });
    const { url, session } = await beginWith(strategy);
    const { tokens } = identityOf(await completeWith(strategy, session, fake.authorize(url)));
    if (!tokens) throw new Error("no tokens");

    expect(await strategy.refresh(tokens)).toMatchObject({ accessToken: "at2", refreshToken: "rt" });
  });

  /** Of a provider whose token endpoint answers so to a refresh. */
  async function failureOf(provider: ProviderCase, status: number, body: object) {
    const { fetch } = await fakeProvider(provider);
    const refusing = async (url: string, init: RequestInit) =>
      url === provider.tokenEndpoint ? Response.json(body, { status }) : fetch(url, init);
    const tokens = { refreshToken: "rt", idToken: null, accessTokenExpiresAt: 1, refreshTokenExpiresAt: null, scope: null };
    return provider
      .make({ clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: refusing })
      .refresh({ accessToken: "at", ...tokens })
      .catch((error: unknown) => error);
  }

  it.each(refreshable)(
    "rule 27: of %s that is over has to be got anew, in whichever way the provider says so",
    async (_title, provider) => {
      if (!provider.ended) throw new Error("say what it answers then");
      expect(await failureOf(provider, provider.ended.status, provider.ended.body)).toMatchObject({ code: "invalid_grant" });
    },
  );

  it.each(refreshable)("rule 27: of %s is not over because of trouble that may pass, or of the client's", async (_title, provider) => {
    for (const status of [429, 500, 503])
      expect(await failureOf(provider, status, provider.ended?.body ?? {})).toMatchObject({ code: "provider_unavailable" });
    for (const error of ["invalid_request", "unauthorized_client", "invalid_client"])
      expect(await failureOf(provider, 400, { error, error_description: "unknown client", message: "Bad Request" })).toMatchObject({
        code: "provider_error",
      });
  });

  it.each([
    ["linkedin", "invalid_request", "The provided authorization grant or refresh token is invalid, expired or revoked"],
    ["atlassian", "unauthorized_client", "refresh_token is invalid"],
  ])("of %s, which gives them to some applications alone, is over in its own words too", async (name, error, error_description) => {
    const provider = oauth2Cases[name];
    if (!provider) throw new Error("there is no such case");
    expect(await failureOf(provider, 400, { error, error_description })).toMatchObject({ code: "invalid_grant" });
  });
});

/** The names of the strategies that there are. */
const files = readdirSync(new URL("../../strategies/", import.meta.url)).map((file) => file.replace(".ts", ""));

describe("strategies", () => {
  it("each have a case here, or tests of their own", () => {
    const tests = readdirSync(new URL(".", import.meta.url));
    const tested = new Set(cases.map(([title]) => title.split(", ")[0]));

    expect(files.filter((name) => !tested.has(name) && !tests.includes(`${name}.test.ts`))).toEqual([]);
  });
});

describe("docs/providers.md", () => {
  it("lists every provider that there is, once", () => {
    const page = readFileSync(new URL("../../docs/providers.md", import.meta.url), "utf8");
    const [, table = ""] = /^## Which there are$([\s\S]*?)^## /m.exec(page) ?? [];

    const listed = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name = ""]) => name);
    expect(new Set(listed)).toEqual(new Set(files));
    expect(listed).toHaveLength(files.length);
  });
});

describe("a code of the provider's", () => {
  const several = cases.filter(([title]) => ["discord", "spotify", "atlassian", "slack"].includes(title));

  it.each(several)("rule 24: reaches the token endpoint of %s as it came, whatever characters it has", async (_title, provider) => {
    const fake = await fakeProvider(provider);
    const strategy = provider.make({ clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: fake.fetch });
    const { url, session } = await beginWith(strategy);
    const code = "4/0A+b/c==&grant_type=x%2B é";

    // The provider, which gave another, refuses it.
    await completeWith(strategy, session, fake.authorize(url, { code }));

    expect(fake.tokenRequests).toMatchObject([{ code, grant_type: "authorization_code" }]);
  });
});

describe("an address", () => {
  const withAddress = cases.filter(([, { unverified }]) => unverified !== undefined);

  it.each(withAddress)("rule 26: of %s counts as verified by the provider's own word alone", async (_title, provider) => {
    const { unverified: user = {}, unverifiedMore = provider.more } = provider;
    const { identity } = await signIn({ ...provider, user, ...(unverifiedMore ? { more: unverifiedMore } : {}) });

    expect([email, null]).toContain(identity.email);
    expect(identity.emailVerified).toBe(false);
  });
});
