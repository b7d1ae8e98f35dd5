import { createHash } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { runStrategy } from "../../lib/core/run-strategy.ts";
import { fakeProvider, forgeries, signedBy, type FakeProvider, type FakeProviderOptions } from "../../lib/testing/provider/index.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";
import { asked, relyingParty, signIn } from "./relying-party.ts";

const closing: FakeProvider[] = [];
afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

async function start(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const provider = await fakeProvider(options);
  closing.push(provider);
  return provider;
}

const REFUSED = { code: "invalid_provider_response", status: 502 };

/** `query` is the Basic profile, `form_post` the Form Post Basic one: the same modules. */
describe.each(["query", "form_post"] as const)("the Basic profile of relying parties, by %s", (responseMode) => {
  /** A sign-in whose answer comes back as the profile has it. */
  const attempt = async (provider: FakeProvider, options: Parameters<typeof relyingParty>[1] = {}) => {
    const strategy = relyingParty(provider, { responseMode, ...options });
    const { url, session } = await beginWith(strategy);
    const answer = await provider.authorize(url);
    if (responseMode === "query") return completeWith(strategy, session, answer);
    expect(new URL(url).searchParams.get("response_mode")).toBe("form_post");
    const body = Object.fromEntries(new URL(answer).searchParams);
    const posted = await runStrategy(strategy, { req: { method: "POST", headers: {}, body }, session: {} }, { callbackURL: CALLBACK });
    if (posted.kind !== "redirect") throw new Error(`expected a redirect, got ${posted.kind}`);
    return completeWith(strategy, session, posted.url);
  };

  it("oidcc-client-test: signs in by the code flow, and asks for userinfo with the access token in its header", async () => {
    const provider = await start();

    expect(identityOf(await attempt(provider))).toMatchObject({ subject: "ada", email: "ada@example.com", emailVerified: true });

    const userinfo = provider.requests.find(({ endpoint }) => endpoint === "userinfo");
    expect(userinfo?.headers.authorization).toMatch(/^Bearer [\w-]+$/);
    expect([...(userinfo?.parameters.keys() ?? [])]).toEqual([]);
  });

  it.each<[string, Record<string, unknown>]>([
    ["oidcc-client-test-invalid-iss", { iss: "https://another.example" }],
    ["oidcc-client-test-missing-sub", { sub: undefined }],
    ["oidcc-client-test-invalid-aud", { aud: "another" }],
    ["oidcc-client-test-missing-aud", { aud: undefined }],
    ["oidcc-client-test-missing-iat", { iat: undefined }],
    ["oidcc-client-test-nonce-invalid", { nonce: "another" }],
  ])("%s: refuses the ID token, and asks for no userinfo with what came with it", async (_, change) => {
    const provider = await start();
    provider.change({ idToken: (claims) => ({ ...claims, ...change }) });

    expect(errorOf(await attempt(provider))).toMatchObject(REFUSED);
    expect(asked(provider)).not.toContain("userinfo");
  });

  it("oidcc-client-test-kid-absent-single-jwks: takes the one key that there is", async () => {
    const provider = await start({ algorithm: "RS256" });
    provider.signIdTokens(signedBy({ kid: undefined }));
    provider.change({ keys: (keys) => keys.map(({ kid: _, ...key }) => key) });

    expect(identityOf(await attempt(provider)).subject).toBe("ada");
  });

  it("oidcc-client-test-kid-absent-multiple-jwks: refuses to guess among several", async () => {
    const provider = await start({ algorithm: "RS256" });
    await provider.rotateKeys({ keep: true });
    provider.signIdTokens(signedBy({ kid: undefined }));
    provider.change({ keys: (keys) => keys.map(({ kid: _, ...key }) => key) });

    expect(errorOf(await attempt(provider))).toMatchObject(REFUSED);
  });

  it("oidcc-client-test-idtoken-sig-rs256: takes a signature by the published key", async () => {
    const provider = await start({ algorithm: "RS256" });

    expect(identityOf(await attempt(provider)).subject).toBe("ada");
    expect(asked(provider)).toContain("keys");
  });

  it("oidcc-client-test-idtoken-sig-none: refuses an ID token without a signature, also where the provider advertises it", async () => {
    const provider = await start();
    provider.signIdTokens(forgeries.unsigned());
    expect(errorOf(await attempt(provider))).toMatchObject(REFUSED);

    const advertised = await start();
    advertised.signIdTokens(forgeries.unsigned());
    advertised.change({ metadata: (said) => ({ ...said, id_token_signing_alg_values_supported: ["none", "RS256"] }) });
    expect(errorOf(await attempt(advertised))).toMatchObject(REFUSED);
  });

  it("oidcc-client-test-invalid-sig-rs256: refuses a signature that does not hold", async () => {
    for (const forgery of [forgeries.stranger(), forgeries.changed({ name: "Mallory" })]) {
      const provider = await start({ algorithm: "RS256" });
      provider.signIdTokens(forgery);
      expect(errorOf(await attempt(provider))).toMatchObject(REFUSED);
    }
  });

  it("oidcc-client-test-userinfo-invalid-sub: refuses userinfo about somebody else", async () => {
    const provider = await start();
    provider.change({ userinfo: (claims) => ({ ...claims, sub: "admin" }) });

    expect(errorOf(await attempt(provider))).toMatchObject(REFUSED);
  });

  it("oidcc-client-test-scope-userinfo-claims: asks for scopes, and reads what userinfo says for them", async () => {
    const provider = await start();

    const identity = identityOf(await attempt(provider, { scope: ["openid", "email"] }));

    expect(identity).toMatchObject({ email: "ada@example.com", emailVerified: true, name: null, tokens: { scope: "openid email" } });
  });

  it("oidcc-client-test-client-secret-basic: shows its secret in the Authorization header, encoded as RFC 6749 has it", async () => {
    const provider = await start({ clientId: "a client", clientSecret: "s3cret: +%/ü" });
    provider.change({ metadata: (said) => ({ ...said, token_endpoint_auth_methods_supported: ["client_secret_basic"] }) });

    expect(identityOf(await attempt(provider)).subject).toBe("ada");

    const token = provider.requests.find(({ endpoint }) => endpoint === "token");
    expect(token?.headers.authorization).toMatch(/^Basic /);
    expect(token?.parameters.has("client_secret")).toBe(false);
  });
});

