import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createAuth } from "../../lib/auth.ts";
import { appUserStore } from "../../lib/core/app-users.ts";
import type { Identity } from "../../lib/core/strategy.ts";
import { emailTaken, type User, type UserStore } from "../../lib/core/users.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import { ConfigError, StorageError } from "../../lib/errors.ts";
import { startApp } from "../support/app.ts";
import { TEST_SECRET } from "../support/kit.ts";
import { openSqliteUsers } from "../support/sqlite-users.ts";

const ada: User = {
  id: "ada",
  email: "ada@acme.com",
  emailVerified: true,
  name: "Ada",
  image: null,
  createdAt: 1,
  updatedAt: 1,
};

/** A store of which every method gives the same. */
const giving = (user: unknown): UserStore => {
  const give = async () => user as never;
  return { findByEmail: give, findById: give, create: give, update: give, delete: give };
};

/** A provider's word for somebody new. */
const identity: Identity = {
  provider: "google",
  issuer: "https://accounts.google.com",
  subject: "1001",
  email: "ada@acme.com",
  emailVerified: true,
  name: "Ada",
  image: null,
  tokens: null,
  providerSessionId: null,
  authenticatedAt: null,
};

describe("an application's own users", () => {
  it("are given as they are, with what else their table has", async () => {
    const own = { ...ada, plan: "gold" };
    const users = appUserStore(giving(own));
    expect(await users.findByEmail("ada@acme.com")).toBe(own);
    expect(await users.findById("ada")).toBe(own);
    expect(await users.update("ada", {})).toBe(own);
    expect(await users.create(ada)).toBe(own);
  });

  it("are null where a query gave no row", async () => {
    for (const none of [null, undefined]) {
      const users = appUserStore(giving(none));
      expect([await users.findByEmail("ada@acme.com"), await users.findById("ada"), await users.update("ada", {})]).toEqual([
        null,
        null,
        null,
      ]);
      await expect(users.create(ada)).rejects.toThrow(ConfigError);
    }
  });

  it("may keep addresses from before that are written otherwise", async () => {
    expect(await appUserStore(giving({ ...ada, email: "Ada@ACME.com" })).findByEmail("ada@acme.com")).toMatchObject({ id: "ada" });
  });

  it.each(["adä@acme.com", "ada@acme.com.evil.example", "", null])("are refused when another address was found: %s", async (email) => {
    await expect(appUserStore(giving({ ...ada, email })).findByEmail("ada@acme.com")).rejects.toThrow(/findByEmail\(\) gave another user/);
  });

  it("are refused when another id was found", async () => {
    const users = appUserStore(giving({ ...ada, id: "Ada" }));
    await expect(users.findById("ada")).rejects.toThrow(/findById\(\) gave another user/);
    await expect(users.update("ada", {})).rejects.toThrow(/update\(\) gave another user/);
    await expect(users.create(ada)).rejects.toThrow(/create\(\) gave another user/);
  });

  it.each([
    [{ emailVerified: 1 }, /emailVerified is number: give true or false/],
    [{ emailVerified: "f" }, /emailVerified is string/],
    [{ emailVerified: undefined }, /emailVerified is undefined/],
    [{ createdAt: "1767323045000" }, /createdAt is string: give a number, Unix milliseconds/],
    [{ updatedAt: new Date() }, /updatedAt is object/],
    [{ createdAt: Number.NaN }, /createdAt is number/],
    [{ name: undefined }, /name is undefined: give text or null/],
    [{ email: 1 }, /email is number/],
    [{ id: 7 }, /id is number: give text/],
  ])("are refused when a column is no such value: %o", async (fields, message) => {
    const users = appUserStore(giving({ ...ada, ...fields }));
    await expect(users.findById("ada")).rejects.toThrow(message);
    await expect(users.findByEmail("ada@acme.com")).rejects.toThrow(message);
  });

  it("rule 43: that cannot be asked are an outage; a taken address is what it is", async () => {
    const cause = new Error("ECONNREFUSED");
    const away = () => Promise.reject(cause);
    const users = appUserStore({ findByEmail: away, findById: away, create: away, update: away, delete: away });
    for (const call of [users.findByEmail("a"), users.findById("a"), users.create(ada), users.update("a", {}), users.delete("a")]) {
      const error: unknown = await call.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StorageError);
      expect(error).toHaveProperty("cause", cause);
    }
    const taken = emailTaken();
    await expect(appUserStore({ ...giving(ada), create: () => Promise.reject(taken) }).create(ada)).rejects.toBe(taken);
  });

  it("that throw at once are an outage as well", async () => {
    const findById = () => {
      throw new TypeError("a bug");
    };
    await expect(appUserStore({ ...giving(ada), findById }).findById("ada")).rejects.toThrow(StorageError);
  });
});

