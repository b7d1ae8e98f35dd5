import { describe, expect, it } from "vitest";
import { readStrategyUser } from "../../lib/http/strategy-user.ts";

describe("a strategy's user", () => {
  it("is an identity at a provider, or a user of the application", () => {
    const identity = { provider: "google", issuer: "https://accounts.google.com", subject: "1" };

    expect(readStrategyUser(identity)).toEqual({ identity, userId: null });
    expect(readStrategyUser({ id: "user-1", provider: "google", email: "ada@example.com" })).toEqual({ identity: null, userId: "user-1" });
  });

  it.each([
    ["by its raw body", { id: "1", _raw: "{}" }],
    ["by its JSON", { id: "1", _json: {} }],
    ["by its normalised fields", { id: "1", provider: "github", displayName: "Mona" }],
  ])("rule 25: is no profile, told %s", (_how, profile) => {
    expect(() => readStrategyUser(profile)).toThrow(expect.objectContaining({ code: "config_error" }));
  });

  it.each([[null], [true], ["user-1"], [{}], [{ id: "" }], [{ id: 7 }], [{ id: { $ne: 1 } }], [[]]])("is not %j", (user) => {
    expect(() => readStrategyUser(user)).toThrow(expect.objectContaining({ code: "provider_error" }));
  });
});
