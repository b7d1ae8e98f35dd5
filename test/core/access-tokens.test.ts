import { createHmac, createSecretKey, generateKeyPairSync } from "node:crypto";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, SignJWT, type JWTHeaderParameters } from "jose";
import { describe, expect, it } from "vitest";
import { createAccessTokens } from "../../lib/core/access-tokens.ts";
import { createKeyset, type SigningKey } from "../../lib/core/keyset.ts";
import { createVerifiedTokens } from "../../lib/core/verified-tokens.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { createTestKit, TEST_SECRET } from "../support/kit.ts";

const ISSUER = "https://app.example.com";
const AUDIENCE = "https://api.example.com";
const OTHER_SECRET = "another secret that is long enough to be one";

function open({ keys = null as SigningKey[] | null, secrets = [TEST_SECRET], clock = createTestClock() } = {}) {
  const kit = createTestKit({ clock, secrets });
  const keyset = createKeyset(createKeyRing(secrets), keys);
  const config = { issuer: ISSUER, audience: AUDIENCE, accessTtl: 900, scopes: new Set(["read"]) };
  const issue = async () => {
    const { session } = await kit.sessions.create({ userId: "user-1", methods: ["test"], tenantId: null });
    return { session, ...(await accessTokens.issue(session)) };
  };
  const accessTokens = createAccessTokens({ keyset, clock, config });
  return { ...kit, keyset, accessTokens, config, issue };
}

