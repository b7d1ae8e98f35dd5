import { createHmac, createPrivateKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createAccessTokens } from "../../lib/core/access-tokens.ts";
import { createKeyset } from "../../lib/core/keyset.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { ATTACKS, type AttackVector, type VectorSigner } from "./access-token-attacks.vectors.ts";

const ISSUER = "https://app.example.com";
const AUDIENCE = "https://api.example.com";

function kit() {
  const clock = createTestClock();
  const keyset = createKeyset(createKeyRing([TEST_SECRET]));
  const config = { issuer: ISSUER, audience: AUDIENCE, accessTtl: 900, scopes: new Set<string>() };
  return { clock, keyset, accessTokens: createAccessTokens({ keyset, clock, config }) };
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const stranger = generateKeyPairSync("ed25519").privateKey;
const strangerEs256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

function signature(signer: VectorSigner, input: string, ours: { sign: KeyObject; verify: KeyObject }): string {
  const bytes = Buffer.from(input);
  const hmac = (key: string | Buffer) => createHmac("sha256", key).update(bytes).digest();
  const eddsa = (key: KeyObject) => sign(null, bytes, key);
  switch (signer) {
    case "none":
      return "";
    case "ours":
      return eddsa(ours.sign).toString("base64url");
    case "stranger":
      return eddsa(stranger).toString("base64url");
    case "half":
      return eddsa(ours.sign).subarray(0, 32).toString("base64url");
    case "flipped": {
      const flipped = eddsa(ours.sign);
      flipped[0] = (flipped[0] ?? 0) ^ 1;
      return flipped.toString("base64url");
    }
    case "es256":
      return sign("sha256", bytes, { key: strangerEs256, dsaEncoding: "ieee-p1363" }).toString("base64url");
    case "hs256 with our public key":
      return hmac(ours.verify.export({ format: "pem", type: "spki" })).toString("base64url");
    case "hs256 with our public key as JWK":
      return hmac(JSON.stringify(ours.verify.export({ format: "jwk" }))).toString("base64url");
  }
}

/** The good token with what the vector changes. */
function tokenOf({ header, claims, times, signer = "ours", text }: AttackVector, { clock, keyset }: ReturnType<typeof kit>): string {
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
  const input = `${encode({ alg: "EdDSA", typ: "at+jwt", kid: signing.kid, ...header })}.${encode({ ...good, ...claims, ...at })}`;
  const token = `${input}.${signature(signer, input, signing)}`;
  return text ? text(token) : token;
}

describe("the vectors", () => {
  it("are numbered, told apart, and of both results", () => {
    expect(ATTACKS.length).toBeGreaterThan(130);
    expect(new Set(ATTACKS.map(({ comment }) => comment)).size).toBe(ATTACKS.length);
    expect(ATTACKS.filter(({ result }) => result === "valid").length).toBeGreaterThanOrEqual(6);
  });
});

describe("rule 29: an access token", () => {
  it.each(ATTACKS.map((vector) => [vector.tcId, vector.comment, vector.result, vector] as const))(
    "%i, %s: %s",
    async (_, __, result, vector) => {
      const made = kit();
      const token = tokenOf(vector, made);
      const verified = made.accessTokens.verify(token);
      if (result === "valid") return expect(await verified).toMatchObject({ userId: "user-1", roles: ["member"] });
      await expect(verified).rejects.toMatchObject({ code: "invalid_token", status: 401 });
      // What is refused is not remembered as anything else.
      await expect(made.accessTokens.verify(token)).rejects.toMatchObject({ code: "invalid_token" });
    },
  );

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
      forged({ alg: "EdDSA", kid: "mac" }, (input) => sign(null, Buffer.from(input), stranger)),
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
