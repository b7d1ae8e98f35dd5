import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAuth } from "../../lib/auth.ts";
import type { AuthEvent } from "../../lib/core/events.ts";
import type { Identity } from "../../lib/core/strategy.ts";
import { StorageError } from "../../lib/errors.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { TEST_SECRET } from "../support/kit.ts";

const identity: Identity = {
  provider: "acme",
  issuer: "https://acme.example",
  subject: "7",
  email: null,
  emailVerified: false,
  name: null,
  image: null,
  tokens: null,
  providerSessionId: null,
  authenticatedAt: null,
};

async function setUp(through: (store: RecordStore) => RecordStore = (store) => store) {
  const clock = createTestClock();
  const auth = createAuth({ secret: TEST_SECRET, baseUrl: "http://localhost", store: through(memoryStore({ clock })), clock });
  const heard: AuthEvent[] = [];
  auth.events.on("*", (event) => heard.push(event));
  const { userId } = await auth.signIn.withIdentity(identity);
  const session = await auth.sessions.create({ userId });
  const { key } = await auth.apiKeys.create({ userId, name: "ci" });
  const isIn = async () => [
    (await auth.sessions.resolve(session.token)).session !== null,
    await auth.apiKeys.authenticate(key).then(Boolean, () => false),
  ];
  return { auth, userId, key, heard, isIn };
}

describe("disabling a user", () => {
  it("rule 9: ends sessions and API keys at once, and lets none be made", async () => {
    const { auth, userId, heard, isIn } = await setUp();
    expect(await isIn()).toEqual([true, true]);
    await auth.users.disable(userId);

    expect(await isIn()).toEqual([false, false]);
    for (const made of [auth.sessions.create({ userId }), auth.apiKeys.create({ userId, name: "x" }), auth.signIn.withIdentity(identity)]) {
      await expect(made).rejects.toMatchObject({ code: "user_disabled", status: 401 });
    }
    expect(heard.at(-1)).toMatchObject({ type: "user.disabled", userId });
    expect(heard.map(({ type }) => type)).toEqual(expect.arrayContaining(["session.revoked", "api_key.revoked"]));
  });

  it("rule 9: leaves none of 64 sessions and keys that were made at the same time", async () => {
    const { auth, userId } = await setUp();
    const making = Promise.allSettled(
      Array.from({ length: 64 }, (_, n) => (n % 2 ? auth.sessions.create({ userId }) : auth.apiKeys.create({ userId, name: `${n}` }))),
    );
    await Promise.all([auth.users.disable(userId), making]);
    expect(await auth.sessions.list(userId)).toEqual([]);
    expect(await auth.apiKeys.list(userId)).toEqual([]);
  });

  it("rule 44: fails when it could not be done whole, and can be repeated", async () => {
    let down = false;
    const { auth, userId, isIn, heard } = await setUp((store) => ({
      ...store,
      commit: (writes) => (down && writes.some(({ op }) => op === "clear") ? Promise.reject(new StorageError()) : store.commit(writes)),
    }));
    down = true;
    await expect(auth.users.disable(userId)).rejects.toMatchObject({ status: 503 });
    expect(heard.some(({ type }) => type === "user.disabled")).toBe(false);
    down = false;
    await auth.users.disable(userId);
    expect(await isIn()).toEqual([false, false]);
  });

  it("is undone by enabling, which brings nothing back", async () => {
    const { auth, userId, isIn } = await setUp();
    await auth.users.disable(userId);
    await auth.users.enable(userId);
    expect(await isIn()).toEqual([false, false]);
    expect((await auth.sessions.create({ userId })).session.userId).toBe(userId);
  });
});

describe("changing roles", () => {
  it("rule 12: holds at once in every session and API key, the narrowed ones included", async () => {
    const { auth, userId, key, heard } = await setUp();
    const narrow = await auth.apiKeys.create({ userId, name: "narrow", roles: ["viewer"] });
    await auth.users.setRoles(userId, ["editor", "viewer", "editor"]);

    expect((await auth.sessions.list(userId)).map(({ roles }) => roles)).toEqual([["editor", "viewer"]]);
    expect((await auth.apiKeys.authenticate(key)).roles).toEqual(["editor", "viewer"]);
    expect((await auth.apiKeys.authenticate(narrow.key)).roles).toEqual(["viewer"]);
    expect(heard.at(-1)).toMatchObject({ type: "user.roles_changed", userId, details: { roles: ["editor", "viewer"] } });
    await auth.users.setRoles(userId, []);
    expect((await auth.apiKeys.authenticate(key)).roles).toEqual([]);
  });

  it.each([[[""]], [["x".repeat(65)]], [[7]], [Array.from({ length: 101 }, (_, n) => `r${n}`)]])("refuses %j", async (roles) => {
    const { auth, userId } = await setUp();
    await expect(auth.users.setRoles(userId, roles as string[])).rejects.toMatchObject({ code: "invalid_role" });
  });
});

describe("deleting a user", () => {
  it("rule 9: ends credentials, removes accounts and profile, and the identity may begin anew as somebody else", async () => {
    const { auth, userId, isIn, heard } = await setUp();
    await auth.users.delete(userId);
    await auth.users.delete(userId);

    expect(await isIn()).toEqual([false, false]);
    expect(await auth.users.findById(userId)).toBeNull();
    expect(await auth.accounts.listForUser(userId)).toEqual([]);
    await expect(auth.sessions.create({ userId })).rejects.toMatchObject({ code: "user_disabled" });
    expect(heard.at(-1)).toMatchObject({ type: "user.deleted", userId });
    const again = await auth.signIn.withIdentity(identity);
    expect(again).toMatchObject({ created: true });
    expect(again.userId).not.toBe(userId);
  });
});
