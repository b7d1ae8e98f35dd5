import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { directoryUserStore, userCollection } from "../../lib/core/user-directory.ts";
import { createUsers, type User, type UserStore } from "../../lib/core/users.ts";
import { directoryKey } from "../../lib/storage/collection.ts";
import { createTestClock } from "../../lib/testing/clock.ts";

function createTestUsers() {
  const clock = createTestClock();
  const store = memoryStore({ clock });
  const events = createEvents(clock);
  const told: AuthEvent[] = [];
  events.on("*", (event) => told.push(event));
  return { clock, store, told, users: createUsers({ store: directoryUserStore(store, events), clock }) };
}

const refusals = (results: PromiseSettledResult<unknown>[]) =>
  results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));

describe("users", () => {
  it("are found by id and by any form of their address", async () => {
    const { users, clock } = createTestUsers();
    const user = await users.create({ email: "Alice@ACME.com", name: "Alice" });

    expect(user).toEqual({
      id: expect.stringMatching(/^[\w-]{22}$/),
      email: "alice@acme.com",
      emailVerified: false,
      emailVerifiedAt: null,
      name: "Alice",
      image: null,
      createdAt: clock.now(),
      updatedAt: clock.now(),
    });
    expect(await users.findById(user.id)).toEqual(user);
    expect(await users.findByEmail("ALICE@acme.com")).toEqual(user);
    expect(await users.findById("nobody")).toBeNull();
    expect(await users.findByEmail("nobody@acme.com")).toBeNull();
  });

  it("may be without an address, any number of them", async () => {
    const { users } = createTestUsers();
    const made = await Promise.all([users.create(), users.create({ emailVerified: true })]);
    expect(made.map(({ email, emailVerified }) => [email, emailVerified])).toEqual([
      [null, false],
      [null, false],
    ]);
  });

  it("rule 10: have an address alone, however many ask for it at once", async () => {
    const { users } = createTestUsers();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => users.create({ email: index % 2 ? "alice@acme.com" : "Alice@Acme.com" })),
    );
    expect(refusals(results)).toHaveLength(19);
    for (const reason of refusals(results)) expect(reason).toMatchObject({ code: "email_taken", status: 409 });
  });

  it("are created once under one id: the one that is there comes back unchanged", async () => {
    const { users } = createTestUsers();
    const made = await Promise.all(Array.from({ length: 20 }, () => users.create({ id: "user-1", email: "alice@acme.com" })));
    const again = await users.create({ id: "user-1", email: "other@acme.com", name: "Other" });

    expect(new Set([...made, again].map((user) => JSON.stringify(user))).size).toBe(1);
    expect(again.email).toBe("alice@acme.com");
    expect(await users.findByEmail("other@acme.com")).toBeNull();
  });

  it("lose the proof of an address when it changes, and leave the old one free", async () => {
    const { users, clock } = createTestUsers();
    const { id } = await users.create({ email: "alice@acme.com", emailVerified: true });
    clock.advance(60);

    expect(await users.update(id, { email: "Alice@New.example" })).toMatchObject({
      email: "alice@new.example",
      emailVerified: false,
      emailVerifiedAt: null,
      updatedAt: clock.now(),
    });
    expect(await users.update(id, { emailVerified: true })).toMatchObject({ emailVerified: true, emailVerifiedAt: clock.now() });
    expect(await users.findByEmail("alice@acme.com")).toBeNull();
    expect((await users.create({ email: "alice@acme.com" })).id).not.toBe(id);
  });

  it("rule 10: cannot change to an address that another one has", async () => {
    const { users } = createTestUsers();
    await users.create({ email: "alice@acme.com" });
    const bob = await users.create({ email: "bob@acme.com" });

    await expect(users.update(bob.id, { email: "alice@acme.com" })).rejects.toMatchObject({ code: "email_taken" });
    expect(await users.findById(bob.id)).toEqual(bob);
  });

  it("rule 10: take a free address one at a time", async () => {
    const { users } = createTestUsers();
    const made = await Promise.all(Array.from({ length: 20 }, () => users.create()));
    const results = await Promise.allSettled(made.map(({ id }) => users.update(id, { email: "alice@acme.com" })));
    expect(refusals(results)).toHaveLength(19);
    for (const reason of refusals(results)) expect(reason).toMatchObject({ code: "email_taken" });
  });

  it("keep both of two fields changed at once", async () => {
    const { users } = createTestUsers();
    const { id } = await users.create();
    await Promise.all([users.update(id, { name: "Alice" }), users.update(id, { image: "https://acme.com/a.png" })]);
    expect(await users.findById(id)).toMatchObject({ name: "Alice", image: "https://acme.com/a.png" });
  });

  it("are gone once deleted, their address free", async () => {
    const { users } = createTestUsers();
    const { id } = await users.create({ email: "alice@acme.com" });
    await users.delete(id);
    await users.delete(id);

    expect(await users.findById(id)).toBeNull();
    expect(await users.findByEmail("alice@acme.com")).toBeNull();
    await expect(users.update(id, { name: "Alice" })).rejects.toMatchObject({ code: "user_not_found", status: 404 });
  });

  it("rule 49: are refused and reported when their record does not parse", async () => {
    const { users, store, told } = createTestUsers();
    for (const text of ["null", "[]", "{", '{"emailVerified":"yes","createdAt":1}']) {
      await store.commit([
        { op: "put", in: userCollection, record: { ...directoryKey("user-1"), value: Buffer.from(text), expiresAt: null } },
      ]);
      await expect(users.findById("user-1")).rejects.toMatchObject({ status: 503 });
      expect(told.pop()).toMatchObject({ type: "record.unreadable", details: { collection: "users" } });
    }
  });

  it("refuse an application's table that gives them another id", async () => {
    const own: UserStore = {
      findByEmail: async () => null,
      findById: async () => null,
      create: async (user: User) => ({ ...user, id: "42" }),
      update: async () => null,
      delete: async () => {},
    };
    const users = createUsers({ store: own, clock: createTestClock() });
    await expect(users.create()).rejects.toMatchObject({ code: "config_error", option: "users" });
  });
});
