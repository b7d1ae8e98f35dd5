import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { accountCollection } from "../../lib/core/account-record.ts";
import { createAccounts } from "../../lib/core/accounts.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { createPrincipals } from "../../lib/core/principals.ts";
import { createSignIn } from "../../lib/core/sign-in.ts";
import type { Identity, TokenSet } from "../../lib/core/strategy.ts";
import { directoryUserStore, userCollection } from "../../lib/core/user-directory.ts";
import { createUsers } from "../../lib/core/users.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { StorageError } from "../../lib/errors.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";

function createTestSignIn({
  linkByEmail,
  through = (store) => store,
}: { linkByEmail?: string[]; through?: (store: RecordStore) => RecordStore } = {}) {
  const clock = createTestClock();
  const memory = memoryStore({ clock });
  const store = through(memory);
  const events = createEvents(clock);
  const told: AuthEvent[] = [];
  events.on("*", (event) => told.push(event));
  const principals = createPrincipals(store);
  const users = createUsers({ store: directoryUserStore(store, events), clock });
  const accounts = createAccounts({ store, keys: createKeyRing(["a secret of at least thirty-two bytes"]), clock, events });
  const purge = vi.fn<(userId: string) => Promise<void>>(async () => {});
  const signIn = createSignIn({ users, accounts, principals, events, purge, linkByEmail });
  const all = async () => ({
    users: (await memory.scan(userCollection)).records,
    accounts: (await memory.scan(accountCollection)).records,
  });
  return { clock, memory, told, types: () => told.map(({ type }) => type), principals, users, accounts, purge, signIn, all };
}

const tokens: TokenSet = {
  accessToken: "access-1",
  refreshToken: "refresh-1",
  idToken: null,
  accessTokenExpiresAt: null,
  refreshTokenExpiresAt: null,
  scope: null,
};

function identity(fields: Partial<Identity> = {}): Identity {
  return {
    provider: "google",
    issuer: "https://accounts.google.com",
    subject: "1001",
    email: "Alice@ACME.com",
    emailVerified: true,
    name: "Alice",
    image: "https://acme.com/alice.png",
    tokens,
    providerSessionId: null,
    authenticatedAt: null,
    ...fields,
  };
}

const source = { ip: "192.0.2.1", userAgent: "test" };
const fulfilled = <T>(results: PromiseSettledResult<T>[]) =>
  results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
const codes = (results: PromiseSettledResult<unknown>[]) =>
  results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));

/** 20 calls at once. */
const race = <T>(call: (n: number) => Promise<T>) => Promise.allSettled(Array.from({ length: 20 }, (_, n) => call(n)));

