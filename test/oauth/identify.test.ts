import { describe, expect, it } from "vitest";
import type { Identity } from "../../lib/core/strategy.ts";
import { identify, type IdentifyOptions } from "../../lib/oauth/identify.ts";
import { createTestClock } from "../../lib/testing/index.ts";

const PROFILE = {
  id: "42",
  displayName: "Ada",
  emails: [{ value: "ada@example.com", verified: true }],
  photos: [{ value: "https://a.example/p.png" }],
};

function call(profile: unknown, { params = {}, ...options }: IdentifyOptions & { params?: unknown } = {}): Promise<Identity> {
  return new Promise((resolve, reject) => {
    identify("example", options)("access", "refresh", params, profile, (error?: unknown, identity?: Identity) =>
      error ? reject(error as Error) : resolve(identity as Identity),
    );
  });
}

describe("identify", () => {
  it("makes an identity of a normalised profile and the tokens", async () => {
    const clock = createTestClock();

    const identity = await call(PROFILE, { clock, params: { expires_in: 3600, id_token: "jwt", scope: "a,b" } });

    expect(identity).toEqual({
      provider: "example",
      issuer: "example",
      subject: "42",
      email: "ada@example.com",
      emailVerified: true,
      name: "Ada",
      image: "https://a.example/p.png",
      tokens: {
        accessToken: "access",
        refreshToken: "refresh",
        idToken: "jwt",
        accessTokenExpiresAt: clock.now() + 3_600_000,
        refreshTokenExpiresAt: null,
        scope: "a b",
      },
      providerSessionId: null,
      authenticatedAt: null,
    });
  });

  it.each(["undefined", "null", "NaN", "[object Object]"])(
    "rule 25: takes %j, which a strategy makes of a missing id, for nobody",
    async (id) => {
      await expect(call({ ...PROFILE, id })).rejects.toMatchObject({ code: "invalid_provider_response" });
    },
  );

  it("takes the expiry alone for the token reply, as passport-spotify passes it on", async () => {
    const clock = createTestClock();

    expect((await call(PROFILE, { clock, params: 3600 })).tokens?.accessTokenExpiresAt).toBe(clock.now() + 3_600_000);
  });

  it("counts five parameters, by which passport-oauth2 passes the token reply", () => {
    expect(identify("example")).toHaveLength(5);
  });

  it("works with passReqToCallback, where a request comes first", async () => {
    const identity = await new Promise<Identity>((resolve, reject) => {
      const verify = identify("example") as unknown as (...args: unknown[]) => void;
      verify({ headers: {} }, "access", "refresh", PROFILE, (error: unknown, user: Identity) =>
        error ? reject(error as Error) : resolve(user),
      );
    });

    expect(identity).toMatchObject({ subject: "42", tokens: { accessToken: "access", refreshToken: "refresh" } });
  });

  it.each([["true"], [1], [undefined], [{}], [false]])("takes an address whose verified is %j for unverified", async (verified) => {
    expect(await call({ ...PROFILE, emails: [{ value: "a@example.com", verified }] })).toMatchObject({
      email: "a@example.com",
      emailVerified: false,
    });
  });

  it("prefers the primary address", async () => {
    const emails = [{ value: "old@example.com", verified: true }, { value: "new@example.com", primary: true, verified: false }]; // prettier-ignore

    expect(await call({ ...PROFILE, emails })).toMatchObject({ email: "new@example.com", emailVerified: false });
  });

  it.each([[undefined], [""], [null], [{}], [["42"]], [Number.NaN], [1.5], ["x".repeat(256)]])(
    "rule 25: refuses %j for a subject",
    async (id) => {
      await expect(call({ ...PROFILE, id })).rejects.toMatchObject({ code: "invalid_provider_response" });
    },
  );

  it("rule 25: reads a numeric id as its digits, and never an address as an identity", async () => {
    expect(await call({ ...PROFILE, id: 42 })).toMatchObject({ subject: "42" });
    await expect(call({ emails: PROFILE.emails })).rejects.toMatchObject({ code: "invalid_provider_response" });
    await expect(call(undefined)).rejects.toMatchObject({ code: "invalid_provider_response" });
  });

  it("rule 28: drops what is not what it should be", async () => {
    const identity = await call({
      id: "42",
      displayName: { toString: "x" },
      username: 7,
      emails: "x@example.com",
      photos: [{ value: "javascript:alert(1)" }],
    });

    expect(identity).toMatchObject({ email: null, emailVerified: false, name: null, image: null });
  });

  it("keeps accounts under the issuer it is given", async () => {
    expect(await call(PROFILE, { issuer: "https://accounts.google.com" })).toMatchObject({
      provider: "example",
      issuer: "https://accounts.google.com",
    });
  });
});
