import { createHmac, createPrivateKey, createSecretKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import type { Server } from "node:http";
import express from "express";
import request from "supertest";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAccessTokens } from "../../lib/core/access-tokens.ts";
import { createKeyset } from "../../lib/core/keyset.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { accessTokenGuard } from "../../lib/http/access-token-guard.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { listen } from "../support/app.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { ATTACKS, type AttackVector, type VectorSigner } from "./access-token-attacks.vectors.ts";

const ISSUER = "https://app.example.com";
const AUDIENCE = "https://api.example.com";
const SECRET = "a secret of the application's own, 32 bytes";
const ALGORITHMS = ["EdDSA", "ES256", "RS256", "HS256"] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const pairOf = {
  EdDSA: () => generateKeyPairSync("ed25519"),
  ES256: ecPair,
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
};
/** Keys of the application, and of somebody else. */
const OURS = { EdDSA: null, ES256: ecPair().privateKey, RS256: pairOf.RS256().privateKey, HS256: createSecretKey(Buffer.from(SECRET)) };
const STRANGER = {
  EdDSA: pairOf.EdDSA().privateKey,
  ES256: ecPair().privateKey,
  RS256: pairOf.RS256().privateKey,
  HS256: createSecretKey(randomBytes(32)),
};

function ecPair() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function kit(alg: Algorithm = "EdDSA") {
  const clock = createTestClock();
  const key = OURS[alg];
  const keyset = createKeyset(createKeyRing([TEST_SECRET]), key && [{ kid: "ours", alg, key }]);
  const config = { issuer: ISSUER, audience: AUDIENCE, accessTtl: 900, scopes: new Set<string>() };
  return { alg, clock, keyset, accessTokens: createAccessTokens({ keyset, clock, config }) };
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

function signBy(alg: Algorithm, bytes: Buffer, key: KeyObject): Buffer {
  switch (alg) {
    case "EdDSA":
      return sign(null, bytes, key);
    case "ES256":
      return sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" });
    case "RS256":
      return sign("sha256", bytes, key);
    case "HS256":
      return createHmac("sha256", key).update(bytes).digest();
  }
}

function signature(signer: VectorSigner, input: string, { alg, keyset }: ReturnType<typeof kit>): string {
  const { signing } = keyset;
  const bytes = Buffer.from(input);
  const ours = () => signBy(alg, bytes, signing.sign);
  const hmac = (key: string | Buffer) => createHmac("sha256", key).update(bytes).digest();
  const text = (made: Buffer) => made.toString("base64url");
  switch (signer) {
    case "none":
      return "";
    case "ours":
      return text(ours());
    case "stranger":
      return text(signBy(alg, bytes, STRANGER[alg]));
    case "half":
      return text(ours().subarray(0, ours().length / 2));
    case "halves swapped": {
      const made = ours();
      return text(Buffer.concat([made.subarray(made.length / 2), made.subarray(0, made.length / 2)]));
    }
    case "flipped": {
      const flipped = ours();
      flipped[0] = (flipped[0] ?? 0) ^ 1;
      return text(flipped);
    }
    case "der":
      return text(sign("sha256", bytes, alg === "ES256" ? signing.sign : STRANGER.ES256));
    case "es256":
      return text(signBy("ES256", bytes, STRANGER.ES256));
    case "hs256 with our public key":
      return text(hmac(signing.verify.export({ format: "pem", type: "spki" })));
    case "hs256 with our public key as JWK":
      return text(hmac(JSON.stringify(signing.verify.export({ format: "jwk" }))));
  }
}

/** The good token with what the vector changes. */
function tokenOf({ header, claims, times, signer = "ours", text }: AttackVector, made: ReturnType<typeof kit>): string {
  const { alg, clock, keyset } = made;
  const { signing } = keyset;
  const now = Math.floor(clock.now() / 1000);
  const at = Object.fromEntries(Object.entries(times ?? {}).map(([name, seconds]) => [name, now + seconds]));
  const good = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "user-1",
    iat: now,
    nbf: now,
    exp: now + 900,
    jti: "j",
    sid: "s",
    type: "access",
    roles: ["member"],
  };
  const input = `${encode({ alg, typ: "at+jwt", kid: signing.kid, ...header })}.${encode({ ...good, ...claims, ...at })}`;
  const token = `${input}.${signature(signer, input, made)}`;
  return text ? text(token) : token;
}