describe("signing in with an identity", () => {
  it("creates the user the first time and finds them from then on, with newer tokens", async () => {
    const { signIn, users, accounts, told } = createTestSignIn();
    const first = await signIn.withIdentity(identity(), { source });
    expect(first).toEqual({ userId: expect.stringMatching(/^[\w-]{22}$/), created: true, epoch: [0, 0], accountId: expect.any(String) });
    expect(await users.findById(first.userId)).toMatchObject({
      email: "alice@acme.com",
      emailVerified: true,
      name: "Alice",
      image: "https://acme.com/alice.png",
    });
    expect(told).toMatchObject([
      { type: "account.linked", userId: first.userId, source },
      { type: "user.created", userId: first.userId, source, details: { via: "google" } },
    ]);

    const later = identity({ email: "renamed@acme.com", tokens: { ...tokens, accessToken: "access-2", refreshToken: null } });
    expect(await signIn.withIdentity(later)).toEqual({ ...first, created: false });
    expect(await accounts.getTokens(first.accountId)).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-1" });
    expect(await users.findById(first.userId)).toMatchObject({ email: "alice@acme.com" });
    expect(told).toHaveLength(2);
  });

  it("rule 10: makes one user of 20 first sign-ins at once", async () => {
    const { signIn, all, types } = createTestSignIn();
    const results = fulfilled(await race(() => signIn.withIdentity(identity())));

    expect(new Set(results.map(({ userId }) => userId)).size).toBe(1);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(results).toHaveLength(20);
    const stored = await all();
    expect([stored.users.length, stored.accounts.length]).toEqual([1, 1]);
    expect(types()).toEqual(["account.linked", "user.created"]);
  });

  it("rule 10: takes no user for somebody else's whom another first sign-in made between looking for the account and for the address", async () => {
    const { through, before } = interruptible();
    const { signIn, all } = createTestSignIn({ through });
    let first: unknown = null;
    before("find", "users", async () => {
      first = await signIn.withIdentity(identity());
    });

    const second = await signIn.withIdentity(identity());

    expect(second.created).toBe(false);
    expect(first).toEqual({ ...second, created: true });
    expect((await all()).accounts).toHaveLength(1);
  });

  it("rule 10: gives an address to one of many identities that claim it at once", async () => {
    const { signIn, all, accounts } = createTestSignIn();
    const results = await race((n) => signIn.withIdentity(identity({ subject: String(n) })));

    expect(fulfilled(results)).toHaveLength(1);
    expect(codes(results)).toEqual(Array.from({ length: 19 }, () => "account_not_linked"));
    expect(await all()).toMatchObject({ users: [{}], accounts: [{}] });
    const [winner] = fulfilled(results);
    expect(await accounts.listForUser(winner!.userId)).toHaveLength(1);
  });

  it("rule 25: never finds a user by the subject of another issuer or provider", async () => {
    const { signIn } = createTestSignIn();
    const { userId } = await signIn.withIdentity(identity());
    for (const other of [{ issuer: "https://evil.example" }, { provider: "evil" }, { subject: "1002" }]) {
      const result = await signIn.withIdentity(identity({ ...other, email: null }));
      expect(result.userId).not.toBe(userId);
    }
  });

  it.each([
    { subject: "" },
    { issuer: "" },
    { provider: "" },
    { subject: undefined as unknown as string },
    { subject: 1001 as unknown as string },
  ])("rule 25: refuses an identity without a whole name: %j", async (fields) => {
    const { signIn, all } = createTestSignIn();
    await expect(signIn.withIdentity(identity(fields))).rejects.toMatchObject({ code: "invalid_identity", status: 502 });
    await expect(signIn.linkIdentity("user-1", identity(fields))).rejects.toMatchObject({ code: "invalid_identity" });
    expect(await all()).toEqual({ users: [], accounts: [] });
  });

  it.each([false, "true", 1, undefined, null])("rule 26: takes no address whose proof is %j instead of true", async (emailVerified) => {
    const { signIn, users } = createTestSignIn();
    const { userId } = await signIn.withIdentity(identity({ emailVerified: emailVerified as boolean }));
    expect(await users.findById(userId)).toMatchObject({ email: null, emailVerified: false });
    expect(await users.findByEmail("alice@acme.com")).toBeNull();
  });

  it("rule 16: takes no address that is none", async () => {
    const { signIn, users } = createTestSignIn();
    const { userId } = await signIn.withIdentity(identity({ email: "alice@acme.com,mallory@evil.com" }));
    expect(await users.findById(userId)).toMatchObject({ email: null, emailVerified: false });
  });

  it("rule 28: keeps of a provider's text one short line, and of pictures only web addresses", async () => {
    const { signIn, users } = createTestSignIn();
    const { userId } = await signIn.withIdentity(identity({ name: ` Al\r\nice\u2028\0${"😀".repeat(300)}`, image: "javascript:alert(1)" }));
    const user = await users.findById(userId);
    expect(user?.image).toBeNull();
    expect(user?.name).toMatch(/^Al ice 😀+$/u);
    expect([...(user?.name ?? "")]).toHaveLength(200);
  });

  it("rule 26: refuses a new identity whose address another user has, proven or not, and leaves nothing behind", async () => {
    const { signIn, users, all } = createTestSignIn();
    for (const emailVerified of [true, false]) {
      const { id } = await users.create({ email: "alice@acme.com", emailVerified });
      await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ code: "account_not_linked", status: 409 });
      expect((await all()).accounts).toEqual([]);
      await users.delete(id);
    }
  });

  it("rule 26: links by address only for a trusted provider, a proof that is true, and a user who has proven it", async () => {
    const { signIn, users, accounts, types } = createTestSignIn({ linkByEmail: ["google"] });
    const { id } = await users.create({ email: "alice@acme.com", emailVerified: false });
    await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ code: "account_not_linked" });

    await users.update(id, { emailVerified: true });
    await expect(signIn.withIdentity(identity({ provider: "github" }))).rejects.toMatchObject({ code: "account_not_linked" });
    const unproven = await signIn.withIdentity(identity({ subject: "1002", emailVerified: false }));
    expect(unproven.userId).not.toBe(id);

    expect(await signIn.withIdentity(identity())).toMatchObject({ userId: id, created: false });
    expect(await accounts.listForUser(id)).toMatchObject([{ providerId: "google", accountId: "1001" }]);
    expect(types().filter((type) => type === "user.created")).toHaveLength(1);
  });

  it("rule 26: links one of many trusted identities at once, each to itself", async () => {
    const { signIn, users, accounts } = createTestSignIn({ linkByEmail: ["google"] });
    const { id } = await users.create({ email: "alice@acme.com", emailVerified: true });
    const results = fulfilled(await race(() => signIn.withIdentity(identity())));
    expect(results.map(({ userId }) => userId)).toEqual(Array.from({ length: 20 }, () => id));
    expect(await accounts.listForUser(id)).toHaveLength(1);
  });

  it("rule 9: refuses a disabled user, and keeps none of the tokens", async () => {
    const { signIn, accounts, principals } = createTestSignIn();
    const { userId, accountId } = await signIn.withIdentity(identity());
    await principals.setStatus(userId, "disabled");
    await expect(signIn.withIdentity(identity({ tokens: { ...tokens, accessToken: "access-2" } }))).rejects.toMatchObject({
      code: "user_disabled",
    });
    expect(await accounts.getTokens(accountId)).toMatchObject({ accessToken: "access-1" });
  });

  it("rule 2: refuses an account whose user was removed", async () => {
    const { signIn, users } = createTestSignIn();
    const { userId } = await signIn.withIdentity(identity());
    await users.delete(userId);
    await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ code: "user_not_found", status: 401 });
    expect(await users.findById(userId)).toBeNull();
  });

  it("rule 9: tells the epoch that held, so that what ended since can be refused", async () => {
    const { signIn, principals } = createTestSignIn();
    const { userId, epoch } = await signIn.withIdentity(identity());
    await principals.raiseEpoch(userId);
    const again = await signIn.withIdentity(identity());
    expect(epoch).toEqual([0, 0]);
    expect(again.epoch).toEqual((await principals.standing(userId)).epoch);
    expect(again.epoch).not.toEqual(epoch);
  });
});

