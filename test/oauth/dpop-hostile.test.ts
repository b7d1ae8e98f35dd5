import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { fakeProvider, faults, type FakeEndpoint, type FakeProvider, type Fault } from "../../lib/testing/provider/index.ts";
import { oauth2 } from "../../strategies/oauth2.ts";
import { asked, relyingParty, signIn } from "../conformance-rp/relying-party.ts";
import { beginWith, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const SECRET = "a client secret of the tests alone";
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const dpop = { privateKey };
/** With refresh tokens. */
const offline = { dpop, scope: ["openid", "email", "profile", "offline_access"] };
const INVALID = { code: "invalid_provider_response", status: 502 };

const closing: FakeProvider[] = [];
afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

async function start(pushedRequests = false): Promise<FakeProvider> {
  const provider = await fakeProvider({ clientSecret: SECRET, pushedRequests });
  closing.push(provider);
  return provider;
}

const saying = (token_type: string | undefined) => ({ tokens: (said: Record<string, unknown>) => ({ ...said, token_type }) });

/** Always another nonce that it wants. */
function endlessNonces(): Fault {
  let n = 0;
  return (req, res, honest) => {
    n += 1;
    const challenge = { "dpop-nonce": `nonce-${n}`, "www-authenticate": 'DPoP error="use_dpop_nonce"' };
    return faults.answer(req.url === "/userinfo" ? 401 : 400, { error: "use_dpop_nonce" }, challenge)(req, res, honest);
  };
}

/** What went wrong in a sign-in, at whichever step. */
async function failureOf(provider: FakeProvider, strategy = relyingParty(provider, { dpop })): Promise<unknown> {
  const begun = await beginWith(strategy).catch((error: unknown) => (error as Error).cause);
  if (begun instanceof Error) return begun;
  const { url, session } = begun as Awaited<ReturnType<typeof beginWith>>;
  return errorOf(await completeWith(strategy, session, await provider.authorize(url)));
}

function plain(provider: FakeProvider) {
  const { authorizationEndpoint, tokenEndpoint, userinfoEndpoint, clientId, clientSecret } = provider;
  return oauth2<{ sub: string }>(
    { name: "plain", authorizationEndpoint, tokenEndpoint, userinfoEndpoint, scope: ["a"], profile: ({ sub }) => ({ subject: sub }) },
    { clientId, clientSecret, dpop },
  );
}

const count = (provider: FakeProvider, endpoint: FakeEndpoint) => asked(provider).filter((each) => each === endpoint).length;

describe("a provider that is asked for bound tokens (DPoP)", () => {
  it.each(["Bearer", "bearer", "N_A", "", undefined])(
    "and gives one of type %j, is refused before the token is used",
    async (token_type) => {
      const provider = await start();
      provider.change(saying(token_type));

      expect(await failureOf(provider)).toMatchObject(INVALID);
      expect([count(provider, "token"), count(provider, "userinfo")]).toEqual([1, 0]);
    },
  );

  it("and gives a plain OAuth 2 client a bearer token, by saying so or by saying nothing, is refused too", async () => {
    const provider = await start();
    provider.change(saying("Bearer"));
    expect(await failureOf(provider, plain(provider))).toMatchObject(INVALID);
    provider.change({ tokens: ({ token_type: _, ...said }) => said });
    expect(await failureOf(provider, plain(provider))).toMatchObject(INVALID);

    expect(count(provider, "userinfo")).toBe(0);
  });

  it("and gives a bearer token at the refresh, is refused then", async () => {
    const provider = await start();
    const strategy = relyingParty(provider, offline);
    const { tokens } = identityOf(await signIn(provider, strategy));
    provider.change(saying("Bearer"));

    const refused = tokens && (await strategy.refresh(tokens).catch((error: unknown) => error));
    expect(refused).toMatchObject(INVALID);
    expect(inspect(refused)).toContain('the provider gives a token of type "bearer", not bound to our key (DPoP)');
  });

  it("is told the thumbprint of the key with the request, and shown a proof without a secret", async () => {
    const provider = await start(true);
    const strategy = relyingParty(provider, { dpop });
    identityOf(await signIn(provider, strategy));

    const [pushed, token] = ["pushed", "token"].map((name) => provider.requests.find(({ endpoint }) => endpoint === name));
    expect(pushed?.parameters.get("dpop_jkt")).toBe(strategy.dpop?.jkt);
    const [header = "", payload = ""] = String(token?.headers["dpop"]).split(".");
    const decoded = [header, payload].map((part) => Buffer.from(part, "base64url").toString()).join();
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toMatchObject({ jwk: { kty: "EC", crv: "P-256" } });
    for (const secret of [SECRET, '"d"', token?.parameters.get("code") ?? "", token?.parameters.get("code_verifier") ?? ""])
      expect(decoded).not.toContain(secret);
  });

  it.each<[FakeEndpoint, string]>([
    ["pushed", "provider_error"],
    ["token", "provider_error"],
    ["userinfo", "provider_error"],
  ])("and wants another nonce at its %s endpoint without an end, is asked twice", async (endpoint, code) => {
    const provider = await start(true);
    provider.break(endpoint, endlessNonces());
    if (endpoint === "userinfo") provider.change({ idToken: ({ email: _, email_verified: __, name: ___, ...claims }) => claims });

    expect(await failureOf(provider)).toMatchObject({ code });
    expect(count(provider, endpoint)).toBe(2);
  });

  it("and wants another nonce at every refresh without an end, is asked twice", async () => {
    const provider = await start();
    const strategy = relyingParty(provider, offline);
    const { tokens } = identityOf(await signIn(provider, strategy));
    provider.break("token", endlessNonces());
    const before = count(provider, "token");

    await expect(tokens && strategy.refresh(tokens)).rejects.toMatchObject({ code: "provider_error" });
    expect(count(provider, "token") - before).toBe(2);
  });

  it("and wants another nonce of a plain OAuth 2 client without an end, is asked twice", async () => {
    const provider = await start();
    provider.break("token", endlessNonces());
    expect(await failureOf(provider, plain(provider))).toMatchObject({ code: "provider_error" });
    expect(count(provider, "token")).toBe(2);

    provider.mend();
    provider.break("userinfo", endlessNonces());
    expect(await failureOf(provider, plain(provider))).toMatchObject({ code: "provider_error" });
    expect(count(provider, "userinfo")).toBe(2);
  });

  it("and wants a nonce with nothing in it, is asked no more than twice", async () => {
    const provider = await start();
    provider.break("token", faults.answer(400, { error: "use_dpop_nonce" }, { "dpop-nonce": "" }));

    expect(await failureOf(provider)).toMatchObject({ code: "provider_error" });
    expect(count(provider, "token")).toBeLessThanOrEqual(2);
  });

  it("rule 28: and repeats the proof in its own words, brings none into a log", async () => {
    const provider = await start();
    const proofs: string[] = [];
    provider.break("token", (req, res, honest) => {
      const proof = String(req.headers["dpop"]);
      proofs.push(proof);
      const said = { error: "invalid_dpop_proof", error_description: `I do not like ${proof}, DPoP ${proof}` };
      return faults.answer(400, said)(req, res, honest);
    });

    const failure = await failureOf(provider);
    expect(failure).toMatchObject({ code: "provider_error" });
    expect(proofs).toHaveLength(1);
    const said = inspect(failure, { depth: 10, showHidden: true });
    for (const part of proofs.flatMap((proof) => proof.split("."))) expect(said).not.toContain(part);
  });
});

describe("a provider that is not asked for bound tokens", () => {
  it("and gives one, is refused, as it could not be used", async () => {
    const provider = await start();
    provider.change(saying("DPoP"));

    const failure = await failureOf(provider, relyingParty(provider));
    expect(failure).toMatchObject(INVALID);
    expect(inspect(failure)).toContain("set the option dpop");
    expect(count(provider, "userinfo")).toBe(0);
    for (const { headers } of provider.requests) expect(headers).not.toHaveProperty("dpop");
  });
});
