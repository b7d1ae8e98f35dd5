import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { accountCollection, encodeAccount, decodeAccount, identityLookup } from "../../lib/core/account-record.ts";
import { createAccounts } from "../../lib/core/accounts.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import type { Identity, TokenSet } from "../../lib/core/strategy.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { directoryKey } from "../../lib/storage/collection.ts";
import { createTestClock } from "../../lib/testing/clock.ts";

const SECRET = "a secret of at least thirty-two bytes";

function createTestAccounts() {
  const clock = createTestClock();
  const store = memoryStore({ clock });
  const events = createEvents(clock);
  const told: AuthEvent[] = [];
  events.on("*", (event) => told.push(event));
  return { clock, store, told, accounts: createAccounts({ store, keys: createKeyRing([SECRET]), clock, events }) };
}

const tokens: TokenSet = {
  accessToken: "access-1",
  refreshToken: "refresh-1",
  idToken: "id-1",
  accessTokenExpiresAt: null,
  refreshTokenExpiresAt: null,
  scope: "openid email",
};

function identity(fields: Partial<Identity> = {}): Identity {
  return {
    provider: "google",
    issuer: "https://accounts.google.com",
    subject: "1001",
    email: "alice@acme.com",
    emailVerified: true,
    name: "Alice",
    image: null,
    tokens,
    providerSessionId: null,
    authenticatedAt: null,
    ...fields,
  };
}

const fulfilled = <T>(results: PromiseSettledResult<T>[]) =>
  results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
const codes = (results: PromiseSettledResult<unknown>[]) =>
  results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));

