import assert from "node:assert/strict";
import type { User, UserStore } from "../core/users.ts";
import type { ConformanceRunner } from "./record-store-conformance.ts";

/**
 * Declares the tests that every {@link UserStore} passes, ours and an application's own: what is found by what, `create` that may be
 * called twice, addresses that one user has, changes that lose nothing, text byte by byte, and callers at once. 19 tests.
 *
 * @param name of the store, for the names of the tests.
 * @param open resolves to a store without users, for each test; close in your own hooks what it needs.
 * @param runner where the tests are declared. Their failures are `AssertionError`s of `node:assert`.
 * @example
 * userDirectoryConformance("people", async () => {
 *   await pool.query("truncate people");
 *   return users;
 * }, { describe, it });
 */
export function userDirectoryConformance(name: string, open: () => Promise<UserStore>, { describe, it }: ConformanceRunner): void {
  const test = (title: string, body: (users: UserStore) => Promise<void>) => {
    it(title, async () => body(await open()));
  };

  describe(`${name} as users`, () => {
    describe("finding", () => findingTests(test));
    describe("creating", () => creatingTests(test));
    describe("changing", () => changingTests(test));
    describe("text", () => textTests(test));
  });
}

type DeclareTest = (title: string, body: (users: UserStore) => Promise<void>) => void;

/** An instant with milliseconds that are easily lost. */
const CREATED = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const LATER = CREATED + 86_400_001;

function person(id: string, fields: Partial<User> = {}): User {
  return { id, email: null, emailVerified: false, name: null, image: null, createdAt: CREATED, updatedAt: CREATED, ...fields };
}

const ada = person("ada", { email: "ada@acme.com", emailVerified: true, name: "Ada", image: "https://acme.com/ada.png" });

/** A store may have a column for `emailVerifiedAt`, and more for what is not ours. */
function assertUser(found: User | null, expected: User): void {
  assert.ok(found, `"${expected.id}" should be there`);
  for (const [name, value] of Object.entries(expected)) assert.equal(found[name as keyof User], value, name);
}

async function assertTaken(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, isTaken, "should be refused with email_taken");
}

const isTaken = (error: unknown) => (error as { code?: unknown } | null)?.code === "email_taken";
const race = <T>(call: (index: number) => Promise<T>) => Promise.allSettled(Array.from({ length: 20 }, (_, index) => call(index)));

function valuesOf<T>(results: PromiseSettledResult<T>[]): T[] {
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}

/** One wins, and all others are told why they did not. */
function assertOneWinner(results: PromiseSettledResult<unknown>[]): void {
  const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  assert.deepEqual(
    refused.filter((error) => !isTaken(error)),
    [],
    "every refusal should be email_taken",
  );
  assert.equal(refused.length, results.length - 1);
}

function findingTests(test: DeclareTest): void {
  test("nobody is null", async (users) => {
    assert.equal(await users.findById("ada"), null);
    assert.equal(await users.findByEmail("ada@acme.com"), null);
  });

  test("a user is found by id and by address, as created: flags are booleans, instants exact", async (users) => {
    assertUser(await users.create(ada), ada);
    assertUser(await users.findById("ada"), ada);
    assertUser(await users.findByEmail("ada@acme.com"), ada);
  });

  test("a user without address, name and picture has null for them", async (users) => {
    await users.create(person("bob"));
    assertUser(await users.findById("bob"), person("bob"));
  });
}

function creatingTests(test: DeclareTest): void {
  test("creating again gives the user that is there, unchanged", async (users) => {
    await users.create(ada);
    assertUser(await users.create(ada), ada);
    assertUser(await users.create({ ...ada, name: "Another", createdAt: LATER, updatedAt: LATER }), ada);
    assertUser(await users.create({ ...ada, email: "new@acme.com", emailVerified: false }), ada);
    assertUser(await users.findById("ada"), ada);
    assert.equal(await users.findByEmail("new@acme.com"), null);
  });

  test("creating again after the address changed gives the user that is there", async (users) => {
    await users.create(ada);
    await users.update("ada", { email: "lovelace@acme.com", updatedAt: LATER });
    assertUser(await users.create(ada), { ...ada, email: "lovelace@acme.com", updatedAt: LATER });
    assert.equal(await users.findByEmail("ada@acme.com"), null);
  });

  test("an address of somebody else is refused with email_taken, and nothing is created", async (users) => {
    await users.create(ada);
    await assertTaken(users.create(person("bob", { email: "ada@acme.com", emailVerified: true })));
    assert.equal(await users.findById("bob"), null);
    assertUser(await users.findByEmail("ada@acme.com"), ada);
  });

  test("any number of users may be without an address", async (users) => {
    for (const id of ["a", "b", "c"]) await users.create(person(id));
    for (const id of ["a", "b", "c"]) assertUser(await users.findById(id), person(id));
  });

  test("rule 10: of 20 that ask for one address at once one gets it", async (users) => {
    const results = await race((index) => users.create(person(`user ${index}`, { email: "ada@acme.com" })));
    assertOneWinner(results);
    const [winner] = valuesOf(results);
    assertUser(await users.findByEmail("ada@acme.com"), person(winner?.id ?? "", { email: "ada@acme.com" }));
    const all = await Promise.all(results.map((_, index) => users.findById(`user ${index}`)));
    assert.equal(all.filter((user) => user !== null).length, 1);
  });

  test("rule 10: 20 that create one user at once all get the same one", async (users) => {
    const results = await race((index) => users.create({ ...ada, email: index % 2 ? "ada@acme.com" : "lovelace@acme.com" }));
    const made = valuesOf(results);
    assert.equal(made.length, 20);
    const stored = await users.findById("ada");
    for (const user of made) assertUser(stored, user);
    const byAddress = await Promise.all(["ada@acme.com", "lovelace@acme.com"].map((email) => users.findByEmail(email)));
    assert.equal(byAddress.filter((user) => user !== null).length, 1);
  });
}

