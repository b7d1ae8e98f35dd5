import type { Strategy } from "passport";
import type { Clock } from "../clock.ts";
import type { RecordStore } from "../storage/record-store.ts";
import type { AccessTokens } from "./access-tokens.ts";
import type { Accounts } from "./accounts.ts";
import type { ApiKeys } from "./api-keys.ts";
import type { Events } from "./events.ts";
import type { MagicCodes } from "./magic-codes.ts";
import type { Operators } from "./operators.ts";
import type { Passwords } from "./passwords.ts";
import type { Principals } from "./principals.ts";
import type { ProviderLogout } from "./provider-logout.ts";
import type { RateLimits } from "./rate-limits.ts";
import type { RefreshTokens } from "./refresh-tokens.ts";
import type { Sessions } from "./sessions.ts";
import type { SignIn } from "./sign-in.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Transactions } from "./transactions.ts";
import type { StatelessSessions } from "./stateless-sessions.ts";
import type { Users } from "./users.ts";

/** The services of one `createAuth`: what routes call, and what an application calls from code. */
export interface Kit {
  readonly clock: Clock;
  readonly events: Events;
  readonly store: RecordStore;
  readonly principals: Principals;
  readonly sessions: Sessions;
  readonly users: Users;
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly magicCodes: MagicCodes;
  readonly passwords: Passwords;
  readonly rateLimits: RateLimits;
  readonly apiKeys: ApiKeys;
  /** `null`: `tokens` is not set. */
  readonly accessTokens: AccessTokens | null;
  /** `null`: `tokens` is not set, or is `stateless`. */
  readonly refreshTokens: RefreshTokens | null;
  readonly operators: Operators;
  readonly transactions: Transactions;
  readonly providerLogout: ProviderLogout;
  /** `null`: `tokens` is not set, or is not `stateless`. */
  readonly statelessSessions: StatelessSessions | null;
  readonly strategies: ReadonlyMap<string, Strategy>;
  readonly telemetry: Telemetry;
}
