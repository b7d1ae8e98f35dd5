import { randomToken } from "../crypto/random.ts";
import { ConflictError, CredentialError, ProviderError, StorageError } from "../errors.ts";
import type { Accounts, AccountSummary } from "./accounts.ts";
import { normaliseEmail } from "./email-address.ts";
import type { Events, RequestSource } from "./events.ts";
import { sameEpoch, type EpochPair, type Principals } from "./principals.ts";
import type { Identity } from "./strategy.ts";
import type { User, Users } from "./users.ts";

/** Where somebody signs in from, for events. */
interface From {
  readonly source?: RequestSource | null | undefined;
}

/** Which user a proof led to. */
export interface Resolved {
  readonly userId: string;
  /** Whether this very call created the user. */
  readonly created: boolean;
  /** The epoch at which the proof held: a session made from it must be made under the same, or what ended meanwhile would come back. */
  readonly epoch: EpochPair;
}

/** From proof of an identity or a mailbox to the user it belongs to. Makes no session. */
export interface SignIn {
  /**
   * The user of a provider identity; a first sign-in creates one, also when several arrive at once or one breaks off half-way.
   * Never finds a user by email address, unless `linkByEmail` names the provider. Three reads and a write for one who was here before.
   * @throws {ConflictError} `account_not_linked` when the identity is new and its address is another user's;
   *   {@link CredentialError} `user_disabled`, or `user_not_found` when the user was removed; {@link ProviderError} `invalid_identity`.
   */
  withIdentity(identity: Identity, from?: From): Promise<Resolved & { readonly accountId: string }>;
  /**
   * The user of a mailbox that was just proven by mail; the first proof creates one. If somebody else may have made a user with
   * that address before, never having proven it, everything they set is removed first: sessions, accounts, password, keys.
   * @throws {RequestError} `invalid_email`; {@link CredentialError} `user_disabled`.
   */
  withEmail(address: string, from?: From): Promise<Resolved>;
  /**
   * Links an identity to a signed-in user who asked for it in a session of this `epoch` (default: the one there is now). If the user's
   * credentials were ended before or meanwhile, nothing stays linked.
   * @throws {ConflictError} `account_already_linked` when it is another user's; {@link CredentialError} `session_revoked` or `user_disabled`.
   */
  linkIdentity(userId: string, identity: Identity, from?: From & { readonly epoch?: EpochPair }): Promise<AccountSummary>;
}

export interface SignInParts {
  readonly users: Users;
  readonly accounts: Accounts;
  readonly principals: Principals;
  readonly events: Events;
  /** Ends what else a user has: sessions, keys, pending changes of password or address. Idempotent. */
  readonly purge: (userId: string) => Promise<void>;
  /** Providers whose word for an address links a new identity to the user who has proven that address too. Default: none. */
  readonly linkByEmail?: readonly string[] | undefined;
  /** Makes the id of a new user. Default: 16 random bytes. */
  readonly ids?: () => string;
}