function changingTests(test: DeclareTest): void {
  test("what is given changes, what is not stays, and null is given", async (users) => {
    await users.create(ada);
    const renamed = { ...ada, name: "Augusta", image: null, updatedAt: LATER };
    assertUser(await users.update("ada", { name: "Augusta", image: null, updatedAt: LATER }), renamed);
    assertUser(await users.findById("ada"), renamed);
    const nowhere = { ...renamed, email: null, emailVerified: false };
    assertUser(await users.update("ada", { email: null, emailVerified: false, updatedAt: LATER }), nowhere);
    assertUser(await users.findById("ada"), nowhere);
  });

  test("changing nobody is null, and makes nobody", async (users) => {
    assert.equal(await users.update("ada", { name: "Ada", updatedAt: LATER }), null);
    assert.equal(await users.findById("ada"), null);
  });

  test("a changed address is found, the old one is free", async (users) => {
    await users.create(ada);
    await users.update("ada", { email: "lovelace@acme.com", updatedAt: LATER });
    assert.equal(await users.findByEmail("ada@acme.com"), null);
    assert.equal((await users.findByEmail("lovelace@acme.com"))?.id, "ada");
    await users.create(person("bob", { email: "ada@acme.com" }));
    assert.equal((await users.findByEmail("ada@acme.com"))?.id, "bob");
  });

  test("changing to the address of somebody else is refused with email_taken, and nothing changes", async (users) => {
    await users.create(ada);
    await users.create(person("bob", { email: "bob@acme.com" }));
    await assertTaken(users.update("bob", { email: "ada@acme.com", name: "Bob", updatedAt: LATER }));
    assertUser(await users.findById("bob"), person("bob", { email: "bob@acme.com" }));
    assertUser(
      await users.update("bob", { email: "bob@acme.com", updatedAt: LATER }),
      person("bob", { email: "bob@acme.com", updatedAt: LATER }),
    );
  });

  test("rule 10: of 20 that change to one address at once one gets it", async (users) => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => users.create(person(`user ${index}`))));
    assertOneWinner(await race((index) => users.update(`user ${index}`, { email: "ada@acme.com", updatedAt: LATER })));
    const all = await Promise.all(Array.from({ length: 20 }, (_, index) => users.findById(`user ${index}`)));
    assert.equal(all.filter((user) => user?.email === "ada@acme.com").length, 1);
  });

  test("changes of different fields at once lose none", async (users) => {
    await users.create(ada);
    await Promise.all([
      users.update("ada", { name: "Augusta", updatedAt: LATER }),
      users.update("ada", { image: "https://acme.com/augusta.png", updatedAt: LATER }),
      users.update("ada", { emailVerified: false, updatedAt: LATER }),
      users.update("ada", { email: "lovelace@acme.com", updatedAt: LATER }),
    ]);
    const changed = { name: "Augusta", image: "https://acme.com/augusta.png", emailVerified: false, email: "lovelace@acme.com" };
    assertUser(await users.findById("ada"), { ...ada, ...changed, updatedAt: LATER });
  });

  test("a deleted user is gone, may be deleted again, and leaves id and address free", async (users) => {
    await users.create(ada);
    await users.create(person("bob", { email: "bob@acme.com" }));
    await users.delete("ada");
    await users.delete("ada");
    assert.equal(await users.findById("ada"), null);
    assert.equal(await users.findByEmail("ada@acme.com"), null);
    assert.equal((await users.findById("bob"))?.id, "bob");
    await users.create(person("carol", { email: "ada@acme.com" }));
    await users.create(person("ada", { name: "Another Ada" }));
    assertUser(await users.findById("ada"), person("ada", { name: "Another Ada" }));
  });
}

function textTests(test: DeclareTest): void {
  test("ids are told apart by case", async (users) => {
    for (const id of ["abc_DEF-123", "abc_def-123", "ABC_DEF-123"]) await users.create(person(id, { name: id }));
    for (const id of ["abc_DEF-123", "abc_def-123", "ABC_DEF-123"]) assertUser(await users.findById(id), person(id, { name: id }));
    assert.equal(await users.findById("abc_DEF-12%"), null);
  });

  test("addresses are what they are: no pattern, no quoting, no likeness", async (users) => {
    const long = `${"a".repeat(64)}@${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(57)}.com`;
    const addresses = ["a_b@acme.com", "axb@acme.com", "%@acme.com", "o'hara@acme.com", "a`b{|}~@acme.com", "ss@acme.com", long];
    for (const email of addresses) await users.create(person(`of ${email.slice(0, 20)}`, { email }));
    for (const email of addresses) assert.equal((await users.findByEmail(email))?.id, `of ${email.slice(0, 20)}`, email);
    assert.equal(await users.findByEmail("a%b@acme.com"), null);
    assert.equal(await users.findByEmail("' or 1=1 --"), null);
  });

  test("names and pictures come back as they were, however long or strange", async (users) => {
    const names = ["Zoë 🦊 李", "e\u0301", "'; drop table people; --", '\\n \\0 "', " padded ", "👩‍👩‍👧".repeat(25)];
    const image = `https://acme.com/${"a".repeat(2031)}`;
    for (const [index, name] of names.entries()) await users.create(person(`user ${index}`, { name, image }));
    for (const [index, name] of names.entries())
      assertUser(await users.findById(`user ${index}`), person(`user ${index}`, { name, image }));
  });
}