const refused = { code: "invalid_token", status: 401 };
const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("access tokens", () => {
  it("say who, for whom, until when, in which session, with which rights", async () => {
    const { accessTokens, clock, issue } = open();
    const { token, session, expiresAt } = await issue();

    expect(expiresAt).toBe(clock.now() + 900_000);
    expect(decodeProtectedHeader(token)).toEqual({ alg: "EdDSA", typ: "at+jwt", kid: expect.any(String) });
    const verified = await accessTokens.verify(token);
    expect(verified).toMatchObject({ userId: "user-1", sessionId: session.id, tenantId: null, roles: [], methods: ["test"] });
    expect(verified.hasOwnProperty("scopes") && [...verified.scopes]).toEqual(["read"]);
    expect(Object.keys(verified.claims).sort()).toEqual(
      ["amr", "aud", "auth_time", "exp", "iat", "iss", "jti", "nbf", "roles", "scope", "sid", "styp", "sub", "type"].sort(),
    );
  });

  it("verify with an independent reader of the published keys, among which no secret is", async () => {
    const hmac = { kid: "h", alg: "HS256" as const, key: OTHER_SECRET };
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { accessTokens, clock, issue } = open({ keys: [{ kid: "e", alg: "ES256", key: privateKey }, hmac] });
    const { token } = await issue();

    expect(accessTokens.jwks.keys.map(({ kid }) => kid)).toEqual(["e"]);
    expect(JSON.stringify(accessTokens.jwks)).not.toMatch(/"(?:d|k)":/);
    const keys = createLocalJWKSet({ keys: accessTokens.jwks.keys.map((key) => ({ ...key, kty: String(key.kty) })) });
    const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: AUDIENCE, currentDate: new Date(clock.now()) });
    expect(payload.sub).toBe("user-1");
  });

  it.each([
    ["EdDSA", () => generateKeyPairSync("ed25519").privateKey],
    ["ES256", () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey],
    ["RS256", () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey],
    ["HS256", () => createSecretKey(Buffer.from(OTHER_SECRET))],
  ] as const)("by %s are read by us and by others, whoever wrote them", async (alg, makeKey) => {
    const key = makeKey();
    const { accessTokens, clock, keyset, issue } = open({ keys: [{ kid: "k", alg, key }] });
    const { token } = await issue();
    expect(decodeProtectedHeader(token)).toEqual({ alg, typ: "at+jwt", kid: "k" });
    expect((await accessTokens.verify(token)).userId).toBe("user-1");
    const expected = { issuer: ISSUER, audience: AUDIENCE, currentDate: new Date(clock.now()), algorithms: [alg], typ: "at+jwt" };
    const { payload } = await jwtVerify(token, keyset.signing.verify, expected);

    const theirs = await new SignJWT({ ...payload, sub: "user-2" }).setProtectedHeader({ alg, typ: "at+jwt", kid: "k" }).sign(key);
    expect((await accessTokens.verify(theirs)).userId).toBe("user-2");
  });

  it("never outlive their session", async () => {
    const { accessTokens, clock, issue } = open();
    const { session } = await issue();
    clock.set(session.expiresAt - 10_000);
    expect((await accessTokens.issue(session)).expiresAt).toBe(session.expiresAt);
  });

  it("count until they expire, and for five seconds of another machine's clock", async () => {
    const { accessTokens, clock, issue } = open();
    const { token } = await issue();
    clock.advance(904);
    await expect(accessTokens.verify(token)).resolves.toMatchObject({ userId: "user-1" });
    clock.advance(1);
    await expect(accessTokens.verify(token)).rejects.toMatchObject({ ...refused, message: "The access token has expired" });
  });

  it("count from five seconds before they were issued", async () => {
    const { accessTokens, clock, issue } = open();
    const { token } = await issue();
    clock.advance(-6);
    await expect(accessTokens.verify(token)).rejects.toMatchObject(refused);
    clock.advance(1);
    await expect(accessTokens.verify(token)).resolves.toMatchObject({ userId: "user-1" });
  });

  it("take claims of the application's own, but none that are ours", async () => {
    const { accessTokens, issue } = open();
    const { session } = await issue();
    const { token } = await accessTokens.issue(session, { scope: [], claims: { plan: "pro" } });
    const { claims, scopes } = await accessTokens.verify(token);
    expect([claims["plan"], scopes.size]).toEqual(["pro", 0]);
    for (const name of ["sub", "roles", "exp", "type"])
      await expect(accessTokens.issue(session, { claims: { [name]: "x" } })).rejects.toMatchObject({ code: "config_error" });
  });

  it("are never made for guests", async () => {
    const { accessTokens, sessions } = open();
    const { session } = await sessions.createGuest();
    await expect(accessTokens.issue(session)).rejects.toMatchObject({ code: "config_error" });
  });

  it("that were seen before are the same object, frozen, until they expire", async () => {
    const { accessTokens, clock, issue } = open();
    const { token } = await issue();
    const first = await accessTokens.verify(token);
    expect(await accessTokens.verify(token)).toBe(first);
    expect(Object.isFrozen(first) && Object.isFrozen(first.claims) && Object.isFrozen(first.claims["amr"])).toBe(true);
    expect(() => (first.scopes as Set<string>).add("admin")).toThrow(TypeError);
    clock.advance(900);
    expect(await accessTokens.verify(token)).not.toBe(first);
  });

  it("that were seen before are remembered in bounded number, those used lately longest", () => {
    const cache = createVerifiedTokens(createTestClock(0), 2);
    const token = { expiresAt: 1000 } as Awaited<ReturnType<ReturnType<typeof open>["accessTokens"]["verify"]>>;
    for (const text of ["a", "b", "c"]) cache.remember(text, token);
    expect(cache.get("a")).toBe(token);
    for (const text of ["d", "e"]) cache.remember(text, token);
    expect([cache.get("a"), cache.get("b")]).toEqual([token, null]);
  });

  it("rule 30: that were seen before are known by all of their text, not by how it ends", () => {
    const cache = createVerifiedTokens(createTestClock(0));
    const token = { expiresAt: 1000 } as Awaited<ReturnType<ReturnType<typeof open>["accessTokens"]["verify"]>>;
    const ending = "x".repeat(86);
    cache.remember(`header.claims.${ending}`, token);
    expect([cache.get(`header.claims.${ending}`), cache.get(`header.others.${ending}`)]).toEqual([token, null]);
  });

  it("are seen only once they proved true, and only until they expire", async () => {
    const { accessTokens, clock, issue } = open();
    const { token } = await issue();
    expect(accessTokens.seen(token)).toBeNull();
    const verified = await accessTokens.verify(token);
    expect(accessTokens.seen(token)).toBe(verified);
    expect(accessTokens.seen(`${token.slice(0, -1)}`)).toBeNull();
    clock.advance(900);
    expect(accessTokens.seen(token)).toBeNull();
  });

  it("of processes with the same secrets are good everywhere; a retired secret's are not", async () => {
    const { token } = await open({ secrets: [OTHER_SECRET] }).issue();
    await expect(open({ secrets: [TEST_SECRET, OTHER_SECRET] }).accessTokens.verify(token)).resolves.toMatchObject({ userId: "user-1" });
    await expect(open().accessTokens.verify(token)).rejects.toMatchObject(refused);
  });

  it("outlive the switch to another key, and end when the old one is retired", async () => {
    const pair = (kid: string) => ({ kid, alg: "EdDSA" as const, key: generateKeyPairSync("ed25519").privateKey });
    const [before, after] = [pair("before"), pair("after")];
    const { token } = await open({ keys: [before, after] }).issue();
    expect(decodeProtectedHeader(token).kid).toBe("before");
    const switched = open({ keys: [after, before] });
    await expect(switched.accessTokens.verify(token)).resolves.toMatchObject({ userId: "user-1" });
    expect(decodeProtectedHeader((await switched.issue()).token).kid).toBe("after");
    await expect(open({ keys: [after] }).accessTokens.verify(token)).rejects.toMatchObject(refused);
  });
});

