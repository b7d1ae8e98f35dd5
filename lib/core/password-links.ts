import { ownerTag } from "../crypto/hash.ts";
import { randomToken } from "../crypto/random.ts";
import { ConflictError, CredentialError } from "../errors.ts";
import { normaliseEmail } from "./email-address.ts";
import type { RequestSource } from "./events.ts";
import { invalidToken, type TokenPurpose } from "./one-time-tokens.ts";
import type { PasswordFailures } from "./password-failures.ts";
import type { PasswordMail, PasswordsParts } from "./password-parts.ts";
import { parseLimit, sourceKey, type Counted } from "./rate-limits.ts";
import type { User } from "./users.ts";

interface From {
  readonly source?: RequestSource | null | undefined;
}

interface Asked extends From {
  readonly counted?: Counted | undefined;
  readonly email: string;
  /** Where the link leads without a `baseUrl`, in development. */
  readonly origin?: string | undefined;
}

/** What goes by a link in a mail. Asking for one tells nobody whether an address is known. */
export interface PasswordLinks {
  /** Mails a link to choose a new password, if anybody has the address. @throws {RequestError} `invalid_email`; {@link RateLimitError}. */
  forgot(options: Asked): Promise<void>;
  /**
   * Sets a password by a token from {@link PasswordLinks.forgot}, ends all sessions and keys, and tells the owner. It signs nobody in. If the address was
   * never confirmed, what was set before this proof is removed. A password that is refused leaves the token good. One hash.
   * @throws {RequestError} `weak_password`; {@link CredentialError} `invalid_token`.
   */
  reset(options: From & { readonly token: string; readonly password: string }): Promise<{ userId: string }>;
  /** Mails the link that confirms an address, if anybody has it and has not done so. @throws {RequestError} `invalid_email`; {@link RateLimitError}. */
  sendConfirmation(options: Asked): Promise<void>;
  /**
   * Confirms an address, or completes a change of it: the one that the token was mailed to. @throws {CredentialError} `invalid_token`; {@link ConflictError}
   * `email_taken` when a new address went to somebody else.
   */
  confirm(options: From & { readonly token: string }): Promise<{ userId: string; email: string }>;
  /** "This was not me": spends the token and removes the user who never confirmed the address. @throws {CredentialError} `invalid_token`. */
  disown(options: From & { readonly token: string }): Promise<void>;
  /**
   * Mails the link that changes a user's address, to the new one. Nothing changes before that link is used. Whoever calls it has proven the user before.
   * @throws {RequestError} `invalid_email`; {@link RateLimitError}.
   */
  changeEmail(options: Asked & { readonly userId: string }): Promise<void>;
}

/** What the other half of passwords needs of this one. */
interface Mailing {
  reserveMail(purpose: TokenPurpose, email: string, from: From & { readonly counted?: Counted | undefined }): Promise<void>;
  mailConfirmation(userId: string, email: string, origin: string | undefined): Promise<void>;
  mailAccountExists(holder: User | null, email: string, origin: string | undefined): Promise<void>;
  notify(kind: "password_changed" | "email_changed", user: User): void;
}

/** Whose links are mailed here. */
type LinkPurpose = Exclude<TokenPurpose, "magic_link">;

const CONFIRM_TTL = 86_400;
const RESET_TTL = 1800;
/** A notice is worth sending for a day. */
const NOTICE = 86_400_000;

const cooldown = parseLimit("1/60s");
const perAddressAndSource = parseLimit("5/h");
const perAddress = parseLimit("20/h");
const perSource = parseLimit("20/h");

