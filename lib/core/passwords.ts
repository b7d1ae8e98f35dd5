import { ownerTag } from "../crypto/hash.ts";
import { randomToken } from "../crypto/random.ts";
import { ConflictError, CredentialError, PermissionError } from "../errors.ts";
import { normaliseEmail } from "./email-address.ts";
import type { RequestSource } from "./events.ts";
import { createPasswordFailures } from "./password-failures.ts";
import { createPasswordLinks, type PasswordLinks } from "./password-links.ts";
import type { PasswordsParts } from "./password-parts.ts";
import type { PasswordPolicy } from "./password-policy.ts";
import { isTooBusy } from "./password-queue.ts";
import { sourceFailureLimit, sourceKey, type Counted } from "./rate-limits.ts";
import type { Session } from "./sessions.ts";
import type { Resolved } from "./sign-in.ts";
import type { User } from "./users.ts";

export type { PasswordsOptions } from "./password-options.ts";
export type { PasswordMail } from "./password-parts.ts";

interface From {
  readonly source?: RequestSource | null | undefined;
  readonly counted?: Counted | undefined;
}

export interface SignUp extends From {
  readonly email: string;
  readonly password: string;
  readonly name?: string | null | undefined;
  /** Where links in mails lead without a `baseUrl`, in development. */
  readonly origin?: string | undefined;
}

/** Passwords: accounts made with them, signing in by them, changing them. What goes by mail is in {@link PasswordLinks}. */
export interface Passwords extends PasswordLinks {
  /**
   * Makes a user with a password. Where addresses have to be confirmed it resolves to `null` for everybody, with a mail on its way: the link to confirm
   * a new address, or word to the owner of a known one; hashes and store calls are as many. One hash.
   * @throws {RequestError} `invalid_email`, `weak_password`; {@link ConflictError} `email_taken` where no confirmation is required;
   *   {@link RateLimitError}; {@link AuthError} 503 `too_busy`; what `onSignUp` throws.
   */
  signUp(options: SignUp): Promise<Resolved | null>;
  /**
   * The user behind an address and a password. Make a session under the resolved `epoch`, or one that a reset ended in between would live on.
   * A wrong one is counted before it is compared; unknown addresses cost one hash and as many store calls. One hash.
   * @throws {CredentialError} 401 `invalid_credentials` whatever was wrong, `password_disabled` after too many; {@link PermissionError} 403
   *   `email_not_confirmed`; {@link RateLimitError}; {@link RequestError} `invalid_email`; {@link AuthError} 503 `too_busy`; what `onSignIn` throws.
   */
  signIn(options: From & { readonly email: string; readonly password: string }): Promise<Resolved>;
  /** Compares a known user's password, for step-up. Counted as {@link Passwords.signIn} counts. @throws as that does, but for the address. */
  verify(options: From & { readonly userId: string; readonly password: string }): Promise<void>;
  /**
   * Sets a user's password, ends all their sessions but `keep`, makes links in mails void and tells the owner. Whoever calls it has proven the user
   * before. One hash.
   * @throws {RequestError} `weak_password`; {@link ConflictError} `password_changed` when another change came first; {@link CredentialError} `session_revoked`.
   */
  change(options: From & { readonly userId: string; readonly password: string; readonly keep?: Session | undefined }): Promise<void>;
  /** Whether somebody may have this password. @throws {RequestError} `weak_password`. */
  readonly policy: PasswordPolicy;
  /** Whether a hash that another system wrote is of a format that signing in compares with: argon2, or one of `foreignHashes`. */
  recognises(hash: string): boolean;
}