describe("linked accounts", () => {
  it("are found by identity and listed without secrets", async () => {
    const { accounts, clock } = createTestAccounts();
    const account = await accounts.link({ userId: "user-1", identity: identity() });

    expect(account).toEqual({
      id: expect.stringMatching(/^[\w-]{22}$/),
      userId: "user-1",
      providerId: "google",
      issuer: "https://accounts.google.com",
      accountId: "1001",
      scope: "openid email",
      accessTokenExpiresAt: null,
      refreshTokenExpiresAt: null,
      pending: false,
      reconnectNeeded: false,
      createdAt: clock.now(),
      updatedAt: clock.now(),
    });
    expect(await accounts.findByIdentity(identity())).toEqual(account);
    expect(await accounts.listForUser("user-1")).toEqual([account]);
    expect(await accounts.listForUser("user-2")).toEqual([]);
    expect(await accounts.getTokens(account.id)).toEqual(tokens);
    expect(await accounts.getTokens("nobody")).toBeNull();
  });

  it("rule 25: are another one at another provider, another issuer, or under another subject", async () => {
    const { accounts } = createTestAccounts();
    await accounts.link({ userId: "user-1", identity: identity() });
    for (const other of [{ provider: "gmail" }, { issuer: "https://evil.example" }, { subject: "1002" }, { subject: "1001 " }]) {
      expect(await accounts.findByIdentity(identity(other))).toBeNull();
    }
  });

  it("rule 25: have one lookup each, however their parts are cut, and of bounded length", () => {
    const part = fc.oneof(
      fc.string({ unit: fc.constantFrom("a", '"', ",", "\\", "\0", "é"), maxLength: 4 }),
      fc.string({ minLength: 200, maxLength: 300 }),
    );
    const key = fc.record({ provider: part, issuer: part, subject: part });
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(identityLookup(a) === identityLookup(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(Buffer.byteLength(identityLookup(a))).toBeLessThanOrEqual(190);
      }),
      { seed: 25, numRuns: 1000 },
    );
    const [a, b] = [
      { provider: "a", issuer: 'b","c', subject: "d" },
      { provider: "a", issuer: "b", subject: 'c","d' },
    ];
    expect(identityLookup(a)).not.toBe(identityLookup(b));
  });

  it("rule 10: belong to one user, however many link an identity at once", async () => {
    const { accounts, told } = createTestAccounts();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => accounts.link({ userId: `user-${index}`, identity: identity() })),
    );
    expect(fulfilled(results)).toHaveLength(1);
    expect(codes(results)).toEqual(Array.from({ length: 19 }, () => "account_already_linked"));
    expect(told.map(({ type }) => type)).toEqual(["account.linked"]);
  });

  it("take the newer tokens when their own user links them again", async () => {
    const { accounts, told } = createTestAccounts();
    const first = await accounts.link({ userId: "user-1", identity: identity() });
    const again = await accounts.link({ userId: "user-1", identity: identity({ tokens: { ...tokens, accessToken: "access-2" } }) });
    expect(again.id).toBe(first.id);
    expect(await accounts.getTokens(first.id)).toMatchObject({ accessToken: "access-2" });
    expect(told).toHaveLength(1);
  });

  it("rule 27: keep every token sealed, for its account and field alone", async () => {
    const { accounts, store } = createTestAccounts();
    const long = { ...tokens, accessToken: "Xaccess".repeat(99), refreshToken: "Xrefresh".repeat(99), idToken: "Xidtoken".repeat(99) };
    const alice = await accounts.link({ userId: "user-1", identity: identity({ tokens: long }) });
    const mallory = await accounts.link({ userId: "user-2", identity: identity({ subject: "666" }) });

    const stored = await store.get(accountCollection, directoryKey(alice.id));
    const dump = Buffer.from(stored!.value).toString();
    for (const secret of ["Xaccess", "Xrefresh", "Xidtoken"]) expect(dump).not.toContain(secret);

    const victim = decodeAccount(stored!);
    const thief = decodeAccount((await store.get(accountCollection, directoryKey(mallory.id)))!);
    const swaps = [
      { ...thief, sealed: victim.sealed },
      { ...thief, sealed: { ...thief.sealed, accessToken: thief.sealed.refreshToken } },
    ];
    for (const swapped of swaps) {
      await store.commit([{ op: "put", in: accountCollection, record: encodeAccount(swapped) }]);
      await expect(accounts.getTokens(mallory.id)).rejects.toMatchObject({ status: 503 });
    }
  });

  it("rule 49: answer 503 for a token under an unknown key, and keep it", async () => {
    const { accounts, store, clock } = createTestAccounts();
    const { id } = await accounts.link({ userId: "user-1", identity: identity() });
    const other = createAccounts({ store, keys: createKeyRing([`other ${SECRET}`]), clock, events: createEvents(clock) });

    await expect(other.getTokens(id)).rejects.toMatchObject({ status: 503, message: expect.stringContaining("unknown key") });
    expect(await accounts.getTokens(id)).toEqual(tokens);
    const both = createAccounts({ store, keys: createKeyRing([`other ${SECRET}`, SECRET]), clock, events: createEvents(clock) });
    expect(await both.getTokens(id)).toEqual(tokens);
  });

  it("rule 49: are refused and reported when their record does not parse", async () => {
    const { accounts, store, told } = createTestAccounts();
    for (const text of ["null", "{", "{}", '{"userId":1,"providerId":"google","issuer":"i","accountId":"a","createdAt":1,"updatedAt":1}']) {
      await store.commit([
        { op: "put", in: accountCollection, record: { ...directoryKey("a"), value: Buffer.from(text), expiresAt: null } },
      ]);
      await expect(accounts.getTokens("a")).rejects.toMatchObject({ status: 503 });
      expect(told.pop()).toMatchObject({ type: "record.unreadable", details: { collection: "accounts" } });
    }
  });

  it("rule 27: keep a refresh token, id token and scope that the provider does not send again", async () => {
    const { accounts } = createTestAccounts();
    const { id } = await accounts.link({ userId: "user-1", identity: identity({ tokens: { ...tokens, refreshTokenExpiresAt: 5_000 } }) });
    const bare = {
      accessToken: "access-2",
      refreshToken: null,
      idToken: null,
      accessTokenExpiresAt: 1,
      refreshTokenExpiresAt: null,
      scope: null,
    };
    await accounts.saveTokens(id, bare);
    expect(await accounts.getTokens(id)).toEqual({
      ...tokens,
      accessToken: "access-2",
      accessTokenExpiresAt: 1,
      refreshTokenExpiresAt: 5_000,
    });

    await accounts.saveTokens(id, { ...bare, refreshToken: "refresh-2" });
    expect(await accounts.getTokens(id)).toMatchObject({ refreshToken: "refresh-2", refreshTokenExpiresAt: null });
    await expect(accounts.saveTokens("nobody", bare)).rejects.toMatchObject({ code: "account_not_found" });
  });

  it("rule 27: never mix two token sets that are saved at once", async () => {
    const { accounts } = createTestAccounts();
    const { id } = await accounts.link({ userId: "user-1", identity: identity() });
    const sets = Array.from({ length: 20 }, (_, n) => ({
      ...tokens,
      accessToken: `a${n}`,
      refreshToken: `r${n}`,
      idToken: `i${n}`,
      scope: `s${n}`,
    }));
    await Promise.all(sets.map((set) => accounts.saveTokens(id, set)));
    expect(sets).toContainEqual(await accounts.getTokens(id));
  });

  it("rule 26: cannot be unlinked when nothing else lets the user in", async () => {
    const { accounts, told } = createTestAccounts();
    const { id } = await accounts.link({ userId: "user-1", identity: identity() });
    const unlink = { userId: "user-1", accountId: id };
    await expect(accounts.unlink({ ...unlink, otherWaysIn: 0 })).rejects.toMatchObject({ code: "last_way_in", status: 409 });
    expect(await accounts.listForUser("user-1")).toHaveLength(1);

    await accounts.unlink({ ...unlink, otherWaysIn: 1 });
    expect(await accounts.findByIdentity(identity())).toBeNull();
    expect(told.at(-1)).toMatchObject({ type: "account.unlinked", userId: "user-1", details: { provider: "google", accountId: id } });
  });

  it("rule 26: leave one of two that are unlinked at once", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { accounts } = createTestAccounts();
      const linked = await Promise.all(
        ["google", "github"].map((provider) => accounts.link({ userId: "user-1", identity: identity({ provider }) })),
      );
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => accounts.unlink({ userId: "user-1", accountId: linked[n % 2]!.id, otherWaysIn: 0 })),
      );
      expect(await accounts.listForUser("user-1")).toHaveLength(1);
      expect(fulfilled(results)).toHaveLength(1);
    }
  });

  it("rule 26: are not unlinked by another user", async () => {
    const { accounts } = createTestAccounts();
    const { id } = await accounts.link({ userId: "user-1", identity: identity() });
    await expect(accounts.unlink({ userId: "user-2", accountId: id, otherWaysIn: 1 })).rejects.toMatchObject({ code: "account_not_found" });
    expect(await accounts.findByIdentity(identity())).not.toBeNull();
  });

  it("go together with their user, however many there are", async () => {
    const { accounts } = createTestAccounts();
    for (let n = 0; n < 250; n += 1) await accounts.link({ userId: "user-1", identity: identity({ subject: String(n), tokens: null }) });
    await accounts.link({ userId: "user-2", identity: identity({ subject: "other" }) });
    expect(await accounts.listForUser("user-1")).toHaveLength(250);

    await accounts.deleteForUser("user-1");
    await accounts.deleteForUser("user-1");
    expect(await accounts.listForUser("user-1")).toEqual([]);
    expect(await accounts.listForUser("user-2")).toHaveLength(1);
  });
});

