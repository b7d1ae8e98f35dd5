import { pbkdf2Sync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createAuth } from "../../lib/auth.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";

const SECRET = "a secret that is long enough for a test";
const OTHER = "another secret that is long enough, too";
const bytes = (ring: ReturnType<typeof createKeyRing>, purpose: string) => ring.current(purpose).key.export().toString("hex");

describe.each(["hkdf", "pbkdf2"] as const)("a ring of keys by %s", (derivation) => {
  it("makes the same key of a secret and a purpose, and another of anything else", () => {
    const ring = createKeyRing([SECRET], "secret", derivation);
    const again = createKeyRing([SECRET], "secret", derivation);
    expect(bytes(ring, "a")).toBe(bytes(again, "a"));
    expect(bytes(ring, "a")).toHaveLength(64);
    const keys = [bytes(ring, "a"), bytes(ring, "b"), bytes(createKeyRing([OTHER], "secret", derivation), "a")];
    expect(new Set(keys).size).toBe(3);
  });

  it("signs by the first secret and finds all by id", () => {
    const ring = createKeyRing([SECRET, OTHER], "secret", derivation);
    const [first, second] = ring.all("a");
    expect(ring.current("a")).toBe(first);
    expect(ring.find("a", second?.id ?? "")).toBe(second);
    expect(ring.find("a", "unknown")).toBeNull();
    expect(ring.current("b").id).toBe(first?.id);
  });

  it("derives once for each secret and purpose", () => {
    const ring = createKeyRing([SECRET], "secret", derivation);
    expect(ring.current("a")).toBe(ring.current("a"));
  });
});

describe("the two derivations", () => {
  it("have neither keys nor ids in common", () => {
    const hkdf = createKeyRing([SECRET]).current("a");
    const pbkdf2 = createKeyRing([SECRET], "secret", "pbkdf2").current("a");
    expect(pbkdf2.id).not.toBe(hkdf.id);
    expect(pbkdf2.key.equals(hkdf.key)).toBe(false);
  });

  it("by PBKDF2 is that of RFC 8018 with HMAC-SHA256", () => {
    // A published vector of this function: ("secret", "salt", 1 round, 5 bytes).
    expect([...pbkdf2Sync("secret", "salt", 1, 5, "sha256")]).toEqual([56, 223, 66, 139, 48]);
    const expected = pbkdf2Sync(SECRET, "latchkey a", 250_000, 32, "sha256").toString("hex");
    expect(bytes(createKeyRing([SECRET], "secret", "pbkdf2"), "a")).toBe(expected);
  });

  it("are chosen by an option: a session made under one is none under the other", async () => {
    const make = (keyDerivation?: "hkdf" | "pbkdf2") => createAuth({ secret: SECRET, baseUrl: "http://localhost", keyDerivation });
    const [hkdf, pbkdf2, same] = [make(), make("pbkdf2"), make("hkdf")];
    const { token } = await hkdf.sessions.create({ userId: "user-1" });
    expect((await hkdf.sessions.resolve(token)).session).not.toBeNull();
    expect((await pbkdf2.sessions.resolve(token)).failure?.code).toBe("invalid_token");
    // Its signature holds there; only that store has no such session.
    expect((await same.sessions.resolve(token)).failure?.code).toBe("session_not_found");
    expect(() => createAuth({ secret: SECRET, keyDerivation: "scrypt" as never })).toThrow('keyDerivation: give "hkdf" or "pbkdf2"');
    await Promise.all([hkdf.close(), pbkdf2.close(), same.close()]);
  });
});
