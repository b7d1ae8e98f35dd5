import { AuthError, ConfigError, StorageError } from "../errors.ts";
import { normaliseEmail } from "./email-address.ts";
import type { User, UserStore } from "./users.ts";

/**
 * The application's own users, taken at their word where that can be checked. What is no user, or another than was asked for, is
 * refused: a database whose text compares loosely finds one address by another, and would sign in the wrong person.
 * Costs nothing but the calls it passes on.
 *
 * - {@link AuthError}s, such as `email_taken`, are passed on; any other error becomes a {@link StorageError}, which is answered 503.
 * - {@link ConfigError} `users` when the answer is misshapen, or somebody else's.
 */
export function appUserStore(store: UserStore): UserStore {
  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (cause) {
      throw cause instanceof AuthError ? cause : new StorageError("The users of the application could not be asked", { cause });
    }
  };

  const sameId = (method: string, id: string, user: User | null | undefined): User | null => {
    if (!user) return null;
    assertUser(method, user);
    if (user.id !== id) throw new ConfigError("users", `${method}() gave another user: compare ids byte by byte`);
    return user;
  };

  return {
    async findByEmail(email) {
      const user = await ask(() => store.findByEmail(email));
      if (!user) return null;
      assertUser("findByEmail", user);
      if (!isAddress(user.email, email)) throw new ConfigError("users", "findByEmail() gave another user: compare addresses byte by byte");
      return user;
    },

    findById: async (id) => sameId("findById", id, await ask(() => store.findById(id))),

    async create(user) {
      const created = sameId("create", user.id, await ask(() => store.create(user)));
      if (!created) throw new ConfigError("users", "create() must resolve to the user that then has this id");
      return created;
    },

    update: async (id, fields) => sameId("update", id, await ask(() => store.update(id, fields))),

    delete: (id) => ask(() => store.delete(id)),
  };
}

/** Whether what is kept is this address: itself, or another way to write it from before it was kept in canonical form. */
function isAddress(kept: string | null, email: string): boolean {
  try {
    return kept !== null && (kept === email || normaliseEmail(kept) === email);
  } catch {
    return false;
  }
}

/** What a database's driver makes of a column is not always what the type says: 1 for true, text for a number. */
function assertUser(method: string, user: Partial<Record<keyof User, unknown>>): void {
  const wrong = Object.entries(FIELDS).find(([name, { is }]) => !is(user[name as keyof User]));
  if (wrong)
    throw new ConfigError(
      "users",
      `${method}() gave a user whose ${wrong[0]} is ${typeof user[wrong[0] as keyof User]}: give ${wrong[1].as}`,
    );
}

const text = { is: (value: unknown) => value === null || typeof value === "string", as: "text or null" };
const instant = { is: (value: unknown) => Number.isFinite(value), as: "a number, Unix milliseconds" };

const FIELDS: { readonly [Name in Exclude<keyof User, "emailVerifiedAt">]: { is(value: unknown): boolean; readonly as: string } } = {
  id: { is: (value) => typeof value === "string", as: "text" },
  email: text,
  emailVerified: { is: (value) => typeof value === "boolean", as: "true or false" },
  name: text,
  image: text,
  createdAt: instant,
  updatedAt: instant,
};