describe("the vectors", () => {
  it("are numbered, told apart, and of both results", () => {
    expect(ATTACKS.length).toBeGreaterThan(130);
    expect(new Set(ATTACKS.map(({ comment }) => comment)).size).toBe(ATTACKS.length);
    expect(ATTACKS.filter(({ result }) => result === "valid").length).toBeGreaterThanOrEqual(6);
  });
});

/** The vectors that say something for a key of this algorithm: a secret has no public key to be mistaken for it. */
const attacksOn = (alg: Algorithm) => ATTACKS.filter(({ signer }) => alg !== "HS256" || !signer?.includes("public key"));
const named = (vectors: readonly AttackVector[]) => vectors.map((vector) => [vector.tcId, vector.comment, vector.result, vector] as const);

describe.each(ALGORITHMS)("rule 29: an access token by %s", (alg) => {
  it.each(named(attacksOn(alg)))("%i, %s: %s", async (_, __, result, vector) => {
    const made = kit(alg);
    const token = tokenOf(vector, made);
    const verified = made.accessTokens.verify(token);
    if (result === "valid") return expect(await verified).toMatchObject({ userId: "user-1", roles: ["member"] });
    await expect(verified).rejects.toMatchObject({ code: "invalid_token", status: 401 });
    // What is refused is not remembered as anything else.
    await expect(made.accessTokens.verify(token)).rejects.toMatchObject({ code: "invalid_token" });
  });

  /** Times, purpose and all else are not its business. */
  const ofItsOwn = ({ times, claims = {} }: AttackVector) =>
    !times && Object.keys(claims).every((name) => ["iss", "aud", "padding"].includes(name));

  it.each(named(attacksOn(alg).filter(ofItsOwn)))("%i, %s, by its signature alone: %s", async (_, __, result, vector) => {
    const made = kit(alg);
    const verified = made.accessTokens.verifySignature(tokenOf(vector, made));
    if (result === "valid") return expect(await verified).toMatchObject({ sub: "user-1" });
    await expect(verified).rejects.toMatchObject({ code: "invalid_token", status: 401 });
  });
});

describe.each(["EdDSA", "ES256", "RS256"] as const)("rule 29: an access token by %s, at an API of its own", (alg) => {
  const made = kit(alg);
  const { clock, accessTokens } = made;
  /** As the issuer would publish them that somebody has broken into: its secret is no key for anybody else. */
  const keys = [...accessTokens.jwks.keys, { kty: "oct", kid: "mac", alg: "HS256", k: Buffer.from(SECRET).toString("base64url") }];
  const guard = accessTokenGuard({ issuer: ISSUER, audience: AUDIENCE, clock, fetch: async () => Response.json({ keys }) });
  const app = express().get("/", guard, (req, res) => void res.json({ userId: req.auth.userId }));
  let server: Server;
  beforeAll(async () => {
    server = await listen(app);
  });
  afterAll(() => void server.close());

  const answerTo = (token: string) => request(server).get("/").set("authorization", `Bearer ${token}`);

  it("has a vector for all that fits into a header", async () => {
    let asked = 0;
    for (const vector of attacksOn(alg)) {
      const token = tokenOf(vector, made);
      // A header holds no other characters and not so many, and what stands around it is not of it.
      if (token.length > 12_000 || /[^!-~]/.test(token)) continue;
      asked += 1;
      const { status, body } = await answerTo(token);
      const expected = vector.result === "valid" ? [vector.comment, 200, "user-1"] : [vector.comment, 401, undefined];
      expect([vector.comment, status, (body as { userId?: string }).userId]).toEqual(expected);
    }
    expect(asked).toBeGreaterThan(130);
  });

  it("takes none by a secret, not even one that is published", async () => {
    const token = tokenOf({ tcId: 0, comment: "", result: "invalid", header: { kid: "mac" } }, kit("HS256"));
    await answerTo(token).expect(401);
  });
});

