import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAccounts } from "../../lib/core/accounts.ts";
import { createEvents } from "../../lib/core/events.ts";
import type { TokenSet } from "../../lib/core/strategy.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { fakeProvider, faults, type FakeProvider } from "../../lib/testing/provider/index.ts";
import { asked, relyingParty, signIn } from "../conformance-rp/relying-party.ts";
import { identityOf } from "../support/strategy-run.ts";

const SCOPE = ["openid", "offline_access"];
const closing: FakeProvider[] = [];

afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

/** A provider whose refresh tokens work once, and the tokens of somebody who signed in there. */
async function start() {
  const provider = await fakeProvider();
  closing.push(provider);
  const { tokens } = identityOf(await signIn(provider, relyingParty(provider, { scope: SCOPE })));
  if (!tokens) throw new Error("no tokens");
  const before = asked(provider).length;
  return { provider, tokens, since: () => asked(provider).slice(before) };
}

/** The account of those tokens, which are over, in a process that never spoke with the provider. */
async function withExpired(provider: FakeProvider, tokens: TokenSet) {
  const clock = createTestClock(Date.now());
  const accounts = createAccounts({
    ...{
      store: memoryStore({ clock }),
      clock,
      keys: createKeyRing(["a secret of at least thirty-two bytes"]),
      events: createEvents(clock),
    },
    strategies: new Map([["oidc", relyingParty(provider, { scope: SCOPE })]]),
    refreshing: { wait: async () => {} },
  });
  const blank = { email: null, emailVerified: false, name: null, image: null, providerSessionId: null, authenticatedAt: null };
  const identity = { ...blank, provider: "oidc", issuer: provider.issuer, subject: "ada", tokens: { ...tokens, accessTokenExpiresAt: 1 } };
  const account = await accounts.link({ userId: "user-1", identity });
  return { accounts, stored: () => accounts.getTokens(account.id) };
}

describe("a refresh, while the provider's keys cannot be had", () => {
  it.each([
    ["503", faults.answer(503)],
    ["429", faults.busy(1)],
  ])("rule 27: spends no refresh token before they can, and works when they are back after one %s", async (_, fault) => {
    const { provider, tokens, since } = await start();
    const { accounts, stored } = await withExpired(provider, tokens);
    provider.breakOnce("keys", fault);

    const { accessToken } = await accounts.freshToken("user-1", "oidc");

    expect(await stored()).toMatchObject({ accessToken, refreshToken: expect.not.stringMatching(tokens.refreshToken ?? "") as unknown });
    expect(since()).toEqual(["discovery", "keys", "keys", "token"]);
    expect(await accounts.listForUser("user-1")).toMatchObject([{ reconnectNeeded: false }]);
  });

  it("rule 27: for long, leaves the refresh token as good as it was", async () => {
    const { provider, tokens, since } = await start();
    provider.break("keys", faults.answer(503));
    const strategy = relyingParty(provider, { scope: SCOPE });

    await expect(strategy.refresh(tokens)).rejects.toMatchObject({ code: "provider_unavailable" });
    expect(since()).not.toContain("token");
    provider.mend();
    expect((await strategy.refresh(tokens)).accessToken).not.toBe(tokens.accessToken);
  });

  it.each([
    ["answer 503", faults.answer(503)],
    ["answer 404", faults.answer(404, "gone")],
    ["are garbage", faults.garbage()],
    ["are cut off", faults.cut()],
  ])("rule 29: once it was answered, keeps the tokens and leaves out the ID token, when the changed keys %s", async (_, fault) => {
    const { provider, tokens, since } = await start();
    const strategy = relyingParty(provider, { scope: SCOPE });
    await strategy.refresh(tokens).then((next) => Object.assign(tokens, next));
    await provider.rotateKeys();
    provider.break("keys", fault);

    const next = await strategy.refresh(tokens);

    expect(next.accessToken).not.toBe(tokens.accessToken);
    expect(next.refreshToken).not.toBe(tokens.refreshToken);
    expect(next.idToken).toBe(tokens.idToken);
    expect(since().filter((endpoint) => endpoint === "token")).toHaveLength(2);
    provider.mend();
    expect((await strategy.refresh(next)).idToken).not.toBe(tokens.idToken);
  });

  it("rule 25: refuses an ID token of somebody else all the same", async () => {
    const { provider, tokens } = await start();
    const strategy = relyingParty(provider, { scope: SCOPE });
    await strategy.refresh(tokens).then((next) => Object.assign(tokens, next));
    await provider.rotateKeys();
    provider.break("keys", faults.answer(503));
    provider.change({ idToken: (claims) => ({ ...claims, sub: "mallory" }) });

    await expect(strategy.refresh(tokens)).rejects.toMatchObject({ code: "invalid_provider_response" });
  });
});