export function createPasswordLinks(parts: PasswordsParts & { readonly failures: PasswordFailures }): PasswordLinks & Mailing {
  const { clock, events, users, accounts, principals, rateLimits, signIn, oneTimeTokens, hasher, policy, config, basePath, failures } =
    parts;
  const { purge, send } = parts;

  const reserveMail: Mailing["reserveMail"] = async (purpose, email, { source = null, counted }) => {
    const from = sourceKey(source?.ip ?? null);
    const pair = JSON.stringify([purpose, email, from]);
    const uses = [
      { name: "mail_link_cooldown", key: pair, limit: cooldown },
      { name: "mail_link_sends", key: pair, limit: perAddressAndSource },
      { name: "mail_link_sends_by_source", key: from, limit: perSource },
    ];
    const ofAddress = { name: "mail_link_sends_to_address", key: JSON.stringify([purpose, email]), limit: perAddress };
    const reserved = await rateLimits.requireAll([...uses, ofAddress], source);
    // What is left of an address's would tell what its owner did.
    counted?.(reserved.slice(0, uses.length));
  };

  const PATHS: Readonly<Record<LinkPurpose, string>> = {
    email_confirm: `${basePath}/email/confirm`,
    email_change: `${basePath}/email/confirm`,
    password_reset: config.resetPage ?? `${basePath}/password/reset`,
  };

  /** Makes a token for somebody, or for nobody: then it costs as much, and no mail goes out. */
  const mail = async (
    kind: PasswordMail["kind"],
    purpose: LinkPurpose,
    { userId, email, origin }: { userId: string | null; email: string; origin: string | undefined },
    deliver = true,
  ) => {
    const ttl = purpose === "password_reset" ? RESET_TTL : CONFIRM_TTL;
    const issued = await oneTimeTokens.issue({ purpose, userId, email, ttl });
    if (!deliver || userId === null) return;
    const path = `${PATHS[purpose]}?token=${issued.token}`;
    const idempotencyKey = `${purpose}-${ownerTag(issued.token)}`;
    send({ kind, to: email, userId, path, origin: origin ?? null, idempotencyKey }, issued.expiresAt);
  };

  const notify: Mailing["notify"] = (kind, { id, email }) => {
    if (email === null) return;
    send({ kind, to: email, userId: id, path: null, origin: null, idempotencyKey: `${kind}-${randomToken(16)}` }, clock.now() + NOTICE);
  };

  /** The token of a link to confirm, whichever of the two kinds it is. */
  const findConfirmation = async (token: string) => {
    try {
      return await oneTimeTokens.find(token, "email_confirm");
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error;
      return oneTimeTokens.find(token, "email_change");
    }
  };

  return {
    reserveMail,
    notify,

    mailConfirmation: (userId, email, origin) => mail("confirm_email", "email_confirm", { userId, email, origin }),

    // A link to confirm would confirm what a stranger may have set; one to choose a new password removes that.
    mailAccountExists: (holder, email, origin) => mail("account_exists", "password_reset", { userId: holder?.id ?? null, email, origin }),

    async forgot({ email: typed, origin, source = null, counted }) {
      const email = normaliseEmail(typed);
      await reserveMail("password_reset", email, { source, counted });
      const user = await users.findByEmail(email);
      await mail("reset_password", "password_reset", { userId: user?.id ?? null, email, origin });
      events.emit("password.reset_requested", {}, { userId: user?.id ?? null, source });
    },

    async reset({ token, password, source = null }) {
      const found = await oneTimeTokens.find(token, "password_reset");
      const { userId, email } = found;
      const form = await policy.check(password, { email });
      const user = userId === null ? null : await users.findById(userId);
      if (!user || user.email !== email) throw invalidToken();
      const hash = await hasher.hash(form);
      await oneTimeTokens.spend(found);
      // Removes first what somebody may have set who never proved the address.
      if (!user.emailVerified) await signIn.withEmail(email, { source });
      await accounts.setPassword(user.id, hash);
      // After the new hash: who compared with the old one did so under the epoch that ends here.
      await purge(user.id);
      await failures.clear(user.id);
      events.emit("password.reset", {}, { userId: user.id, source });
      notify("password_changed", user);
      return { userId: user.id };
    },

    async sendConfirmation({ email: typed, origin, source = null, counted }) {
      const email = normaliseEmail(typed);
      await reserveMail("email_confirm", email, { source, counted });
      const user = await users.findByEmail(email);
      const userId = user && !user.emailVerified ? user.id : null;
      await mail("confirm_email", "email_confirm", { userId, email, origin });
    },

    async confirm({ token, source = null }) {
      const found = await findConfirmation(token);
      const { userId, email, purpose } = found;
      const user = userId === null ? null : await users.findById(userId);
      if (!user || (purpose === "email_confirm" && user.email !== email)) throw invalidToken();
      await principals.activeStanding(user.id);
      await oneTimeTokens.spend(found);
      await users.update(user.id, { email, emailVerified: true });
      // Links that went to the old address are void.
      if (purpose === "email_change") await oneTimeTokens.revokeAll(user.id);
      events.emit(purpose === "email_change" ? "email.changed" : "email.confirmed", {}, { userId: user.id, source });
      if (purpose === "email_change") notify("email_changed", user);
      return { userId: user.id, email };
    },

    async disown({ token, source = null }) {
      const found = await oneTimeTokens.find(token, "email_confirm");
      const user = found.userId === null ? null : await users.findById(found.userId);
      if (!user || user.email !== found.email) throw invalidToken();
      if (user.emailVerified) throw new ConflictError("email_confirmed", "This address was confirmed already");
      await oneTimeTokens.spend(found);
      await principals.raiseEpoch(user.id);
      await accounts.deleteForUser(user.id);
      await purge(user.id);
      await users.delete(user.id);
      events.emit("user.deleted", {}, { userId: user.id, source });
    },

    async changeEmail({ userId, email: typed, origin, source = null, counted }) {
      const email = normaliseEmail(typed);
      await reserveMail("email_change", email, { source, counted });
      const holder = await users.findByEmail(email);
      // Also where it goes nowhere: the change that was asked for before is pending no more.
      await mail("change_email", "email_change", { userId, email, origin }, holder === null);
    },
  };
}
