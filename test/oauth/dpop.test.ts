import { createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { inspect } from "node:util";
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, EmbeddedJWK, exportJWK, jwtVerify } from "jose";
import type { Configuration } from "oidc-provider";
import { afterEach, describe, expect, it } from "vitest";
import type { TokenSet } from "../../lib/core/strategy.ts";
import { ConfigError } from "../../lib/errors.ts";
import type { DPoPOptions } from "../../lib/oauth/dpop.ts";
import { oauth2 } from "../../strategies/oauth2.ts";
import { oidc, type OidcOptions } from "../../strategies/oidc.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { loginAt, startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const SECRET = "a client secret of the tests alone";
const KEYS = {
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  ed25519: generateKeyPairSync("ed25519"),
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  stranger: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
type KeyName = keyof typeof KEYS;
const pem = ({ privateKey }: { privateKey: KeyObject }) => privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const thumbprint = async (name: KeyName) => calculateJwkThumbprint(await exportJWK(KEYS[name].publicKey));
const OURS = { privateKey: pem(KEYS.p256) };

const closing: OidcProvider[] = [];
afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

interface StartOptions {
  nonces?: boolean;
  pushed?: boolean;
  configuration?: Omit<Configuration, "features">;
}

/** A provider that binds tokens, and may want a nonce in every proof. It knows a client with a secret, `app`, and one without, `public`. */
async function start({ nonces = false, pushed = false, configuration = {} }: StartOptions = {}): Promise<OidcProvider> {
  const nonce = nonces ? { nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true } : {};
  const provider = await startOidcProvider({
    clients: [
      { client_id: "app", client_secret: SECRET, redirect_uris: [CALLBACK] },
      { client_id: "public", redirect_uris: [CALLBACK] },
    ],
    configuration: {
      rotateRefreshToken: true,
      ...configuration,
      features: {
        dPoP: { enabled: true, ...nonce },
        introspection: { enabled: true, allowedPolicy: () => true },
        pushedAuthorizationRequests: { enabled: pushed, requirePushedAuthorizationRequests: pushed },
      },
    },
  });
  closing.push(provider);
  return provider;
}

/** A request of the strategy's, as far as it concerns proofs. */
interface Shown {
  readonly request: string;
  readonly scheme: string | null;
  readonly proof: string | null;
}

/** A process of the application: the strategy, and what it showed the provider. */
function application(provider: OidcProvider, options: Partial<OidcOptions> = {}) {
  const shown: Shown[] = [];
  const strategy = oidc({
    issuer: provider.issuer,
    clientId: "app",
    clientSecret: SECRET,
    scope: ["openid", "email", "profile", "offline_access"],
    prompt: "consent",
    dpop: OURS,
    fetch: (url, init) => {
      const headers = new Headers(init.headers);
      const request = `${init.method} ${new URL(url).pathname}`;
      shown.push({ request, scheme: headers.get("authorization")?.split(" ")[0] ?? null, proof: headers.get("dpop") });
      return fetch(url, init);
    },
    ...options,
  });
  return { strategy, shown };
}

async function signIn(provider: OidcProvider, { strategy }: ReturnType<typeof application>) {
  const { url, session } = await beginWith(strategy);
  const outcome = await completeWith(strategy, session, await loginAt(provider, url, "ada"));
  return { url: new URL(url), outcome };
}

async function tokensOf(provider: OidcProvider, process: ReturnType<typeof application>): Promise<TokenSet> {
  const { tokens } = identityOf((await signIn(provider, process)).outcome);
  if (!tokens) throw new Error("no tokens");
  return tokens;
}

async function introspect(provider: OidcProvider, token: string | null) {
  const body = new URLSearchParams({ token: token ?? "", client_id: "app", client_secret: SECRET });
  return (await (await fetch(`${provider.issuer}/token/introspection`, { method: "POST", body })).json()) as Record<string, unknown>;
}

/** Asks the provider's API for the person, as a caller of it does: again with the nonce that the API asked for. */
async function call(provider: OidcProvider, { strategy }: ReturnType<typeof application>, { accessToken }: TokenSet): Promise<Response> {
  const url = `${provider.issuer}/me`;
  const send = async (nonce: string | null) => {
    const proof = (await strategy.dpop?.proof({ method: "GET", url, accessToken, nonce })) ?? "";
    return fetch(url, { headers: { authorization: `DPoP ${accessToken}`, dpop: proof } });
  };
  const answer = await send(null);
  const nonce = answer.headers.get("dpop-nonce");
  return answer.status === 401 && nonce !== null ? send(nonce) : answer;
}

describe.each([
  { nonces: false, pushed: false },
  { nonces: false, pushed: true },
  { nonces: true, pushed: false },
  { nonces: true, pushed: true },
])("tokens bound to a key (DPoP), of a provider that wants nonces: $nonces, and pushed requests: $pushed", (behaviour) => {
  it("are got, shown and renewed with proofs by the key", async () => {
    const provider = await start(behaviour);
    const process = application(provider);

    const { url, outcome } = await signIn(provider, process);
    const identity = identityOf(outcome);
    const first = identity.tokens;
    if (!first) throw new Error("no tokens");
    const second = await process.strategy.refresh(first);
    const third = await process.strategy.refresh(second);

    const jkt = await thumbprint("p256");
    expect(identity).toMatchObject({ subject: "ada", email: "ada@example.com", name: "ada" });
    expect([first.jkt, second.jkt, third.jkt, process.strategy.dpop?.jkt]).toEqual([jkt, jkt, jkt, jkt]);
    expect(new Set([first, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
    await expect(process.strategy.refresh(second)).rejects.toMatchObject({ code: "invalid_grant" });
    expect(url.searchParams.get("dpop_jkt")).toBe(behaviour.pushed ? null : jkt);

    // A request that needs a nonce is made twice, the first time to each endpoint of this origin that has none yet: once in all.
    const made = process.shown.filter(({ request }) => !request.startsWith("GET /.well-known") && !request.startsWith("GET /jwks"));
    const expected = [
      ...(behaviour.pushed ? ["POST /request"] : []),
      "POST /token",
      "GET /me",
      "POST /token",
      "POST /token",
      "POST /token",
    ];
    expect(made.map(({ request }) => request)).toEqual(behaviour.nonces ? [expected[0], ...expected] : expected);
    expect(made.filter(({ request }) => request === "GET /me").map(({ scheme }) => scheme)).toEqual(["DPoP"]);

    const proofs = await Promise.all(made.map(({ proof }) => jwtVerify(proof ?? "", EmbeddedJWK, { typ: "dpop+jwt" })));
    expect(new Set(proofs.map(({ payload }) => payload.jti)).size).toBe(made.length);
    for (const [index, { payload, protectedHeader }] of proofs.entries()) {
      expect(await calculateJwkThumbprint(protectedHeader.jwk ?? { kty: "" })).toBe(jkt);
      expect(protectedHeader.jwk).not.toHaveProperty("d");
      expect(`${String(payload["htm"])} ${String(payload["htu"])}`).toBe(made[index]?.request.replace(" ", ` ${provider.issuer}`));
      expect(typeof payload["ath"]).toBe(made[index]?.request === "GET /me" ? "string" : "undefined");
    }
  });

  it("are worth nothing without the key", async () => {
    const provider = await start(behaviour);
    const process = application(provider);
    const tokens = await tokensOf(provider, process);
    const stranger = application(provider, { dpop: { privateKey: pem(KEYS.stranger) } });

    expect(await introspect(provider, tokens.accessToken)).toMatchObject({ active: true, token_type: "DPoP", cnf: { jkt: tokens.jkt } });
    const asBearer = await fetch(`${provider.issuer}/me`, { headers: { authorization: `Bearer ${tokens.accessToken}` } });
    const without = await fetch(`${provider.issuer}/me`, { headers: { authorization: `DPoP ${tokens.accessToken}` } });
    expect([asBearer.status, without.status >= 400]).toEqual([401, true]);
    expect((await call(provider, stranger, tokens)).status).toBe(401);
    expect((await call(provider, process, tokens)).status).toBe(200);
  });
});

describe("the key of bound tokens (DPoP)", () => {
  it("binds the code too, which another key redeems for nothing", async () => {
    const provider = await start();
    const { url, session } = await beginWith(application(provider).strategy);
    const callback = await loginAt(provider, url, "ada");
    const stranger = application(provider, { dpop: { privateKey: pem(KEYS.stranger) } }).strategy;

    expect(errorOf(await completeWith(stranger, session, callback))).toMatchObject({ code: "invalid_grant" });
  });

  it("renews what another process of the application got, and no other key what a client without a secret got", async () => {
    const provider = await start({ nonces: true });
    const open = { clientId: "public", clientSecret: null };
    const tokens = await tokensOf(provider, application(provider, open));
    const [elsewhere, stranger] = [
      application(provider, open),
      application(provider, { ...open, dpop: { privateKey: pem(KEYS.stranger) } }),
    ];

    await expect(stranger.strategy.refresh(tokens)).rejects.toMatchObject({ code: "invalid_grant" });
    const renewed = await elsewhere.strategy.refresh(tokens);
    expect(renewed.jkt).toBe(tokens.jkt);
    expect((await call(provider, elsewhere, renewed)).status).toBe(200);
  });

  it("binds tokens that a client with a secret got before there was one, or by another", async () => {
    const provider = await start();
    const before = await tokensOf(provider, application(provider, { dpop: undefined }));
    const bound = await application(provider).strategy.refresh(before);
    const changed = await application(provider, { dpop: { privateKey: KEYS.stranger.privateKey } }).strategy.refresh(bound);
    const unbound = await application(provider, { dpop: undefined }).strategy.refresh(changed);

    expect([before, bound, changed, unbound].map(({ jkt }) => jkt)).toEqual([
      undefined,
      await thumbprint("p256"),
      await thumbprint("stranger"),
      undefined,
    ]);
  });

  it.each<[KeyName, NonNullable<DPoPOptions["alg"]>, DPoPOptions["alg"]?]>([
    ["p256", "ES256"],
    ["p384", "ES384"],
    ["p521", "ES512"],
    ["ed25519", "EdDSA"],
    ["ed25519", "Ed25519", "Ed25519"],
    ["rsa", "RS256"],
    ["rsa", "PS256", "PS256"],
  ])("may be %s: it signs by %s", async (name, algorithm, alg) => {
    const provider = await start({ nonces: true, configuration: { enabledJWA: { dPoPSigningAlgValues: [algorithm as "ES256"] } } });
    const process = application(provider, { dpop: { privateKey: KEYS[name].privateKey, alg } });
    const tokens = await tokensOf(provider, process);

    expect(tokens.jkt).toBe(await thumbprint(name));
    expect((await call(provider, process, tokens)).status).toBe(200);
    const proofs = process.shown.flatMap(({ proof }) => (proof === null ? [] : [decodeProtectedHeader(proof)]));
    expect(new Set(proofs.map((header) => header.alg))).toEqual(new Set([algorithm]));
  });

  it("dates its proofs by the strategy's clock", async () => {
    const provider = await start();
    const clock = createTestClock(Date.now() - 60_000);
    const process = application(provider, { clock });
    await tokensOf(provider, process);

    const proofs = process.shown.flatMap(({ proof }) => (proof === null ? [] : [decodeJwt(proof).iat]));
    expect(proofs).toEqual([Math.floor(clock.now() / 1000), Math.floor(clock.now() / 1000)]);
  });

  it("must sign as the provider's metadata has it, or nobody is sent there", async () => {
    const provider = await start();
    const { strategy } = application(provider, { dpop: { privateKey: KEYS.rsa.privateKey } });

    const failure: unknown = await beginWith(strategy).then(
      () => null,
      (error: unknown) => (error as Error).cause,
    );
    expect(failure).toMatchObject({ code: "invalid_provider_response", message: "The provider does not take our kind of proof" });
    expect(inspect(failure)).toContain("takes DPoP proofs by ES256, Ed25519, EdDSA: give oidc.dpop a key or an alg of those, not RS256");
  });

  it("shows a plain OAuth 2 provider proofs as well, in each request for JSON", async () => {
    const provider = await start({ nonces: true });
    const shown: (string | null)[] = [];
    const strategy = oauth2<{ sub: string }>(
      {
        name: "plain",
        authorizationEndpoint: `${provider.issuer}/auth`,
        tokenEndpoint: `${provider.issuer}/token`,
        userinfoEndpoint: `${provider.issuer}/me`,
        scope: ["openid", "offline_access"],
        profile: async ({ sub }, get) => ({ subject: sub, name: (await get<{ sub: string }>(`${provider.issuer}/me`)).sub }),
      },
      {
        clientId: "app",
        clientSecret: SECRET,
        prompt: "consent",
        dpop: OURS,
        fetch: (url, init) => {
          shown.push(new Headers(init.headers).get("dpop"));
          return fetch(url, init);
        },
      },
    );
    const { url, session } = await beginWith(strategy);
    const identity = identityOf(await completeWith(strategy, session, await loginAt(provider, url, "ada")));
    const renewed = identity.tokens && (await strategy.refresh(identity.tokens));

    expect(identity).toMatchObject({ subject: "ada", name: "ada" });
    expect([identity.tokens?.jkt, renewed?.jkt]).toEqual([await thumbprint("p256"), await thumbprint("p256")]);
    expect(shown).not.toContain(null);
    // The token endpoint twice, as its first answer is a nonce; then userinfo, and again for `profile`; the refresh.
    expect(shown).toHaveLength(5);
  });
});

describe("a proof that an application makes", () => {
  const clock = createTestClock();
  const { dpop } = oidc({ issuer: "https://login.example.com", clientId: "app", clientSecret: SECRET, dpop: OURS, clock });
  const request = { method: "post", url: "https://api.example.com/notes?page=2#top", accessToken: "an access token" };

  it("is for one request, one token and one moment", async () => {
    const [one, other] = [await dpop?.proof({ ...request, nonce: "n-1" }), await dpop?.proof(request)];
    const { payload, protectedHeader } = await jwtVerify(one ?? "", EmbeddedJWK, { typ: "dpop+jwt", currentDate: new Date(clock.now()) });

    expect(protectedHeader).toEqual({ alg: "ES256", typ: "dpop+jwt", jwk: await exportJWK(KEYS.p256.publicKey) });
    expect(payload).toEqual({
      htm: "POST",
      htu: "https://api.example.com/notes",
      ath: Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(request.accessToken))).toString("base64url"),
      nonce: "n-1",
      iat: Math.floor(clock.now() / 1000),
      jti: expect.stringMatching(/^[\w-]{22}$/) as unknown,
    });
    const bare = await jwtVerify(other ?? "", EmbeddedJWK, { currentDate: new Date(clock.now()) });
    expect(bare.payload).not.toHaveProperty("nonce");
    expect(bare.payload.jti).not.toBe(payload.jti);
  });

  it("is refused for what is no URL", async () => {
    await expect(dpop?.proof({ ...request, url: "/notes" })).rejects.toThrow(TypeError);
  });
});

describe("the option dpop", () => {
  const configured = (dpop: unknown) =>
    oidc({ issuer: "https://login.example.com", clientId: "app", clientSecret: SECRET, dpop: dpop as DPoPOptions });
  const publicPem = KEYS.p256.publicKey.export({ type: "spki", format: "pem" }).toString();

  it("takes a key as PEM, with line ends written out too, as a JWK and as a KeyObject: one key, one thumbprint", async () => {
    const sec1 = KEYS.p256.privateKey.export({ type: "sec1", format: "pem" }).toString();
    const forms = [
      OURS.privateKey,
      OURS.privateKey.replaceAll("\n", "\\n"),
      sec1,
      await exportJWK(KEYS.p256.privateKey),
      KEYS.p256.privateKey,
    ];

    expect(new Set(forms.map((privateKey) => configured({ privateKey }).dpop?.jkt))).toEqual(new Set([await thumbprint("p256")]));
  });

  it("is left out for bearer tokens", () => {
    expect(configured(undefined).dpop).toBeNull();
  });

  it.each<[string, unknown, string]>([
    ["that is no object", true, "oidc.dpop: give one options object"],
    ["that is null", null, "oidc.dpop: give one options object"],
    ["that is a key", OURS.privateKey, "oidc.dpop: give one options object"],
    ["without a key", {}, "oidc.dpop.privateKey: is missing: set it to a private key of your own"],
    ["with an empty key, as environments have it", { privateKey: "" }, "oidc.dpop.privateKey: is missing"],
    ["with the key under another name", { key: OURS.privateKey }, "oidc.dpop.key: unknown option; there are: privateKey, alg"],
    ["with a misspelt option", { ...OURS, algs: "ES256" }, 'oidc.dpop.algs: unknown option; did you mean "alg"?'],
    ["with a public key", { privateKey: publicPem }, "oidc.dpop.privateKey: is a public key: give the private one"],
    ["with a public KeyObject", { privateKey: KEYS.p256.publicKey }, "oidc.dpop.privateKey: is a public key"],
    ["with a public JWK", { privateKey: KEYS.p256.publicKey.export({ format: "jwk" }) }, "oidc.dpop.privateKey: is a public key"],
    ["with a secret", { privateKey: createSecretKey(Buffer.alloc(32)) }, "oidc.dpop.privateKey: is no private key"],
    ["with a secret JWK", { privateKey: { kty: "oct", k: "AAAA" } }, "oidc.dpop.privateKey: is no private key"],
    ["with some text", { privateKey: "s3cret-text" }, "oidc.dpop.privateKey: is no private key"],
    ["with a number", { privateKey: 7 }, "oidc.dpop.privateKey: is no private key"],
    ["with a list", { privateKey: [OURS.privateKey] }, "oidc.dpop.privateKey: is no private key"],
    [
      "with a key that agrees on keys",
      { privateKey: pem(generateKeyPairSync("x25519")) },
      "oidc.dpop.privateKey: is of a kind that signs no proofs",
    ],
    [
      "with a key of Bitcoin's curve",
      { privateKey: pem(generateKeyPairSync("ec", { namedCurve: "secp256k1" })) },
      "is of a kind that signs no proofs",
    ],
    ["with a short RSA key", { privateKey: pem(generateKeyPairSync("rsa", { modulusLength: 1024 })) }, "or an RSA one of 2048 bits"],
    ["with another curve's alg", { ...OURS, alg: "ES384" }, 'oidc.dpop.alg: does not go with the key: leave it out, or give "ES256"'],
    ["with an alg for secrets", { ...OURS, alg: "HS256" }, "oidc.dpop.alg: does not go with the key"],
    ["with no alg at all", { ...OURS, alg: "none" }, "oidc.dpop.alg: does not go with the key"],
    ["with another key's alg", { privateKey: pem(KEYS.rsa), alg: "EdDSA" }, 'leave it out, or give "RS256" or "PS256"'],
  ])("%s is refused at start, without a word of the key", (_, dpop, message) => {
    let thrown: unknown;
    try {
      configured(dpop);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect((thrown as Error).message).toContain(message);
    const said = inspect(thrown, { depth: 10 });
    for (const secret of [...OURS.privateKey.split("\n").slice(1, -2), "s3cret-text"]) expect(said).not.toContain(secret);
  });

  it("sets dpop_jkt, which is then nobody else's to set", () => {
    const authorizationParameters = { dpop_jkt: "another" };
    expect(() => oidc({ issuer: "https://login.example.com", clientId: "app", clientSecret: SECRET, authorizationParameters })).toThrow(
      'oidc.authorizationParameters: leave "dpop_jkt" out',
    );
  });
});