export function createPasswords(parts: PasswordsParts): Passwords {
  const { events, users, accounts, principals, sessions, rateLimits, oneTimeTokens, hasher, policy, config } = parts;
  const { ids = () => randomToken(16) } = parts;
  const failures = createPasswordFailures({ ...parts, maxFailures: config.maxFailures });
  const links = createPasswordLinks({ ...parts, failures });

  /** Compares, after counting; resolves to the epoch from before the hash was read, so that a reset in between is noticed. */
  const prove = async (userId: string | null, address: string, password: string, { source = null, counted }: From) => {
    const limit = { name: "source_failures", key: sourceKey(source?.ip ?? null), limit: sourceFailureLimit };
    const reserved = await rateLimits.requireAll([limit], source);
    counted?.(reserved);
    const giveBack = () => {
      counted?.(reserved.map((reservation) => ({ ...reservation, remaining: reservation.remaining + 1 })));
      return Promise.all(reserved.map(rateLimits.give));
    };
    const subject = userId ?? ownerTag(address);
    const { epoch, principal } = await principals.standing(subject);
    const failure = await failures.reserve(userId === null ? { address } : { userId });
    const stored = await accounts.findPassword(subject);
    const { matches, outdated } = await hasher.verify(password, userId === null ? null : stored).catch(async (error: unknown) => {
      // Nothing was compared, so nothing was guessed: an overload must lock nobody out. Of any other error that is not known.
      if (isTooBusy(error)) await Promise.all([giveBack(), failures.give(failure)]);
      throw error;
    });
    if (!matches || userId === null || stored === null) throw invalidCredentials();
    await Promise.all([giveBack(), failures.clear(userId)]);
    if (principal.status !== "active") throw new CredentialError("user_disabled", "This account is disabled");
    if (outdated) await upgrade(userId, password, stored);
    return epoch;
  };

  /** Over the hash it was compared with, so that a password that was changed meanwhile stays. */
  const upgrade = async (userId: string, password: string, stored: string) => {
    const hash = await hasher.hash(password.normalize("NFKC"));
    if (await accounts.setPassword(userId, hash, { replacing: stored })) events.emit("password.rehashed", {}, { userId });
  };

  /** The new user; `null` when somebody has that address. The password comes first: no user is ever there without one. */
  const create = async (email: string, hash: string, name: string | null): Promise<User | null> => {
    const id = ids();
    await accounts.setPassword(id, hash);
    try {
      return await users.create({ id, email, name });
    } catch (error) {
      await accounts.deleteForUser(id);
      if (error instanceof ConflictError && error.code === "email_taken") return null;
      throw error;
    }
  };

  /** As many calls of the store as {@link create}, for an address that somebody has. */
  const pretend = async (email: string) => {
    const nobody = ownerTag(email);
    await accounts.findPassword(nobody);
    await oneTimeTokens.revokeAll(nobody);
    await oneTimeTokens.revokeAll(nobody);
    return null;
  };

  const admitted = async (user: User, source: RequestSource | null) => {
    try {
      await config.onSignUp?.(user, { source });
    } catch (refusal) {
      await accounts.deleteForUser(user.id);
      await users.delete(user.id);
      throw refusal;
    }
    events.emit("user.created", { via: METHOD }, { userId: user.id, source });
  };

  return {
    ...links,
    policy,
    recognises: hasher.recognises,

    async signUp({ email: typed, password, name = null, source = null, origin, counted }) {
      const email = normaliseEmail(typed);
      const form = await policy.check(password, { email, name });
      if (config.requireConfirmedEmail) await links.reserveMail("email_confirm", email, { source, counted });
      const hash = await hasher.hash(form);
      const holder = await users.findByEmail(email);
      const user = holder ? await pretend(email) : await create(email, hash, name);
      if (user) await admitted(user, source);
      if (!config.requireConfirmedEmail) {
        if (!user) throw new ConflictError("email_taken", "User already exists");
        const { epoch } = await principals.activeStanding(user.id);
        return { userId: user.id, created: true, epoch };
      }
      if (user) await links.mailConfirmation(user.id, email, origin);
      else await links.mailAccountExists(holder ?? (await users.findByEmail(email)), email, origin);
      return null;
    },

    async signIn({ email: typed, password, source = null, counted }) {
      const email = normaliseEmail(typed);
      const user = await users.findByEmail(email);
      const epoch = await prove(user?.id ?? null, email, password, { source, counted });
      if (!user) throw invalidCredentials();
      if (config.requireConfirmedEmail && !user.emailVerified) {
        throw new PermissionError("email_not_confirmed", "Email not confirmed");
      }
      await config.onSignIn?.(user, { source });
      return { userId: user.id, created: false, epoch };
    },

    async verify({ userId, password, ...from }) {
      await prove(userId, userId, password, from);
    },

    async change({ userId, password, keep, source = null }) {
      const user = await users.findById(userId);
      const form = await policy.check(password, { email: user?.email, name: user?.name });
      const before = await accounts.findPassword(userId);
      const hash = await hasher.hash(form);
      if (!(await accounts.setPassword(userId, hash, { replacing: before }))) {
        throw new ConflictError("password_changed", "The password was changed by another request");
      }
      await sessions.revokeAll(userId, { ...(keep ? { keep } : {}), source });
      await oneTimeTokens.revokeAll(userId);
      events.emit("password.changed", {}, { userId, source });
      if (user) links.notify("password_changed", user);
    },
  };
}

const METHOD = "password";

/** The one answer for a wrong password and an unknown address. */
function invalidCredentials(): CredentialError {
  return new CredentialError("invalid_credentials", "Invalid credentials");
}
