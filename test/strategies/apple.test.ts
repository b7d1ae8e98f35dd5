import { generateKeyPairSync } from "node:crypto";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { createTestClock } from "../../lib/testing/clock.ts";
import { apple, type AppleOptions } from "../../strategies/apple.ts";
import { fakeProvider, type DocumentedProvider } from "../support/fake-provider.ts";
import { APP, briefly, locationOf, startProviderApp, userOf, type ProviderApp } from "../support/provider-app.ts";
import { beginWith, CALLBACK, completeWith, identityOf } from "../support/strategy-run.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const email = "ada@privaterelay.appleid.com";

const documented: DocumentedProvider = {
  issuer: "https://appleid.apple.com",
  authorizationEndpoint: "https://appleid.apple.com/auth/authorize",
  tokenEndpoint: "https://appleid.apple.com/auth/token",
  clientAuthentication: "signed",
  tokens: { access_token: "at", token_type: "Bearer", expires_in: 3600, refresh_token: "rt" },
  user: { sub: "001999.a1b2.0123", email, email_verified: true, is_private_email: true, nonce_supported: true },
};
const FIRST = { user: JSON.stringify({ name: { firstName: "Ada", lastName: "Lovelace" }, email: "mallory@evil.example" }) };

async function setUp(options: Partial<AppleOptions> = {}, provider = documented) {
  const fake = await fakeProvider(provider);
  const own = { clientId: "client", teamId: "TEAM123456", keyId: "KEY1234567", privateKey: pem, fetch: fake.fetch };
  return { fake, strategy: apple({ ...own, ...options }) };
}

async function signIn({ fake, strategy }: Awaited<ReturnType<typeof setUp>>, answered: Record<string, string> = {}) {
  const { url, session } = await beginWith(strategy);
  return identityOf(await completeWith(strategy, session, fake.authorize(url, answered)));
}

const closing: ProviderApp[] = [];
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

describe("signing in with Apple", () => {
  it("asks for name and address, by form_post", async () => {
    const { strategy } = await setUp();

    const { origin, pathname, searchParams } = new URL((await beginWith(strategy)).url);

    const random = expect.stringMatching(/^[\w-]{43}$/) as unknown;
    expect(origin + pathname).toBe(documented.authorizationEndpoint);
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: "client",
      redirect_uri: CALLBACK,
      response_type: "code",
      response_mode: "form_post",
      scope: "name email",
      state: random,
      nonce: random,
      code_challenge: random,
      code_challenge_method: "S256",
    });
  });

  it("takes the name from the first answer, and address and subject from the ID token alone", async () => {
    expect(await signIn(await setUp(), FIRST)).toMatchObject({
      provider: "apple",
      issuer: "https://appleid.apple.com",
      subject: "001999.a1b2.0123",
      name: "Ada Lovelace",
      email,
      emailVerified: true,
      tokens: { accessToken: "at", refreshToken: "rt" },
    });
  });

  it.each([
    ["nothing", {}],
    ["no JSON", { user: "{" }],
    ["null", { user: "null" }],
    ["a name that is no text", { user: '{"name":{"firstName":{"a":1},"lastName":7}}' }],
  ])("signs in without a name when the answer has %s", async (_what, answered) => {
    expect(await signIn(await setUp(), answered as Record<string, string>)).toMatchObject({ name: null, email });
  });

  it.each(["true", "false", false, undefined])("rule 26: takes email_verified %j for unverified", async (email_verified) => {
    const user = { ...documented.user, email_verified };

    expect(await signIn(await setUp({}, { ...documented, user }))).toMatchObject({ email, emailVerified: false });
  });
});

describe("the client secret that Apple wants", () => {
  it("is signed by the key, and names the team, the client and the key", async () => {
    const set = await setUp();
    await signIn(set);

    const secret = set.fake.tokenRequests[0]?.["client_secret"] ?? "";
    expect(decodeProtectedHeader(secret)).toEqual({ alg: "ES256", kid: "KEY1234567" });
    const { payload } = await jwtVerify(secret, publicKey, { audience: "https://appleid.apple.com", issuer: "TEAM123456" });
    expect(payload.sub).toBe("client");
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
  });

  it("is kept until five minutes before it expires", async () => {
    const clock = createTestClock(Date.now());
    const set = await setUp({ clock });
    for (const wait of [0, 3299, 1]) {
      clock.advance(wait);
      await signIn(set);
    }

    const [first, kept, next] = set.fake.tokenRequests.map((request) => request["client_secret"]);
    expect(kept).toBe(first);
    expect(next).not.toBe(first);
  });

  it("can be made of a key whose lines an environment has written out", async () => {
    await expect(signIn(await setUp({ privateKey: pem.replaceAll("\n", "\\n") }))).resolves.toMatchObject({ subject: "001999.a1b2.0123" });
  });

  it.each([
    [{ privateKey: undefined }, "apple.privateKey: is missing"],
    [{ privateKey: "s3cret, not a key" }, "apple.privateKey: is no private key"],
    [{ teamId: undefined }, "apple.teamId: is missing"],
    [{ keyId: "" }, "apple.keyId: is missing"],
    [{ clientId: undefined }, "apple.clientId: is missing"],
  ])("is asked for at start: %j", async (options, message) => {
    await expect(setUp(options)).rejects.toThrow(message);
    await expect(setUp(options)).rejects.not.toThrow("s3cret");
  });
});

describe("Apple's form at the callback", () => {
  it("rule 36: needs no cookie, leads to a GET of our own, and brings the name along", async () => {
    const { fake, strategy } = await setUp();
    const app = await startProviderApp({ strategies: [strategy] });
    closing.push(app);
    const ada = app.person();
    const callback = new URL(fake.authorize(locationOf(await ada.go("/auth/login/apple?return_to=/welcome")), FIRST));

    const posted = await app.person().go(callback.origin + callback.pathname, {
      method: "POST",
      headers: { "sec-fetch-site": "cross-site", origin: "https://appleid.apple.com" },
      body: callback.searchParams,
    });

    expect([posted.status, posted.headers.getSetCookie()]).toEqual([303, []]);
    expect(new URL(locationOf(posted), APP).pathname).toBe("/auth/callback/apple");
    expect(await briefly(await ada.go(locationOf(posted)))).toEqual([303, "/welcome"]);
    expect(await userOf(ada)).toMatchObject({ email, name: "Ada Lovelace" });
  });
});