describe("passwords of accounts", () => {
  it("are kept on the credential account, which is a way in while there is one", async () => {
    const { accounts } = createTestAccounts();
    expect(await accounts.findPassword("user-1")).toBeNull();
    expect(await accounts.setPassword("user-1", "$argon2id$1")).toBe(true);
    expect(await accounts.findPassword("user-1")).toBe("$argon2id$1");
    expect(await accounts.listForUser("user-1")).toMatchObject([{ providerId: "credential", accountId: "user-1" }]);

    const google = await accounts.link({ userId: "user-1", identity: identity() });
    const unlink = { userId: "user-1", accountId: google.id, otherWaysIn: 0 };
    await accounts.setPassword("user-1", null);
    await expect(accounts.unlink(unlink)).rejects.toMatchObject({ code: "last_way_in" });
    await accounts.setPassword("user-1", "$argon2id$2");
    await accounts.unlink(unlink);
    expect(await accounts.findPassword("user-1")).toBe("$argon2id$2");
  });

  it("rule 1: are replaced by one of many that replace the same", async () => {
    const { accounts } = createTestAccounts();
    const first = await Promise.all(
      Array.from({ length: 20 }, (_, n) => accounts.setPassword("user-1", `first-${n}`, { replacing: null })),
    );
    expect(first.filter(Boolean)).toHaveLength(1);
    const old = await accounts.findPassword("user-1");
    const second = await Promise.all(
      Array.from({ length: 20 }, (_, n) => accounts.setPassword("user-1", `second-${n}`, { replacing: old })),
    );
    expect(second.filter(Boolean)).toHaveLength(1);
    expect(await accounts.findPassword("user-1")).toBe(`second-${second.indexOf(true)}`);
    expect(await accounts.setPassword("user-2", "hash", { replacing: "unknown" })).toBe(false);
    expect(await accounts.findPassword("user-2")).toBeNull();
  });
});