/** Runs something before the next operation of one kind on one collection, as if another request had come in between. */
function interruptible() {
  type Operation = "get" | "find" | "commit";
  let next: { operation: Operation; collection: string; run: () => unknown } | null = null;
  const pass = async (operation: Operation, args: readonly unknown[]) => {
    if (next?.operation !== operation || !JSON.stringify(args).includes(`"name":"${next.collection}"`)) return;
    const { run } = next;
    next = null;
    await run();
  };
  const through = (store: RecordStore): RecordStore => ({
    ...store,
    get: (...args) => pass("get", args).then(() => store.get(...args)),
    find: (...args) => pass("find", args).then(() => store.find(...args)),
    commit: (...args) => pass("commit", args).then(() => store.commit(...args)),
  });
  const before = (operation: Operation, collection: string, run: () => unknown) => void (next = { operation, collection, run });
  return { through, before, interrupted: () => next === null };
}

/** Breaks at the n-th commit: before it happened, or after it, when only the answer is lost. */
function breakingAt(n: number, when: "before" | "after") {
  let commits = 0;
  return (store: RecordStore): RecordStore => ({
    ...store,
    async commit(writes) {
      commits += 1;
      if (commits === n && when === "before") throw new StorageError();
      const done = await store.commit(writes);
      if (commits === n) throw new StorageError();
      return done;
    },
  });
}

