import type { Clock } from "../clock.ts";
import { randomToken } from "../crypto/random.ts";
import { ConfigError, ConflictError, NotFoundError } from "../errors.ts";
import { normaliseEmail } from "./email-address.ts";

/** A person's profile: better-auth's fields under better-auth's names. What decides about credentials is the principal's. */
export interface User {
  /** 22 base64url characters when we chose it. */
  readonly id: string;
  /** Canonical, unique; `null` when no address was ever proven or given by the person. */
  readonly email: string | null;
  /** Whether somebody proved to read that mailbox. */
  readonly emailVerified: boolean;
  /** Unix ms of that proof; a store without that column leaves it out. */
  readonly emailVerifiedAt?: number | null | undefined;
  readonly name: string | null;
  /** An http(s) URL. */
  readonly image: string | null;
  /** Unix ms. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What may change of a user; what is left out stays. */
export type UserFields = Partial<Omit<User, "id" | "createdAt">>;

/**
 * Where profiles are kept: our {@link directoryUserStore}, or the application's own table.
 * The uniqueness of `email` must be the database's: a unique index, not a look before the insert. Any error but `email_taken` counts as
 * an outage. `userDirectoryConformance` of `latchkey/testing` checks one.
 */
export interface UserStore {
  /** By the canonical address. */
  findByEmail(email: string): Promise<User | null>;
  findById(id: string): Promise<User | null>;
  /**
   * Creates the user under the id given, or resolves to the one that has this id already, unchanged: it may be called twice.
   * @throws {ConflictError} `email_taken` when another user has the address.
   */
  create(user: User): Promise<User>;
  /** Resolves to the changed user, or `null` when there is none. @throws {ConflictError} `email_taken`. */
  update(id: string, fields: UserFields): Promise<User | null>;
  /** Idempotent. */
  delete(id: string): Promise<void>;
}

/** What makes a user; everything may be left out. */
export interface NewUser {
  /** Default: a new random id. */
  readonly id?: string | undefined;
  /** In any form; the canonical one is stored. Default: `null`. */
  readonly email?: string | null | undefined;
  /** Default: `false`. Never true without an address. */
  readonly emailVerified?: boolean | undefined;
  readonly name?: string | null | undefined;
  readonly image?: string | null | undefined;
  /** When the person came, Unix ms. Default: now. */
  readonly createdAt?: number | undefined;
}

/** What a caller may change of a user. */
export type UserChange = Partial<Pick<User, "email" | "emailVerified" | "name" | "image">>;

/** Users over any {@link UserStore}: addresses become canonical, instants and ids are set here. One call of the store each. */
export interface Users {
  /** @throws {RequestError} `invalid_email`. */
  findByEmail(email: string): Promise<User | null>;
  findById(id: string): Promise<User | null>;
  /**
   * Creates a user; with an id that exists, resolves to that one, unchanged.
   * @throws {ConflictError} `email_taken`; {@link RequestError} `invalid_email`.
   */
  create(user?: NewUser): Promise<User>;
  /**
   * Changes the fields given. A new `email` without `emailVerified` beside it becomes unverified.
   * @throws {NotFoundError} `user_not_found`; {@link ConflictError} `email_taken`; {@link RequestError} `invalid_email`.
   */
  update(id: string, change: UserChange): Promise<User>;
  /** Removes the profile alone. Idempotent. */
  delete(id: string): Promise<void>;
}

export interface UsersParts {
  readonly store: UserStore;
  readonly clock: Clock;
  /** Makes the id of a new user. Default: 16 random bytes. */
  readonly ids?: () => string;
}

export function createUsers({ store, clock, ids = () => randomToken(16) }: UsersParts): Users {
  const verification = (emailVerified: boolean) => ({ emailVerified, emailVerifiedAt: emailVerified ? clock.now() : null });

  return {
    async findByEmail(email) {
      return store.findByEmail(normaliseEmail(email));
    },

    findById: (id) => store.findById(id),

    async create({ id = ids(), email = null, emailVerified = false, name = null, image = null, createdAt } = {}) {
      const address = email === null ? null : normaliseEmail(email);
      const now = clock.now();
      const proof = verification(emailVerified && address !== null);
      const user = await store.create({ id, email: address, ...proof, name, image, createdAt: createdAt ?? now, updatedAt: now });
      if (user.id !== id) throw new ConfigError("users", "create() must keep the id it is given");
      return user;
    },

    async update(id, { email, emailVerified, name, image }) {
      const address = email == null ? email : normaliseEmail(email);
      const verified = address === null ? false : (emailVerified ?? (address === undefined ? undefined : false));
      const user = await store.update(id, {
        ...(address === undefined ? {} : { email: address }),
        ...(verified === undefined ? {} : verification(verified)),
        ...(name === undefined ? {} : { name }),
        ...(image === undefined ? {} : { image }),
        updatedAt: clock.now(),
      });
      if (!user) throw new NotFoundError("There is no such user", "user_not_found");
      return user;
    },

    async delete(id) {
      await store.delete(id);
    },
  };
}

/** The refusal of an address that another user has. */
export function emailTaken(cause?: unknown): ConflictError {
  return new ConflictError("email_taken", "Another user has this email address", { cause });
}