describe("modules of the comprehensive plan that apply to the code flow", () => {
  it("oidcc-client-test-userinfo-bearer-header: is what oidcc-client-test shows", async () => {
    const provider = await start();
    identityOf(await signIn(provider));

    expect(provider.requests.filter(({ headers }) => headers.authorization?.startsWith("Bearer ")).map(({ endpoint }) => endpoint)).toEqual(
      ["userinfo"],
    );
  });

  it("oidcc-client-test-invalid-sig-hs256: refuses signatures by the client's secret or the public key, advertised or not", async () => {
    const secret = "a client secret of the tests alone";
    for (const algorithms of [["RS256"], ["RS256", "HS256"]])
      for (const forgery of [forgeries.clientSecret(secret), forgeries.publicKeyAsSecret()]) {
        const provider = await start({ clientSecret: secret });
        provider.change({ metadata: (said) => ({ ...said, id_token_signing_alg_values_supported: algorithms }) });
        provider.signIdTokens(forgery);
        expect(errorOf(await signIn(provider))).toMatchObject(REFUSED);
      }
  });

  it("oidcc-client-test-invalid-sig-es256: refuses a signature that does not hold, and takes one that does", async () => {
    const provider = await start({ algorithm: "ES256" });
    expect(identityOf(await signIn(provider)).subject).toBe("ada");
    provider.signIdTokens(forgeries.stranger());

    expect(errorOf(await signIn(provider))).toMatchObject(REFUSED);
  });

  it("oidcc-client-test-form-post-error: takes an error by form, and says what it means in our words", async () => {
    const provider = await start();
    const strategy = relyingParty(provider, { responseMode: "form_post" });
    const { url, session } = await beginWith(strategy);
    provider.change({ authorization: ({ state, iss }) => ({ state: state ?? "", iss: iss ?? "", error: "login_required" }) });
    const body = Object.fromEntries(new URL(await provider.authorize(url)).searchParams);
    const posted = await runStrategy(strategy, { req: { method: "POST", headers: {}, body }, session: {} }, { callbackURL: CALLBACK });
    if (posted.kind !== "redirect") throw new Error(`expected a redirect, got ${posted.kind}`);

    expect(errorOf(await completeWith(strategy, session, posted.url))).toMatchObject({ code: "login_required", status: 401 });
  });

  it("oidcc-client-test-invalid-athash: refuses the hash of another access token, and takes the right one", async () => {
    const provider = await start();
    const hash = createHash("sha256").update("an access token").digest().subarray(0, 16).toString("base64url");
    provider.change({
      idToken: (claims) => ({ ...claims, at_hash: hash }),
      tokens: (reply) => ({ ...reply, access_token: "an access token" }),
    });
    expect(identityOf(await signIn(provider, relyingParty(provider, { scope: ["openid"] }))).subject).toBe("ada");
    provider.change({ tokens: (reply) => ({ ...reply, access_token: "another access token" }) });

    expect(errorOf(await signIn(provider))).toMatchObject(REFUSED);
    expect(asked(provider)).not.toContain("userinfo");
  });

  it("oidcc-client-test-missing-athash: asks for none, which is optional in the code flow", async () => {
    expect(identityOf(await signIn(await start())).subject).toBe("ada");
  });

  it("oidcc-client-test-ignores-unparseable-key-in-jwks: goes by the key it can read", async () => {
    const provider = await start();
    provider.change({
      keys: (keys) => [{ kty: "AKP", kid: "pq", alg: "ML-DSA-999", pub: "AA" }, { kty: "MADE-UP", kid: "other" }, ...keys],
    });

    expect(identityOf(await signIn(provider)).subject).toBe("ada");
  });

  it("oidcc-client-test-aggregated-claims: signs in by the standard claims, and leaves aggregated ones alone", async () => {
    const provider = await start();
    provider.change({
      userinfo: (claims) => ({ ...claims, _claim_names: { email: "src1" }, _claim_sources: { src1: { JWT: "a.b.c" } } }),
    });

    expect(identityOf(await signIn(provider)).email).toBe("ada@example.com");
  });

  it("oidcc-client-test-distributed-claims: fetches nothing from where such claims are said to be", async () => {
    const provider = await start();
    provider.change({
      userinfo: (claims) => ({
        ...claims,
        _claim_names: { email: "src1" },
        _claim_sources: { src1: { endpoint: `${provider.issuer}/keys`, access_token: "x" } },
      }),
    });
    identityOf(await signIn(provider));

    expect(asked(provider)).toEqual(["discovery", "token", "keys", "userinfo"]);
  });
});