describe("a first sign-in that breaks off", () => {
  for (const when of ["before", "after"] as const) {
    it.each([1, 2, 3])(`rule 45: goes on with the same user, when it broke ${when} write %i`, async (n) => {
      const { signIn, all, accounts, types } = createTestSignIn({ through: breakingAt(n, when) });
      await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ status: 503 });
      const before = await all();
      const { userId, created } = await signIn.withIdentity(identity());

      for (const { id } of before.users) expect(id).toBe(userId);
      expect(await all()).toMatchObject({ users: [{ id: userId }], accounts: [{}] });
      expect(await accounts.listForUser(userId)).toMatchObject([{ pending: false }]);
      if (n < 3 || when === "before") {
        expect(created).toBe(true);
        expect(types().filter((type) => type === "user.created")).toHaveLength(1);
      }
    });
  }

  it("rule 45: is finished once by 20 retries", async () => {
    const { signIn, all, types } = createTestSignIn({ through: breakingAt(2, "after") });
    await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ status: 503 });
    const results = fulfilled(await race(() => signIn.withIdentity(identity())));
    expect(results).toHaveLength(20);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(await all()).toMatchObject({ users: [{ id: results[0]!.userId }], accounts: [{}] });
    expect(types()).toEqual(["account.linked", "user.created"]);
  });

  it("is finished by linking, when its user got in another way", async () => {
    const { signIn, users, accounts, types } = createTestSignIn({ through: breakingAt(3, "before") });
    await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ status: 503 });
    const { id } = (await users.findByEmail("alice@acme.com"))!;
    await expect(signIn.linkIdentity("user-2", identity())).rejects.toMatchObject({ code: "account_already_linked" });

    expect(await signIn.linkIdentity(id, identity())).toMatchObject({ userId: id, pending: false });
    expect(await accounts.listForUser(id)).toMatchObject([{ pending: false }]);
    expect(types()).toEqual(["account.linked"]);
  });

  it("rule 26: lets the identity be linked later, when its address went to somebody else meanwhile", async () => {
    const { signIn, users, accounts } = createTestSignIn({ through: breakingAt(2, "before") });
    await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ status: 503 });
    const other = await users.create({ email: "alice@acme.com", emailVerified: true });

    await expect(signIn.withIdentity(identity())).rejects.toMatchObject({ code: "account_not_linked" });
    expect(await accounts.findByIdentity(identity())).toBeNull();
    await signIn.linkIdentity(other.id, identity());
    expect(await signIn.withIdentity(identity())).toMatchObject({ userId: other.id, created: false });
  });
});