describe("an access token for another API", () => {
  it.each(["", 7, null, ["https://a.example"]])("names one, not %j", async (audience) => {
    const { accessTokens, sessions } = open();
    const { session } = await sessions.create({ userId: "user-1" });
    await expect(accessTokens.issue(session, { audience: audience as never })).rejects.toThrow("accessTokens.issue.audience");
  });
});

describe("rule 29: an access token", () => {
  const forge = async (
    change: { header?: Partial<JWTHeaderParameters>; claims?: Record<string, unknown>; without?: string[]; typ?: string } = {},
  ) => {
    const opened = open();
    const { session } = await opened.issue();
    const { signing } = opened.keyset;
    const now = Math.floor(opened.clock.now() / 1000);
    const claims: Record<string, unknown> = {
      ...{ iss: ISSUER, aud: AUDIENCE, sub: "user-1", iat: now, nbf: now, exp: now + 900 },
      ...{ jti: "token-1", sid: session.id, type: "access", styp: "full", roles: [] },
      ...change.claims,
    };
    for (const name of change.without ?? []) delete claims[name];
    const header = { alg: signing.alg, typ: "at+jwt", kid: signing.kid, ...change.header };
    return { ...opened, claims, header, token: await new SignJWT(claims).setProtectedHeader(header as never).sign(signing.sign) };
  };

  it("that is made as ours are is let in, so that each refusal below has the cause it names", async () => {
    const { accessTokens, token } = await forge();
    await expect(accessTokens.verify(token)).resolves.toMatchObject({ userId: "user-1" });
  });

  it.each([
    ["another issuer", { claims: { iss: "https://evil.example" } }],
    ["another audience", { claims: { aud: "https://other.example" } }],
    ["no audience", { without: ["aud"] }],
    ["the type of an ID token", { header: { typ: "JWT" } }],
    ["another purpose", { claims: { type: "refresh" } }],
    ["no purpose, as an ID token has none", { without: ["type", "sid"] }],
    ["no expiry", { without: ["exp"] }],
    ["an expiry that is no number", { claims: { exp: "tomorrow" } }],
    ["no id", { without: ["jti"] }],
    ["no session", { without: ["sid"] }],
    ["no subject", { without: ["sub"] }],
    ["roles that are no list", { claims: { roles: "admin" } }],
    ["a date of issue that is to come", { claims: { iat: 4_000_000_000 } }],
    ["a wrong kid", { header: { kid: "nobody" } }],
    ["no kid", { header: { kid: undefined as unknown as string } }],
    ["keys of its own, by address", { header: { jku: "https://evil.example/jwks.json" } }],
    ["keys of its own, by certificate", { header: { x5u: "https://evil.example/cert" } }],
    ["a certificate of its own", { header: { x5c: ["AA=="] } }],
    ["a key of its own", { header: { jwk: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } } }],
  ])("with %s is refused", async (_, change) => {
    const { accessTokens, token } = await forge(change);
    await expect(accessTokens.verify(token)).rejects.toMatchObject(refused);
  });

  it("without a signature, or that names another algorithm for our key, is refused", async () => {
    const { accessTokens, claims, header, token, keyset } = await forge();
    const publicKey = keyset.signing.verify.export({ type: "spki", format: "pem" });
    const [, body = "", signature = ""] = token.split(".");
    const confused = `${b64({ ...header, alg: "HS256" })}.${b64(claims)}`;
    for (const forged of [
      `${b64({ ...header, alg: "none" })}.${b64(claims)}.`,
      `${b64({ ...header, alg: "none" })}.${b64(claims)}.${signature}`,
      `${b64({ ...header, alg: "ES256" })}.${body}.${signature}`,
      `${confused}.${createHmac("sha256", publicKey).update(confused).digest("base64url")}`,
      `${confused}.${createHmac("sha256", String(keyset.jwks.keys[0]?.x)).update(confused).digest("base64url")}`,
      `${b64({ ...header, crit: ["ours"], ours: 1 })}.${body}.${signature}`,
      `${b64({ ...header, crit: ["b64"], b64: false })}.${body}.${signature}`,
      `${token.slice(0, -6)}AAAAAA`,
      `${token}.${signature}`,
      "a.b.c",
      `${"A".repeat(9000)}.AA.AA`,
    ])
      await expect(accessTokens.verify(forged), forged.slice(0, 60)).rejects.toMatchObject(refused);
  });

  it("signed for a symmetric key by the text of a public one is refused at start", () => {
    const pem = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
    expect(() => open({ keys: [{ kid: "k", alg: "HS256", key: pem }] })).toThrow(/must be a secret/);
  });
});