export function createSignIn(parts: SignInParts): SignIn {
  const { users, accounts, principals, events, purge, linkByEmail = [], ids = () => randomToken(16) } = parts;

  const created = (userId: string, via: string, { source = null }: From) => events.emit("user.created", { via }, { userId, source });

  /** Somebody who was here before. */
  const returning = async (account: AccountSummary, { tokens }: Identity) => {
    const [user, { epoch }] = await Promise.all([users.findById(account.userId), principals.activeStanding(account.userId)]);
    if (!user) throw new CredentialError("user_not_found", "This account no longer exists");
    // After the epoch was read, so that an account which went with an ending is noticed here, and an ending after it by the epoch.
    if (!(await accounts.confirm(account, tokens))) return null;
    return { userId: user.id, created: false, epoch, accountId: account.id };
  };

  /** The user whose proven address a trusted provider vouches for; refused when that is not so. */
  const byEmail = async (holder: User, identity: Identity, from: From) => {
    if (!linkByEmail.includes(identity.provider) || !holder.emailVerified) {
      throw new ConflictError("account_not_linked", "A user with this email address exists: sign in as before, then link this account");
    }
    const { epoch } = await principals.activeStanding(holder.id);
    const { id } = await accounts.link({ userId: holder.id, identity }, from);
    return { userId: holder.id, created: false, epoch, accountId: id };
  };

  /** Takes a pending account to its end, whoever began it. `null`: start again. */
  const first = async (pending: AccountSummary, identity: Identity, email: string | null, from: From) => {
    const { userId } = pending;
    const { name, image } = profileOf(identity);
    try {
      await users.create({ id: userId, email, emailVerified: email !== null, name, image });
    } catch (error) {
      if (!isEmailTaken(error)) throw error;
      // The address went to somebody else: give the identity free again, so that it can be linked to them.
      await accounts.abandon(pending);
      return null;
    }
    const { epoch } = await principals.activeStanding(userId);
    const finished = await accounts.finish(pending, identity, from);
    if (finished === null) return null;
    if (finished) created(userId, identity.provider, from);
    return { userId, created: finished, epoch, accountId: pending.id };
  };

  /** Mailed proof of an address that somebody claimed without proof: what they set is removed before it counts. */
  const takeOver = async ({ id }: User, email: string) => {
    // Before, so that an account linked during the removal is noticed by who links it; after, so that a sign-in by one of them is refused.
    await principals.raiseEpoch(id);
    await accounts.deleteForUser(id);
    await principals.raiseEpoch(id);
    await purge(id);
    await users.update(id, { email, emailVerified: true });
    return principals.activeStanding(id);
  };

  return {
    async withIdentity(identity, from = {}) {
      assertIdentity(identity);
      const email = verifiedEmail(identity);
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const account = await accounts.findByIdentity(identity);
        const holder = account || email === null ? null : await users.findByEmail(email);
        // An account comes before its user, so that one made for this identity in between is told from somebody else's by looking again.
        if (holder && (await accounts.findByIdentity(identity))) continue;
        if (holder) return byEmail(holder, identity, from);
        const begun = account ?? (await accounts.begin(identity, ids()));
        const resolved = begun.pending ? await first(begun, identity, email, from) : await returning(begun, identity);
        if (resolved) return resolved;
      }
      throw new StorageError("An account is changing too fast");
    },

    async withEmail(address, from = {}) {
      const email = normaliseEmail(address);
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const user = await users.findByEmail(email);
        if (user) {
          const standing = await principals.activeStanding(user.id);
          const { epoch } = user.emailVerified ? standing : await takeOver(user, email);
          return { userId: user.id, created: false, epoch };
        }
        try {
          const { id } = await users.create({ id: ids(), email, emailVerified: true });
          const { epoch } = await principals.activeStanding(id);
          created(id, "email", from);
          return { userId: id, created: true, epoch };
        } catch (error) {
          if (!isEmailTaken(error)) throw error;
        }
      }
      throw new StorageError("A user is changing too fast");
    },

    async linkIdentity(userId, identity, from = {}) {
      assertIdentity(identity);
      const { epoch } = await principals.activeStanding(userId);
      if (from.epoch && !sameEpoch(from.epoch, epoch)) throw ended();
      const before = await accounts.findByIdentity(identity);
      const account = await accounts.link({ userId, identity }, from);
      if (before || sameEpoch((await principals.standing(userId)).epoch, epoch)) return account;
      await accounts.unlink({ userId, accountId: account.id, otherWaysIn: 1 }, from);
      throw ended();
    },
  };
}

/** More than a race over one address or identity makes likely. */
const MAX_ATTEMPTS = 20;
const MAX_NAME = 200;
const MAX_IMAGE = 2048;

/** @throws {ProviderError} `invalid_identity`. */
function assertIdentity({ provider, issuer, subject }: Identity): void {
  if ([provider, issuer, subject].some((part) => typeof part !== "string" || part === "")) {
    throw new ProviderError("invalid_identity", "The provider did not say who this is");
  }
}

/** The canonical address, if the provider says with the boolean `true` that it is the person's. */
function verifiedEmail({ email, emailVerified }: Identity): string | null {
  if (emailVerified !== true || email === null) return null;
  try {
    return normaliseEmail(email);
  } catch {
    return null;
  }
}

/** What of others' text may be kept: one line of a name, and a picture that is a web address. */
export function profileOf({ name, image }: Pick<Identity, "name" | "image">): { name: string | null; image: string | null } {
  const line = typeof name === "string" ? [...name.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim()].slice(0, MAX_NAME).join("") : "";
  const url = typeof image === "string" && image.length <= MAX_IMAGE && URL.canParse(image) ? new URL(image) : null;
  return { name: line || null, image: url && ["https:", "http:"].includes(url.protocol) ? url.href : null };
}

function ended(): CredentialError {
  return new CredentialError("session_revoked", "All sessions of this user were ended meanwhile: sign in again");
}

function isEmailTaken(error: unknown): boolean {
  return error instanceof ConflictError && error.code === "email_taken";
}