describe("signing in by mail", () => {
  it("creates the user the first time and finds them by any form of the address", async () => {
    const { signIn, users, told, purge } = createTestSignIn();
    const first = await signIn.withEmail("Alice@ACME.com", { source });
    expect(first).toEqual({ userId: expect.any(String), created: true, epoch: [0, 0] });
    expect(await users.findById(first.userId)).toMatchObject({ email: "alice@acme.com", emailVerified: true, name: null });
    expect(await signIn.withEmail("alice@acme.com")).toEqual({ ...first, created: false });
    expect(told).toMatchObject([{ type: "user.created", userId: first.userId, source, details: { via: "email" } }]);
    expect(purge).not.toHaveBeenCalled();
    await expect(signIn.withEmail("no address")).rejects.toMatchObject({ code: "invalid_email" });
  });

  it("rule 10: makes one user of 20 proofs at once", async () => {
    const { signIn, all, types } = createTestSignIn();
    const results = fulfilled(await race((n) => signIn.withEmail(n % 2 ? "alice@acme.com" : "Alice@Acme.com")));
    expect(results).toHaveLength(20);
    expect(new Set(results.map(({ userId }) => userId)).size).toBe(1);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect((await all()).users).toHaveLength(1);
    expect(types()).toEqual(["user.created"]);
  });

  it("rule 10: and by a provider at once end in one user by that address", async () => {
    const { signIn, all } = createTestSignIn();
    const results = await race(async (n) => (n % 2 ? signIn.withEmail("alice@acme.com") : signIn.withIdentity(identity())));
    const { users } = await all();
    expect(users).toHaveLength(1);
    for (const { userId } of fulfilled(results)) expect(userId).toBe(users[0]!.id);
    for (const code of codes(results)) expect(code).toBe("account_not_linked");
    expect(fulfilled(results).length).toBeGreaterThanOrEqual(10);
  });

  it("rule 9: refuses a disabled user", async () => {
    const { signIn, principals } = createTestSignIn();
    const { userId } = await signIn.withEmail("alice@acme.com");
    await principals.setStatus(userId, "disabled");
    await expect(signIn.withEmail("alice@acme.com")).rejects.toMatchObject({ code: "user_disabled" });
  });

  it("rule 17: removes everything that was set before the mailbox was first proven, once", async () => {
    const { signIn, users, accounts, principals, purge } = createTestSignIn();
    const { id } = await users.create({ email: "alice@acme.com", emailVerified: false });
    await accounts.setPassword(id, "the attacker's");
    await accounts.link({ userId: id, identity: identity({ subject: "attacker", email: null }) });
    const { epoch } = await principals.standing(id);

    const proven = await signIn.withEmail("alice@acme.com");
    expect(proven).toMatchObject({ userId: id, created: false });
    expect(proven.epoch).toEqual((await principals.standing(id)).epoch);
    expect(proven.epoch).not.toEqual(epoch);
    expect(await users.findById(id)).toMatchObject({ emailVerified: true });
    expect(await accounts.findPassword(id)).toBeNull();
    expect(await accounts.listForUser(id)).toEqual([]);
    expect(purge.mock.calls).toEqual([[id]]);

    await accounts.setPassword(id, "the owner's");
    await signIn.withEmail("alice@acme.com");
    expect(await accounts.findPassword(id)).toBe("the owner's");
    expect(purge).toHaveBeenCalledTimes(1);
  });

  it("rule 17: does not count the proof until everything was removed", async () => {
    const { signIn, users, purge } = createTestSignIn();
    const { id } = await users.create({ email: "alice@acme.com" });
    purge.mockRejectedValueOnce(new StorageError());
    await expect(signIn.withEmail("alice@acme.com")).rejects.toMatchObject({ status: 503 });
    expect(await users.findById(id)).toMatchObject({ emailVerified: false });
    expect(await signIn.withEmail("alice@acme.com")).toMatchObject({ userId: id });
    expect(purge).toHaveBeenCalledTimes(2);
  });

  it("rule 17: leaves nothing linked by a request that it overtakes", async () => {
    const { through, before, interrupted } = interruptible();
    const { signIn, users, accounts } = createTestSignIn({ through });
    const { id } = await users.create({ email: "alice@acme.com" });
    before("commit", "accounts", () => signIn.withEmail("alice@acme.com"));

    await expect(signIn.linkIdentity(id, identity())).rejects.toMatchObject({ code: "session_revoked" });
    expect(interrupted()).toBe(true);
    expect(await accounts.findByIdentity(identity())).toBeNull();
  });

  it("rule 17: leaves nothing linked by a request that comes in after the accounts were removed", async () => {
    const { through, before, interrupted } = interruptible();
    const { signIn, users, principals, accounts } = createTestSignIn({ through });
    const { id } = await users.create({ email: "alice@acme.com" });
    const { epoch } = await principals.standing(id);
    const link = async () => {
      await expect(signIn.linkIdentity(id, identity(), { epoch })).rejects.toMatchObject({ code: "session_revoked" });
    };
    before("find", "accounts", () => before("get", "principals", link));
    await signIn.withEmail("alice@acme.com");

    expect(interrupted()).toBe(true);
    expect(await accounts.findByIdentity(identity())).toBeNull();
  });

  it("rule 17: refuses the session of a sign-in by an account that is removed just after", async () => {
    const { through, before } = interruptible();
    const { signIn, users, accounts } = createTestSignIn({ through });
    const { id } = await users.create({ email: "alice@acme.com" });
    await accounts.link({ userId: id, identity: identity() });
    let attacker: Awaited<ReturnType<typeof signIn.withIdentity>> | null = null;
    before("find", "accounts", async () => (attacker = await signIn.withIdentity(identity())));
    const owner = await signIn.withEmail("alice@acme.com");

    expect(attacker).toMatchObject({ userId: id });
    expect(attacker).not.toMatchObject({ epoch: owner.epoch });
  });

  it("rule 2: does not let in by an account that is removed during the sign-in", async () => {
    const { through, before, interrupted } = interruptible();
    const { signIn, users, accounts } = createTestSignIn({ through });
    const { id } = await users.create();
    await accounts.link({ userId: id, identity: identity() });
    before("get", "users", () => accounts.deleteForUser(id));
    const result = await signIn.withIdentity(identity());

    expect(interrupted()).toBe(true);
    expect(result).toMatchObject({ created: true });
    expect(result.userId).not.toBe(id);
  });

  it("rule 17: gives the owner the address back that was changed during the proof", async () => {
    const { signIn, users, purge } = createTestSignIn();
    const { id } = await users.create({ email: "alice@acme.com" });
    purge.mockImplementation(async () => void (await users.update(id, { email: "mallory@evil.com" })));
    await signIn.withEmail("alice@acme.com");
    expect(await users.findById(id)).toMatchObject({ email: "alice@acme.com", emailVerified: true });
  });
});