describe("rule 29: an access token", () => {
  it("that was good is refused when its time is over, though it was remembered", async () => {
    const made = kit();
    const token = tokenOf({ tcId: 0, comment: "", result: "valid" }, made);
    await made.accessTokens.verify(token);
    made.clock.advance(906);
    await expect(made.accessTokens.verify(token)).rejects.toMatchObject({ code: "invalid_token" });
  });

  it("of another application with other secrets, or with the same secret and another name, is refused", async () => {
    const made = kit();
    const token = tokenOf({ tcId: 0, comment: "", result: "valid" }, made);
    const others = [
      { secret: "another secret that is long enough for it", issuer: ISSUER, audience: AUDIENCE },
      { secret: TEST_SECRET, issuer: "https://other.example.com", audience: AUDIENCE },
      { secret: TEST_SECRET, issuer: ISSUER, audience: "https://other.example.com" },
    ];
    for (const { secret, issuer, audience } of others) {
      const keyset = createKeyset(createKeyRing([secret]));
      const config = { issuer, audience, accessTtl: 900, scopes: new Set<string>() };
      const accessTokens = createAccessTokens({ keyset, clock: made.clock, config });
      await expect(accessTokens.verify(token)).rejects.toMatchObject({ code: "invalid_token" });
    }
  });

  it("is verified by its key's own algorithm: an RS256 key takes no HS256, an HS256 key no EdDSA", async () => {
    const { clock } = kit();
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const now = Math.floor(clock.now() / 1000);
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: "user-1", iat: now, exp: now + 900, jti: "j", sid: "s", type: "access" };
    const keyset = createKeyset(createKeyRing([TEST_SECRET]), [
      { kid: "rsa", alg: "RS256", key: rsa.privateKey },
      { kid: "mac", alg: "HS256", key: "a secret of the application's own, 32 bytes" },
    ]);
    const config = { issuer: ISSUER, audience: AUDIENCE, accessTtl: 900, scopes: new Set<string>() };
    const accessTokens = createAccessTokens({ keyset, clock, config });
    const forged = (header: object, make: (input: string) => Buffer) => {
      const input = `${encode({ typ: "at+jwt", ...header })}.${encode(claims)}`;
      return `${input}.${make(input).toString("base64url")}`;
    };
    const publicPem = rsa.publicKey.export({ format: "pem", type: "spki" });
    const forgeries = [
      forged({ alg: "HS256", kid: "rsa" }, (input) => createHmac("sha256", publicPem).update(input).digest()),
      forged({ alg: "RS512", kid: "rsa" }, (input) => sign("sha512", Buffer.from(input), rsa.privateKey)),
      forged({ alg: "EdDSA", kid: "mac" }, (input) => sign(null, Buffer.from(input), STRANGER.EdDSA)),
      forged({ alg: "RS256", kid: "mac" }, (input) => sign("sha256", Buffer.from(input), rsa.privateKey)),
      forged({ alg: "HS256", kid: "mac" }, (input) => createHmac("sha256", "").update(input).digest()),
    ];
    for (const token of forgeries) await expect(accessTokens.verify(token)).rejects.toMatchObject({ code: "invalid_token" });
    const right = forged({ alg: "RS256", kid: "rsa" }, (input) =>
      sign("sha256", Buffer.from(input), createPrivateKey(rsa.privateKey.export({ format: "pem", type: "pkcs8" }))),
    );
    expect(await accessTokens.verify(right)).toMatchObject({ userId: "user-1" });
  });
});
