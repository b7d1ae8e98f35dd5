import type { Clock } from "../clock.ts";
import type { RecordStore } from "../storage/record-store.ts";
import type { Accounts } from "./accounts.ts";
import type { Events } from "./events.ts";
import type { OneTimeTokens } from "./one-time-tokens.ts";
import type { PasswordHasher } from "./password-hashing.ts";
import type { PasswordsConfig } from "./password-options.ts";
import type { PasswordPolicy } from "./password-policy.ts";
import type { Principals } from "./principals.ts";
import type { RateLimits } from "./rate-limits.ts";
import type { Sessions } from "./sessions.ts";
import type { SignIn } from "./sign-in.ts";
import type { Users } from "./users.ts";

/** A mail about a password or an address. `link` is where it leads, when it leads anywhere. */
export interface PasswordMail {
  readonly kind: "confirm_email" | "change_email" | "reset_password" | "account_exists" | "password_changed" | "email_changed";
  /** A canonical address. */
  readonly to: string;
  readonly userId: string;
  /** Below the base URL of the application, such as `/auth/email/confirm?token=...`; `null` in notices. */
  readonly path: string | null;
  /** The origin of the request, for development without a `baseUrl`. */
  readonly origin: string | null;
  readonly idempotencyKey: string;
}

/** What passwords are made of. */
export interface PasswordsParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly events: Events;
  readonly users: Users;
  readonly accounts: Accounts;
  readonly principals: Principals;
  readonly sessions: Sessions;
  readonly rateLimits: RateLimits;
  readonly signIn: SignIn;
  readonly oneTimeTokens: OneTimeTokens;
  readonly hasher: PasswordHasher;
  readonly policy: PasswordPolicy;
  readonly config: PasswordsConfig;
  /** Such as `/auth`. */
  readonly basePath: string;
  /** Ends what a user has: sessions, keys, links in mails. Idempotent. */
  readonly purge: (userId: string) => Promise<void>;
  /** Queues a mail and returns at once; it is worth nothing after `expiresAt` (Unix ms). */
  readonly send: (mail: PasswordMail, expiresAt: number) => void;
  /** Makes the id of a new user. Default: 16 random bytes. */
  readonly ids?: () => string;
}