describe("a first sign-in with an application's own users", () => {
  const createOwn = (change: (users: UserStore) => Partial<UserStore> = () => ({})) => {
    const kept = openSqliteUsers();
    const users = { ...kept, ...change(kept) };
    const auth = createAuth({ secret: TEST_SECRET, users, store: memoryStore(), email: memoryTransport() });
    return { kept, auth };
  };

  it("creates the user in the application's table alone", async () => {
    const { auth, kept } = createOwn();
    const { userId, created } = await auth.signIn.withIdentity(identity);
    expect(created).toBe(true);
    expect(await kept.findById(userId)).toMatchObject({ email: "ada@acme.com", emailVerified: true, name: "Ada" });
    expect(await auth.signIn.withIdentity(identity)).toMatchObject({ userId, created: false });
  });

  it.each([
    [
      "before the user was created",
      (create: UserStore["create"]) => (user: User) => Promise.reject(new Error(`no ${user.id}`)).then(() => create(user)),
    ],
    [
      "after the user was created",
      (create: UserStore["create"]) => (user: User) => create(user).then(() => Promise.reject(new Error("lost answer"))),
    ],
  ])("goes on under the same id when it broke off %s", async (_when, breaking) => {
    const asked: string[] = [];
    let broken = true;
    const { auth, kept } = createOwn((own) => ({
      create(user) {
        asked.push(user.id);
        return broken ? breaking((given) => own.create(given))(user) : own.create(user);
      },
    }));

    await expect(auth.signIn.withIdentity(identity)).rejects.toThrow(StorageError);
    broken = false;
    const { userId } = await auth.signIn.withIdentity(identity);

    expect(new Set(asked)).toEqual(new Set([userId]));
    expect(await kept.findByEmail("ada@acme.com")).toMatchObject({ id: userId });
    expect(await auth.accounts.listForUser(userId)).toMatchObject([{ pending: false }]);
  });

  it("rule 1: makes one user for 20 at once", async () => {
    const { auth, kept } = createOwn();
    const results = await Promise.all(Array.from({ length: 20 }, () => auth.signIn.withIdentity(identity)));
    expect(new Set(results.map(({ userId }) => userId)).size).toBe(1);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(await kept.findByEmail("ada@acme.com")).toMatchObject({ id: results[0]?.userId });
  });

  it("removes a deleted user from the application's table", async () => {
    const { auth, kept } = createOwn();
    const { userId } = await auth.signIn.withIdentity(identity);
    await auth.users.delete(userId);
    expect(await kept.findById(userId)).toBeNull();
  });
});

describe("an application's own users over HTTP", () => {
  it("rule 43: are answered 503 while their database is away, and 200 when it is back", async () => {
    const users = openSqliteUsers();
    const app = await startApp({
      users,
      loadUser: true,
      routes: (express) => express.get("/who", (req, res) => void res.json(req.user ?? null)),
    });
    try {
      await app.auth.users.create({ id: "ada", email: "ada@acme.com" });
      const { token } = await app.auth.sessions.create({ userId: "ada", transport: "token" });
      const me = () => fetch(`${app.url}/auth/me`, { headers: { authorization: `Bearer ${token}` } });
      const down = vi.spyOn(users, "findById").mockRejectedValue(new Error("ECONNREFUSED"));
      const answer = await me();
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      down.mockRestore();
      expect((await me()).status).toBe(200);
    } finally {
      await app.close();
    }
  });

  it("sign in by a mailed code, and are made by it", async () => {
    const users = openSqliteUsers();
    const app = await startApp({ users });
    try {
      const { created, userId } = await app.auth.signIn.withEmail("Bob@acme.com");
      expect(created).toBe(true);
      expect(await users.findById(userId)).toMatchObject({ email: "bob@acme.com", emailVerified: true });
    } finally {
      await app.close();
    }
  });
});
