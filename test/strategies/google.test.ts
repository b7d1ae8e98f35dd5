import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { google, type GoogleOptions } from "../../strategies/google.ts";
import { startFakeGoogle, type FakeGoogle } from "../support/fake-google.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

let fake: FakeGoogle;
beforeEach(async () => {
  fake = await startFakeGoogle();
});
afterEach(() => fake.close());

const strategy = (options: Partial<GoogleOptions> = {}) =>
  google({ clientId: "g-client", clientSecret: "g-secret", fetch: fake.fetch, ...options });

async function signIn(client = strategy()) {
  const { url, session } = await beginWith(client);
  return completeWith(client, session, fake.authorize(url));
}

describe("signing in with Google", () => {
  it("sends the browser to Google with what signing in needs", async () => {
    const { url } = await beginWith(strategy());

    expect(url.startsWith("https://accounts.google.com/o/oauth2/v2/auth?")).toBe(true);
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      client_id: "g-client",
      redirect_uri: CALLBACK,
      response_type: "code",
      scope: "openid email profile",
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
    });
  });

  it("ends in the identity of the ID token, without asking for userinfo", async () => {
    const before = Date.now();

    const identity = identityOf(await signIn());

    expect(identity).toMatchObject({
      provider: "google",
      issuer: "https://accounts.google.com",
      subject: "110169484474386276334",
      email: "ada@gmail.example",
      emailVerified: true,
      name: "Ada Lovelace",
      image: "https://lh3.example.com/a/ada",
      tokens: { accessToken: expect.stringMatching(/^ya29\./), refreshToken: null, idToken: expect.stringMatching(/\..+\./) },
    });
    expect(identity.tokens?.accessTokenExpiresAt).toBeGreaterThanOrEqual(before + 3_500_000);
    expect(fake.requests).toEqual(["GET /.well-known/openid-configuration", "POST /token", "GET /oauth2/v3/certs"]);
  });

  it("asks for metadata and keys once for many sign-ins", async () => {
    const client = strategy();
    for (let person = 0; person < 3; person += 1) {
      fake.user.sub = `person-${person}`;
      expect(identityOf(await signIn(client)).subject).toBe(`person-${person}`);
    }

    expect(fake.requests.filter((request) => request.startsWith("GET "))).toHaveLength(2);
  });

  it("gets a refresh token when it asks for offline access, and carries it over when a refresh brings none", async () => {
    const client = strategy({ authorizationParameters: { access_type: "offline", prompt: "consent" } });
    const { tokens } = identityOf(await signIn(client));
    expect(tokens?.refreshToken).toMatch(/^1\/\//);

    const next = await client.refresh(tokens!);

    expect(next).toMatchObject({ refreshToken: tokens?.refreshToken, accessToken: expect.stringMatching(/^ya29\./) });
    expect(next.accessToken).not.toBe(tokens?.accessToken);
    await expect(client.refresh({ ...tokens!, refreshToken: "1//revoked" })).rejects.toMatchObject({ code: "invalid_grant", status: 502 });
  });

  it.each([[false], ["true"], [undefined]])("rule 26: takes email_verified %j for unverified", async (email_verified) => {
    fake.user.email_verified = email_verified;

    expect(identityOf(await signIn())).toMatchObject({ email: "ada@gmail.example", emailVerified: false });
  });

  it("works with another issuer, and refuses one that is not who it says it is", async () => {
    const elsewhere = strategy({ issuer: fake.origin, fetch: (url, init) => fetch(url, init) });

    await expect(beginWith(elsewhere)).rejects.toMatchObject({ cause: { code: "invalid_provider_response" } });
  });
});

describe("a hosted domain", () => {
  it("is asked for, and lets its own accounts in", async () => {
    const client = strategy({ hostedDomain: "Example.com" });
    expect(new URL((await beginWith(client)).url).searchParams.get("hd")).toBe("Example.com");
    fake.user.hd = "example.com";

    expect(identityOf(await signIn(client)).subject).toBe("110169484474386276334");
  });

  it.each([
    ["example.com", undefined],
    ["example.com", "evil.example"],
    ["example.com", "example.com.evil.example"],
    ["example.com", ""],
    ["*", undefined],
  ])("rule 24: %s does not let an account of %j in, whatever the browser asked Google for", async (hostedDomain, hd) => {
    fake.user.hd = hd;
    fake.user.email = "mallory@example.com";

    expect(errorOf(await signIn(strategy({ hostedDomain })))).toMatchObject({ code: "wrong_hosted_domain", status: 401 });
  });

  it("of any kind is what * lets in", async () => {
    fake.user.hd = "any.example";

    expect(identityOf(await signIn(strategy({ hostedDomain: "*" }))).email).toBe("ada@gmail.example");
  });

  it("is checked at start, and not to be had unchecked", () => {
    expect(() => strategy({ hostedDomain: "no domain" })).toThrow(/google\.hostedDomain/);
    expect(() => strategy({ hostedDomain: "" })).toThrow(/google\.hostedDomain/);
    expect(() => strategy({ authorizationParameters: { hd: "example.com" } })).toThrow(/set hostedDomain/);
  });
});
