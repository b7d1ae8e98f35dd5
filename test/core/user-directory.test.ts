import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { appUserStore } from "../../lib/core/app-users.ts";
import { createEvents } from "../../lib/core/events.ts";
import { directoryUserStore } from "../../lib/core/user-directory.ts";
import { systemClock } from "../../lib/clock.ts";
import { userDirectoryConformance } from "../../lib/testing/index.ts";
import type { User, UserStore } from "../../lib/core/users.ts";
import { openSqliteUsers } from "../support/sqlite-users.ts";

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});

userDirectoryConformance("our directory", async () => directoryUserStore(memoryStore(), createEvents(systemClock)), { describe, it });

userDirectoryConformance(
  "an application's SQLite table",
  async () => {
    const users = openSqliteUsers();
    opened.push(users);
    return appUserStore(users);
  },
  { describe, it },
);

describe("the conformance suite of users", () => {
  /** The titles of the tests that a store fails. */
  const failuresOf = async (change: (users: UserStore) => Partial<UserStore>) => {
    const tests: [string, () => Promise<void>][] = [];
    const runner = {
      describe: (_name: string, body: () => void) => body(),
      it: (title: string, body: () => Promise<void>) => tests.push([title, body]),
    };
    const open = async () => {
      const users = directoryUserStore(memoryStore(), createEvents(systemClock));
      return { ...users, ...change(users) };
    };
    userDirectoryConformance("faulty", open, runner);
    const results = await Promise.allSettled(tests.map(([, test]) => test()));
    return tests.flatMap(([title], index) => (results[index]?.status === "rejected" ? [title] : []));
  };
  const lost = (user: User | null, fields: object) => user && { ...user, ...fields };

  it("is passed by what has no fault", async () => {
    expect(await failuresOf(() => ({}))).toEqual([]);
  });

  it.each<[string, (users: UserStore) => Partial<UserStore>]>([
    ["gives undefined for nobody", (users) => ({ findById: async (id) => (await users.findById(id)) ?? (undefined as never) })],
    ["creates a user under another id", (users) => ({ create: (user) => users.create({ ...user, id: `${user.id}-1` }) })],
    [
      "refuses to create twice",
      (users) => ({ create: async (user) => ((await users.findById(user.id)) ? Promise.reject(new Error("exists")) : users.create(user)) }),
    ],
    ["writes over whom it created", (users) => ({ create: async (user) => (await users.delete(user.id), users.create(user)) })],
    ["loses milliseconds", (users) => ({ findById: async (id) => lost(await users.findById(id), { createdAt: 1_767_323_045_000 }) })],
    ["has 1 for true", (users) => ({ findByEmail: async (email) => lost(await users.findByEmail(email), { emailVerified: 1 }) })],
    ["writes all fields of a change", (users) => ({ update: (id, fields) => users.update(id, { name: null, ...fields }) })],
    [
      "ignores null",
      (users) => ({ update: (id, { email, ...fields }) => users.update(id, email == null ? fields : { ...fields, email }) }),
    ],
    [
      "tells of a taken address in other words",
      (users) => ({ create: (user) => users.create(user).catch(() => Promise.reject(new Error("duplicate"))) }),
    ],
    ["compares ids without case", (users) => ({ create: (user) => users.create({ ...user, id: user.id.toLowerCase() }) })],
    [
      "refuses to delete twice",
      (users) => ({ delete: async (id) => ((await users.findById(id)) ? users.delete(id) : Promise.reject(new Error("gone"))) }),
    ],
    ["keeps deleted users", () => ({ delete: async () => {} })],
    [
      "makes users by changing them",
      (users) => ({
        update: async (id, fields) =>
          (await users.update(id, fields)) ??
          users.create({ id, email: null, emailVerified: false, name: null, image: null, createdAt: 0, updatedAt: 0, ...fields }),
      }),
    ],
    ["cuts names", (users) => ({ create: (user) => users.create({ ...user, name: user.name?.slice(0, 100) ?? null }) })],
    ["trims names", (users) => ({ create: (user) => users.create({ ...user, name: user.name?.trim() ?? null }) })],
  ])("is failed by a store that %s", async (_fault, change) => {
    expect(await failuresOf(change)).not.toEqual([]);
  });
});