describe("linking an identity", () => {
  it("rule 25: is refused when it is another user's", async () => {
    const { signIn, users } = createTestSignIn();
    const { userId } = await signIn.withIdentity(identity());
    const bob = await users.create({ email: "bob@acme.com" });
    await expect(signIn.linkIdentity(bob.id, identity())).rejects.toMatchObject({ code: "account_already_linked", status: 409 });
    expect(await signIn.withIdentity(identity())).toMatchObject({ userId });
  });

  it("lets the user sign in by it, whatever address it has", async () => {
    const { signIn, users, told } = createTestSignIn();
    const bob = await users.create({ email: "bob@acme.com", emailVerified: true });
    const account = await signIn.linkIdentity(bob.id, identity(), { source });
    expect(await signIn.linkIdentity(bob.id, identity(), { source })).toMatchObject({ id: account.id });
    expect(await signIn.withIdentity(identity())).toMatchObject({ userId: bob.id, accountId: account.id, created: false });
    expect(await users.findById(bob.id)).toEqual(bob);
    expect(told).toMatchObject([{ type: "account.linked", userId: bob.id, source }]);
  });

  it("rule 10: and a first sign-in at once end with one user, or the refusal of the other", async () => {
    for (let round = 0; round < 10; round += 1) {
      const { signIn, users, accounts } = createTestSignIn();
      const bob = await users.create({ email: "bob@acme.com" });
      const [linked, signedIn] = await Promise.allSettled([signIn.linkIdentity(bob.id, identity()), signIn.withIdentity(identity())]);
      const owner = (await accounts.findByIdentity(identity()))?.userId;
      if (linked.status === "fulfilled") expect(owner).toBe(bob.id);
      else expect(linked.reason).toMatchObject({ code: "account_already_linked" });
      if (signedIn.status === "fulfilled") expect(signedIn.value.userId).toBe(owner);
      expect(signedIn.status).toBe("fulfilled");
    }
  });

  it("rule 9: is refused to a disabled user, and to one whose sessions ended since", async () => {
    const { signIn, users, principals, accounts } = createTestSignIn();
    const bob = await users.create();
    const { epoch } = await principals.standing(bob.id);
    await principals.raiseEpoch(bob.id);
    await expect(signIn.linkIdentity(bob.id, identity(), { epoch })).rejects.toMatchObject({ code: "session_revoked" });
    await principals.setStatus(bob.id, "disabled");
    await expect(signIn.linkIdentity(bob.id, identity())).rejects.toMatchObject({ code: "user_disabled" });
    expect(await accounts.findByIdentity(identity())).toBeNull();
  });
});
