import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createKeyset, type SigningKey } from "../../lib/core/keyset.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { TEST_SECRET } from "../support/kit.ts";

const ring = createKeyRing([TEST_SECRET]);
const ed25519 = generateKeyPairSync("ed25519");
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

describe("a keyset", () => {
  it("of a secret is the same in every process, and another for another secret", () => {
    const key = () => createKeyset(createKeyRing([TEST_SECRET])).jwks.keys[0];
    expect(key()).toEqual(key());
    expect(createKeyset(createKeyRing([`${TEST_SECRET}!`])).jwks.keys[0]?.x).not.toBe(key()?.x);
  });

  it("takes PEM, JWK and KeyObject for every algorithm, and publishes the public keys alone", () => {
    const keys: SigningKey[] = [
      { kid: "1", alg: "EdDSA", key: ed25519.privateKey.export({ type: "pkcs8", format: "pem" }).toString() },
      { kid: "2", alg: "ES256", key: p256.privateKey.export({ format: "jwk" }) },
      { kid: "3", alg: "RS256", key: rsa.publicKey },
      { kid: "4", alg: "HS256", key: { kty: "oct", k: Buffer.alloc(32, 7).toString("base64url") } },
    ];
    const { jwks, find, signing } = createKeyset(ring, keys);
    expect(jwks.keys.map(({ kid, alg, use }) => [kid, alg, use])).toEqual([
      ["1", "EdDSA", "sig"],
      ["2", "ES256", "sig"],
      ["3", "RS256", "sig"],
    ]);
    expect(jwks.keys.some((key) => "d" in key || "k" in key || "p" in key)).toBe(false);
    expect([signing.kid, find("3")?.sign, find("5"), find(undefined)]).toEqual(["1", null, null, null]);
  });

  it.each<[string, SigningKey[], RegExp]>([
    ["a secret under 256 bits", [{ kid: "k", alg: "HS256", key: "x".repeat(31) }], /32 bytes/],
    ["a short RSA key", [{ kid: "k", alg: "RS256", key: generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey }], /2048 bits/],
    ["a key of another algorithm", [{ kid: "k", alg: "ES256", key: ed25519.privateKey }], /P-256/],
    ["a first key that cannot sign", [{ kid: "k", alg: "EdDSA", key: ed25519.publicKey }], /sign/],
    ["two keys of one name", [1, 2].map(() => ({ kid: "k", alg: "EdDSA" as const, key: ed25519.privateKey })), /of its own/],
    ["text that is no key", [{ kid: "k", alg: "EdDSA", key: "nonsense" }], /PEM/],
    ["an unknown algorithm", [{ kid: "k", alg: "none" as "EdDSA", key: ed25519.privateKey }], /EdDSA, ES256/],
    ["a name beyond letters and digits", [{ kid: "../k", alg: "EdDSA", key: ed25519.privateKey }], /kid/],
  ])("rule 29: refuses %s at start", (_, keys, words) => {
    expect(() => createKeyset(ring, keys)).toThrow(words);
  });
});
