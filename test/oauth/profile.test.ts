import { describe, expect, it } from "vitest";
import { toTokenSet } from "../../lib/oauth/profile.ts";

const NOW = Date.UTC(2026, 0, 1);
const before = { ...toTokenSet({ access_token: "old", refresh_token: "kept", refresh_token_expires_in: 60 }, NOW) };

describe("the end of a refresh token", () => {
  it.each([
    ["as GitHub, Kakao and LinkedIn say it", { refresh_token_expires_in: 5184000 }, NOW + 5_184_000_000],
    ["as Keycloak and TikTok say it", { refresh_expires_in: 1800 }, NOW + 1_800_000],
    ["as a text", { refresh_expires_in: "1800" }, NOW + 1_800_000],
    ["never, as of Keycloak's offline tokens", { refresh_expires_in: 0 }, null],
    ["when nothing is said", {}, null],
  ])("is read %s", (_, said, expected) => {
    expect(toTokenSet({ access_token: "at", refresh_token: "rt", ...said }, NOW).refreshTokenExpiresAt).toBe(expected);
    expect(toTokenSet({ access_token: "at", refresh_token: "rt", ...said }, NOW, before).refreshTokenExpiresAt).toBe(expected);
  });

  it("stays when the refresh token does", () => {
    const next = toTokenSet({ access_token: "new" }, NOW + 30_000, before);

    expect(next).toMatchObject({ accessToken: "new", refreshToken: "kept", refreshTokenExpiresAt: NOW + 60_000 });
  });
});
