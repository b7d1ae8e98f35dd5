import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAccounts, type RefreshTokenSet } from "../../lib/core/accounts.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import type { Identity, TokenSet } from "../../lib/core/strategy.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { ProviderError, StorageError } from "../../lib/errors.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { google } from "../../strategies/google.ts";

const HOUR = 3600;

/** A linked Google account whose access token lasts an hour, and a second process on the same store. */
async function createLinked(fields: Partial<TokenSet> = {}) {
  const clock = createTestClock();
  const inner = memoryStore({ clock });
  const broken = { writes: 0 };
  const store: typeof inner = {
    ...inner,
    async commit(writes) {
      if (broken.writes === 0) return inner.commit(writes);
      broken.writes -= 1;
      throw new StorageError();
    },
  };
  const events = createEvents(clock);
  const told: AuthEvent[] = [];
  events.on("*", (event) => told.push(event));
  const keys = createKeyRing(["a secret of at least thirty-two bytes"]);
  const waits: number[] = [];
  const meanwhile: { happens: () => unknown } = { happens: () => {} };
  const refreshing = {
    wait: async (ms: number) => {
      waits.push(ms);
      meanwhile.happens();
      clock.advance(ms / 1000);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const parts = { store, keys, clock, events, refreshing };
  const [accounts, elsewhere] = [createAccounts(parts), createAccounts(parts)];
  const tokens: TokenSet = { ...tokenSet(1), accessTokenExpiresAt: clock.now() + HOUR * 1000, ...fields };
  const account = await accounts.link({ userId: "user-1", identity: { ...identity, tokens } });
  told.length = 0;
  return { clock, accounts, elsewhere, account, tokens, told, waits, meanwhile, broken, parts };
}

function tokenSet(n: number): TokenSet {
  return {
    accessToken: `access-${n}`,
    refreshToken: `refresh-${n}`,
    idToken: null,
    accessTokenExpiresAt: null,
    refreshTokenExpiresAt: null,
    scope: "email",
  };
}

const identity: Identity = {
  provider: "google",
  issuer: "https://accounts.google.com",
  subject: "1001",
  email: null,
  emailVerified: false,
  name: null,
  image: null,
  tokens: null,
  providerSessionId: null,
  authenticatedAt: null,
};

/** A provider that replaces its refresh token with each use, and takes none twice. */
function rotatingProvider() {
  let current = 1;
  return vi.fn<RefreshTokenSet>(async (refreshToken) => {
    if (refreshToken !== `refresh-${current}`) throw new ProviderError("invalid_grant", "no longer good");
    current += 1;
    const answer = tokenSet(current);
    await new Promise((resolve) => setImmediate(resolve));
    return answer;
  });
}

describe("a provider's access token", () => {
  it("is given as it is while it lasts more than a minute", async () => {
    const { accounts, clock, account, tokens } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR - 61);

    expect(await accounts.freshToken("user-1", "google", { refresh })).toEqual({
      accessToken: "access-1",
      tokenType: "Bearer",
      proof: null,
      accessTokenExpiresAt: tokens.accessTokenExpiresAt,
      scope: "email",
      accountId: account.id,
    });
    expect(refresh).not.toHaveBeenCalled();
  });

  it("that is bound to a key which no strategy of ours has, says so, and leaves proofs to whoever has it", async () => {
    const { accounts, elsewhere, account, tokens } = await createLinked({ jkt: "a thumbprint" });

    expect(await accounts.freshToken("user-1", "google")).toMatchObject({ accessToken: "access-1", tokenType: "DPoP", proof: null });
    expect(await elsewhere.getTokens(account.id)).toEqual(tokens);
    const refresh = async () => ({ ...tokenSet(2), jkt: "another" });
    expect(await accounts.freshToken("user-1", "google", { refresh, refused: "access-1" })).toMatchObject({ tokenType: "DPoP" });
    await accounts.saveTokens(account.id, tokenSet(3));
    expect(await accounts.freshToken("user-1", "google")).toMatchObject({ accessToken: "access-3", tokenType: "Bearer", proof: null });
    expect(await elsewhere.getTokens(account.id)).not.toHaveProperty("jkt");
  });

  it("is refreshed when a minute or less is left, and stored before it is given", async () => {
    const { accounts, elsewhere, clock, account, told } = await createLinked();
    clock.advance(HOUR - 60);
    const { accessToken } = await accounts.freshToken("user-1", "google", { refresh: rotatingProvider() });

    expect(accessToken).toBe("access-2");
    expect(await elsewhere.getTokens(account.id)).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-2" });
    expect(await elsewhere.findByIdentity(identity)).toMatchObject({ id: account.id, userId: "user-1", createdAt: account.createdAt });
    expect(told).toMatchObject([{ type: "account.refreshed", userId: "user-1", details: { provider: "google", accountId: account.id } }]);
  });

  it("is refreshed as long ahead as the caller says", async () => {
    const { accounts, clock } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR - 601);
    expect(await accounts.freshToken("user-1", "google", { refresh, minTtl: 600 })).toMatchObject({ accessToken: "access-1" });
    clock.advance(1);
    expect(await accounts.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-1" });
    expect(await accounts.freshToken("user-1", "google", { refresh, minTtl: 600 })).toMatchObject({ accessToken: "access-2" });
  });

  it("may be asked for up to its last moment", async () => {
    const { accounts, clock } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR - 1);
    expect(await accounts.freshToken("user-1", "google", { refresh, minTtl: 0 })).toMatchObject({ accessToken: "access-1" });
    clock.advance(1);
    expect(await accounts.freshToken("user-1", "google", { refresh, minTtl: 0 })).toMatchObject({ accessToken: "access-2" });
  });

  it.each([-1, NaN, Infinity])("cannot be asked for to last %d s", async (minTtl) => {
    const { accounts } = await createLinked();
    await expect(accounts.freshToken("user-1", "google", { minTtl })).rejects.toMatchObject({ code: "config_error" });
  });

  it("is renewed once for all who wait, when the provider's tokens do not last as long as they want", async () => {
    const { accounts, elsewhere, clock, meanwhile } = await createLinked();
    clock.advance(HOUR - 100);
    const [short, answers] = [{ ...tokenSet(2), accessTokenExpiresAt: clock.now() + 30_000 }, [] as (() => void)[]];
    const refresh = vi.fn<RefreshTokenSet>(async () => {
      await new Promise<void>((resolve) => answers.push(resolve));
      return short;
    });
    const first = accounts.freshToken("user-1", "google", { refresh, minTtl: 7200 });
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    meanwhile.happens = () => answers[0]?.();

    const second = elsewhere.freshToken("user-1", "google", { refresh, minTtl: 7200 });

    expect([await first, await second]).toMatchObject([{ accessToken: "access-2" }, { accessToken: "access-2" }]);
    expect(refresh).toHaveBeenCalledTimes(1);
  });

  it("is never due when the provider did not say until when it lasts, but is replaced when an API refused it", async () => {
    const { accounts, clock } = await createLinked({ accessTokenExpiresAt: null });
    const refresh = rotatingProvider();
    clock.advance(1000 * HOUR);
    expect(await accounts.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-1" });

    const late = { refresh, refused: "access-1" };
    expect(await accounts.freshToken("user-1", "google", late)).toMatchObject({ accessToken: "access-2" });
    expect(await accounts.freshToken("user-1", "google", late)).toMatchObject({ accessToken: "access-2" });
    expect(refresh).toHaveBeenCalledTimes(1);
  });

  it("rule 27: is refreshed by one caller at a time", async () => {
    const { accounts, clock } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR);
    const given = await Promise.all(Array.from({ length: 20 }, () => accounts.freshToken("user-1", "google", { refresh })));

    expect(new Set(given.map(({ accessToken }) => accessToken))).toEqual(new Set(["access-2"]));
    expect(refresh).toHaveBeenCalledTimes(1);
  });

  it("rule 27: is claimed by one of all processes that saw it due at the same moment", async () => {
    const { clock, parts, account, accounts } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR);
    const processes = Array.from({ length: 8 }, () => createAccounts(parts));
    const given = await Promise.all(processes.map((each) => each.freshToken("user-1", "google", { refresh })));

    expect(new Set(given.map(({ accessToken }) => accessToken))).toEqual(new Set(["access-2"]));
    expect(refresh).toHaveBeenCalledTimes(1);
    expect(await accounts.getTokens(account.id)).toMatchObject({ refreshToken: "refresh-2" });
  });

  it("rule 27: is what another process gets, for those who ask while it does", async () => {
    const { accounts, elsewhere, clock, account, told, waits, meanwhile } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR);
    let [answer, asked] = [() => {}, () => {}];
    const [answered, askedFor] = [new Promise<void>((resolve) => (answer = resolve)), new Promise<void>((resolve) => (asked = resolve))];
    const slow: RefreshTokenSet = async (...args) => {
      asked();
      await answered;
      return refresh(...args);
    };
    const first = accounts.freshToken("user-1", "google", { refresh: slow });
    await askedFor;
    const second = elsewhere.freshToken("user-1", "google", { refresh });
    meanwhile.happens = () => waits.length === 4 && answer();

    expect([await first, await second]).toMatchObject([{ accessToken: "access-2" }, { accessToken: "access-2" }]);
    expect(await accounts.getTokens(account.id)).toMatchObject({ refreshToken: "refresh-2" });
    expect(refresh).toHaveBeenCalledTimes(1);
    expect(waits.slice(0, 4)).toEqual([25, 50, 100, 200]);
    expect(told.map(({ type }) => type)).toEqual(["account.refreshed"]);
  });

  it("rule 27: comes from whoever takes over, when the one who claimed the refresh is not heard of for 20 s", async () => {
    const { accounts, elsewhere, clock, told } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR);
    void accounts.freshToken("user-1", "google", { refresh: () => new Promise(() => {}) });
    await vi.waitFor(async () => expect(await elsewhere.listForUser("user-1")).toHaveLength(1));
    const start = clock.now();

    expect(await elsewhere.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-2" });
    expect(clock.now() - start).toBeGreaterThanOrEqual(20_000);
    expect(clock.now() - start).toBeLessThanOrEqual(20_500);
    expect(told.map(({ type }) => type)).toEqual(["account.refreshed"]);
  });

  it("rule 27: stays the newer one, when a holder comes back after it was taken over from", async () => {
    const { accounts, elsewhere, clock, account, told } = await createLinked();
    clock.advance(HOUR);
    const late: RefreshTokenSet = async () => {
      clock.advance(20);
      await elsewhere.freshToken("user-1", "google", { refresh: async () => ({ ...tokenSet(3), refreshToken: null }) });
      return { ...tokenSet(2), refreshToken: null };
    };

    expect(await accounts.freshToken("user-1", "google", { refresh: late })).toMatchObject({ accessToken: "access-3" });
    expect(await accounts.getTokens(account.id)).toMatchObject({ accessToken: "access-3", refreshToken: "refresh-1" });
    expect(told.map(({ type }) => type)).toEqual(["account.refreshed"]);
  });

  it("rule 27: is not lost, when a late holder is the one whom a rotating provider gave the new tokens", async () => {
    const { accounts, elsewhere, clock, account } = await createLinked();
    const refresh = rotatingProvider();
    clock.advance(HOUR);
    const late: RefreshTokenSet = async (...args) => {
      const answer = await refresh(...args);
      clock.advance(20);
      await expect(elsewhere.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "reconnect_needed" });
      return answer;
    };

    expect(await accounts.freshToken("user-1", "google", { refresh: late })).toMatchObject({ accessToken: "access-2" });
    expect(await accounts.getTokens(account.id)).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-2" });
    expect(await accounts.listForUser("user-1")).toMatchObject([{ reconnectNeeded: false }]);
  });

  it("is asked for again while the provider is unavailable, three times, and then left alone for 5 s by all", async () => {
    const { accounts, elsewhere, clock, waits } = await createLinked();
    clock.advance(HOUR);
    const refresh = vi.fn<RefreshTokenSet>(async () => {
      throw new ProviderError("provider_unavailable", "503");
    });
    await expect(accounts.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "refresh_failed", status: 502 });
    expect([refresh.mock.calls.length, waits]).toEqual([3, [250, 1000]]);

    const failed = { code: "refresh_failed", retryAfter: 5 };
    await expect(elsewhere.freshToken("user-1", "google", { refresh })).rejects.toMatchObject(failed);
    expect(refresh).toHaveBeenCalledTimes(3);
    clock.advance(5);
    expect(await elsewhere.freshToken("user-1", "google", { refresh: rotatingProvider() })).toMatchObject({ accessToken: "access-2" });
  });

  it("is had at the second try, after as long as the provider said", async () => {
    const { accounts, clock, waits } = await createLinked();
    clock.advance(HOUR);
    const provider = rotatingProvider();
    const refresh = vi.fn(provider).mockRejectedValueOnce(new ProviderError("provider_unavailable", "429", { retryAfter: 3 }));
    expect(await accounts.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-2" });
    expect(waits).toEqual([3000]);
  });

  it.each([6, 120])(
    "is not asked for within the claim when that might end before the answer: the provider said %d s",
    async (retryAfter) => {
      const { accounts, elsewhere, clock, waits } = await createLinked();
      clock.advance(HOUR);
      const refresh = vi.fn<RefreshTokenSet>(async () => {
        throw new ProviderError("provider_unavailable", "429", { retryAfter });
      });
      const failed = { code: "refresh_failed", retryAfter };
      for (const each of [accounts, elsewhere])
        await expect(each.freshToken("user-1", "google", { refresh })).rejects.toMatchObject(failed);
      expect([refresh.mock.calls.length, waits]).toEqual([1, []]);
    },
  );

  it.each([1, 3])(
    "rule 27: is not lost with its refresh token, when the store fails %d times once the provider answered",
    async (times) => {
      const { accounts, clock, account, broken, waits, told } = await createLinked();
      clock.advance(HOUR);
      const provider = rotatingProvider();
      const refresh: RefreshTokenSet = async (...args) => {
        const answer = await provider(...args);
        broken.writes = times;
        return answer;
      };

      expect(await accounts.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-2" });

      expect(await accounts.getTokens(account.id)).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-2" });
      expect(waits).toEqual([100, 200, 400].slice(0, times));
      expect(provider).toHaveBeenCalledTimes(1);
      expect(told.map(({ type }) => type)).toEqual(["account.refreshed"]);
    },
  );

  it("is given up with an error of the store, when that fails until the claim ends", async () => {
    const { accounts, clock, broken } = await createLinked();
    clock.advance(HOUR);
    const start = clock.now();
    const refresh: RefreshTokenSet = async () => {
      broken.writes = Infinity;
      return tokenSet(2);
    };

    await expect(accounts.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "storage_unavailable" });

    expect(clock.now() - start).toBeGreaterThan(17_000);
    expect(clock.now() - start).toBeLessThan(20_000);
  });

  it("rule 27: does not overwrite the tokens of a sign-in meanwhile", async () => {
    const { accounts, clock, account } = await createLinked();
    clock.advance(HOUR);
    const refresh: RefreshTokenSet = async () => {
      await accounts.saveTokens(account.id, tokenSet(7));
      return tokenSet(2);
    };
    expect(await accounts.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-7" });
    expect(await accounts.getTokens(account.id)).toMatchObject({ accessToken: "access-7", refreshToken: "refresh-7" });
  });

  it("has no refresh token any more after a sign-in that brought none, once the provider took the old one no longer", async () => {
    const { accounts, clock, account } = await createLinked({ refreshTokenExpiresAt: 10 * HOUR * 1000 });
    clock.advance(HOUR);
    const refresh = vi.fn<RefreshTokenSet>(async () => {
      throw new ProviderError("invalid_grant", "revoked");
    });
    await expect(accounts.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "reconnect_needed" });

    await accounts.confirm(account, { ...tokenSet(2), refreshToken: null, accessTokenExpiresAt: clock.now() + HOUR * 1000 });

    expect(await accounts.getTokens(account.id)).toMatchObject({
      accessToken: "access-2",
      refreshToken: null,
      refreshTokenExpiresAt: null,
    });
    expect(await accounts.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-2" });
    clock.advance(HOUR);
    await expect(accounts.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "no_refresh_token" });
    expect(refresh).toHaveBeenCalledTimes(1);
  });

  it("keeps a refresh token that is good over a sign-in that brings none", async () => {
    const { accounts, account } = await createLinked();
    await accounts.confirm(account, { ...tokenSet(2), refreshToken: null });
    expect(await accounts.getTokens(account.id)).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-1" });
  });

  it("rule 25: is asked for at the provider that made the account alone, whatever strategy has its name now", async () => {
    const { account, clock, accounts, parts } = await createLinked();
    const asked: string[] = [];
    const strategyAt = (issuer: string) =>
      google({
        issuer,
        ...{ clientId: "client", clientSecret: "secret", clock },
        fetch: async (url) => {
          asked.push(url);
          throw new Error("not now");
        },
      });
    const elsewhere = createAccounts({ ...parts, strategies: new Map([["google", strategyAt("https://another.example")]]) });
    const there = createAccounts({ ...parts, strategies: new Map([["google", strategyAt(identity.issuer)]]) });

    expect(await elsewhere.freshToken("user-1", "google")).toMatchObject({ accessToken: "access-1" });
    clock.advance(HOUR);
    await expect(elsewhere.freshToken("user-1", "google")).rejects.toMatchObject({
      code: "reconnect_needed",
      cause: { message: 'the account is of https://accounts.google.com, and the strategy "google" is not' },
    });
    expect(asked).toEqual([]);
    // The configuration may be wrong: nothing is noted of it.
    expect(await accounts.listForUser("user-1")).toMatchObject([{ id: account.id, reconnectNeeded: false }]);
    await expect(there.freshToken("user-1", "google")).rejects.toMatchObject({ code: "refresh_failed" });
    expect(asked[0]).toMatch(/^https:\/\/accounts\.google\.com\//);
  });

  it("keeps the refresh token that a provider does not replace", async () => {
    const { accounts, clock, account } = await createLinked();
    clock.advance(HOUR);
    await accounts.freshToken("user-1", "google", { refresh: async () => ({ ...tokenSet(2), refreshToken: null, scope: null }) });
    expect(await accounts.getTokens(account.id)).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-1", scope: "email" });
  });

  it("needs a reconnection once the provider takes the refresh token no longer, until the next sign-in there", async () => {
    const { accounts, clock, account, told } = await createLinked();
    const refresh = vi.fn<RefreshTokenSet>(async () => {
      throw new ProviderError("invalid_grant", "revoked");
    });
    clock.advance(HOUR);
    for (let times = 0; times < 2; times += 1) {
      await expect(accounts.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "reconnect_needed", status: 409 });
    }
    expect(refresh).toHaveBeenCalledTimes(1);
    expect(await accounts.listForUser("user-1")).toMatchObject([{ reconnectNeeded: true }]);
    expect(told.map(({ type }) => type)).toEqual(["account.reconnect_needed"]);

    await accounts.saveTokens(account.id, tokenSet(1));
    expect(await accounts.listForUser("user-1")).toMatchObject([{ reconnectNeeded: false }]);
    expect(await accounts.freshToken("user-1", "google", { refresh })).toMatchObject({ accessToken: "access-1" });
  });

  it("rule 28: is not given when the provider fails, and nothing of its words is", async () => {
    const { accounts, clock, account } = await createLinked();
    clock.advance(HOUR);
    const failing: RefreshTokenSet[] = [
      async () => Promise.reject(new Error("<script>refresh-1</script>")),
      async () => Promise.reject(new ProviderError("server_error", "<script>refresh-1</script>")),
      () => {
        throw new Error("<script>refresh-1</script>");
      },
    ];
    for (const refresh of failing) {
      const error = await accounts.freshToken("user-1", "google", { refresh }).catch((reason: Error) => reason);
      expect(error).toMatchObject({ code: "refresh_failed", status: 502, message: expect.not.stringContaining("script") });
      clock.advance(5);
    }
    expect(await accounts.findByIdentity(identity)).toMatchObject({ reconnectNeeded: false });
    expect(await accounts.getTokens(account.id)).toMatchObject({ refreshToken: "refresh-1" });
    expect(await accounts.freshToken("user-1", "google", { refresh: rotatingProvider() })).toMatchObject({ accessToken: "access-2" });
  });

  it("cannot be had without an account, or without a refresh token once it is due", async () => {
    const { accounts, clock, account } = await createLinked({ refreshToken: null });
    const refresh = rotatingProvider();
    const notFound = { code: "account_not_found", status: 404 };
    await expect(accounts.freshToken("user-1", "github", { refresh })).rejects.toMatchObject(notFound);
    await expect(accounts.freshToken("user-2", "google", { refresh })).rejects.toMatchObject(notFound);
    await expect(accounts.freshToken("user-2", "google", { refresh, accountId: account.id })).rejects.toMatchObject(notFound);

    clock.advance(HOUR);
    await expect(accounts.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "no_refresh_token" });
    expect(refresh).not.toHaveBeenCalled();
  });

  it("is not given for an account that was unlinked meanwhile, which does not come back", async () => {
    const { accounts, clock } = await createLinked();
    clock.advance(HOUR);
    const refresh: RefreshTokenSet = async () => {
      await accounts.deleteForUser("user-1");
      return tokenSet(2);
    };
    await expect(accounts.freshToken("user-1", "google", { refresh })).rejects.toMatchObject({ code: "account_not_found" });
    expect(await accounts.findByIdentity(identity)).toBeNull();
  });

  it("is that of the account asked for, when a user has two at one provider", async () => {
    const { accounts } = await createLinked();
    const second = await accounts.link({ userId: "user-1", identity: { ...identity, subject: "1002", tokens: tokenSet(5) } });
    const refresh = rotatingProvider();
    expect(await accounts.freshToken("user-1", "google", { refresh, accountId: second.id })).toMatchObject({ accessToken: "access-5" });
  });
});
