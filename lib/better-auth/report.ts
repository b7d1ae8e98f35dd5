import { CREDENTIAL } from "../core/account-record.ts";
import type { AccountSkip, Person, UserSkip } from "./person.ts";
import type { SourceUser } from "./source.ts";

/** Somebody, or something of somebody, that was left out. */
export interface SkippedByImport {
  readonly userId: string;
  /** better-auth's name of the provider, `credential` for a password; `null`: the user, with all that is theirs. */
  readonly provider: string | null;
  readonly reason: UserSkip | AccountSkip;
}

/** What an import did, or would do in a dry run. */
export interface BetterAuthReport {
  readonly dryRun: boolean;
  /** `unchanged`: here already. */
  readonly users: { readonly read: number; readonly imported: number; readonly unchanged: number; readonly skipped: number };
  readonly accounts: { readonly imported: number; readonly skipped: number };
  readonly passwords: { readonly imported: number; readonly skipped: number };
  /** How often each reason was given. */
  readonly skipped: Readonly<Partial<Record<UserSkip | AccountSkip, number>>>;
  /** Of those imported: what is not taken over, and may matter. */
  readonly leftBehind: {
    /** Accounts that came without their tokens, as better-auth had encrypted them. */
    readonly encryptedTokens: number;
    /** Users with another role than `user` (plugin `admin`): give them theirs with `auth.users.setRoles`. */
    readonly roles: number;
    /** Users with a second factor, who sign in without it from now on. */
    readonly secondFactors: number;
  };
}

/** Counts what an import does. */
export interface Tally {
  read(): void;
  unchanged(): void;
  /** @param accounts how many of theirs are linked. */
  imported(source: SourceUser, person: Person, accounts: number): void;
  skipped(provider: string | null, reason: UserSkip | AccountSkip): void;
  report(): BetterAuthReport;
}

export function createTally(dryRun: boolean): Tally {
  const users = { read: 0, imported: 0, unchanged: 0, skipped: 0 };
  const accounts = { imported: 0, skipped: 0 };
  const passwords = { imported: 0, skipped: 0 };
  const reasons: Partial<Record<UserSkip | AccountSkip, number>> = {};
  const leftBehind = { encryptedTokens: 0, roles: 0, secondFactors: 0 };

  return {
    read: () => void (users.read += 1),
    unchanged: () => void (users.unchanged += 1),
    imported({ role, twoFactor }, { password, sealedTokens }, linked) {
      users.imported += 1;
      accounts.imported += linked;
      if (password !== null) passwords.imported += 1;
      leftBehind.encryptedTokens += sealedTokens;
      if (role !== null && role !== "user") leftBehind.roles += 1;
      if (twoFactor) leftBehind.secondFactors += 1;
    },
    skipped(provider, reason) {
      (provider === null ? users : provider === CREDENTIAL ? passwords : accounts).skipped += 1;
      reasons[reason] = (reasons[reason] ?? 0) + 1;
    },
    report: () => ({
      dryRun,
      users: { ...users },
      accounts: { ...accounts },
      passwords: { ...passwords },
      skipped: { ...reasons },
      leftBehind: { ...leftBehind },
    }),
  };
}