describe("the refresh token plan", () => {
  const refreshed = async (provider: FakeProvider, change: Parameters<FakeProvider["change"]>[0]) => {
    const strategy = relyingParty(provider, { scope: ["openid", "offline_access"] });
    const { tokens } = identityOf(await signIn(provider, strategy));
    if (!tokens) throw new Error("no tokens");
    provider.change(change);
    return { before: tokens, after: strategy.refresh(tokens) };
  };

  it("oidcc-client-test-refresh-token: gets new tokens, and the new refresh token in place of the old", async () => {
    const { before, after } = await refreshed(await start(), {});
    const tokens = await after;

    expect(tokens.accessToken).not.toBe(before.accessToken);
    expect(tokens.refreshToken).not.toBe(before.refreshToken);
  });

  it.each<[string, Record<string, unknown>]>([
    ["oidcc-client-test-refresh-token-invalid-issuer", { iss: "https://another.example" }],
    ["oidcc-client-test-refresh-token-invalid-sub", { sub: "admin" }],
    ["oidcc-client-test-refresh-token-invalid-aud", { aud: "another" }],
    ["oidcc-client-test-refresh-token-invalid-azp", { azp: "another" }],
  ])("%s: refuses the new ID token", async (_, change) => {
    const { after } = await refreshed(await start(), {
      idToken: (claims, about) => (about.refreshed ? { ...claims, ...change } : claims),
    });

    await expect(after).rejects.toMatchObject({ code: "invalid_provider_response" });
  });

  it.each([
    ["a stranger", forgeries.stranger()],
    ["nobody", forgeries.unsigned()],
  ])("refuses a new ID token that is signed by %s", async (_, forgery) => {
    const provider = await start();
    const strategy = relyingParty(provider, { scope: ["openid", "offline_access"] });
    const { tokens } = identityOf(await signIn(provider, strategy));
    if (!tokens) throw new Error("no tokens");
    provider.signIdTokens(forgery);

    await expect(strategy.refresh(tokens)).rejects.toMatchObject(REFUSED);
  });
});
