import type { Clock } from "../clock.ts";
import type { Sealer } from "../crypto/seal.ts";
import { AuthError, StorageError } from "../errors.ts";
import type { AccountDirectory } from "./account-directory.ts";
import { withTokens, type AccountRecord } from "./account-record.ts";
import type { TokenSet } from "./strategy.ts";

/** The right to ask a provider for new tokens, and the record as it was then. */
export interface RefreshClaim {
  readonly record: AccountRecord;
  /** Fences off whoever held it before. */
  readonly n: number;
  /** Whose tokens it found. */
  readonly saved: number;
  /** Unix ms at which another may take it. */
  readonly until: number;
}

/** Who may renew the tokens of an account, among all processes: one at a time, and nobody for longer than a claim lasts. */
export interface RefreshClaims {
  /** The claim, if the record still is as it was read: of any number of callers in all processes, one gets it. One compare-and-set. */
  take(seen: AccountRecord): Promise<RefreshClaim | null>;
  /**
   * Keeps what came of a claim: a rotated refresh token is nowhere else, so a store that fails is asked again for as long as the claim lasts.
   * Where something newer is there, it is not `kept`. `null`: the account is gone.
   */
  settle(outcome: TokenSet | AuthError, claim: RefreshClaim): Promise<{ readonly record: AccountRecord; readonly kept: boolean } | null>;
}

export interface RefreshClaimsParts {
  readonly directory: AccountDirectory;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Seconds. */
  readonly claimTtl: number;
  /** Resolves after so many ms. */
  readonly wait: (ms: number) => Promise<unknown>;
}

/** ms before what the provider answered is written once more to a store that failed: doubling from the first to the second. */
const [FIRST_WRITE, LAST_WRITE] = [100, 2_000];
/** Seconds without a further question to a provider that did not answer, unless it said how long; at most the second. */
const [REST, LONGEST_REST] = [5, 3600];

export function createRefreshClaims({ directory, sealer, clock, claimTtl, wait }: RefreshClaimsParts): RefreshClaims {
  const take = async (seen: AccountRecord): Promise<RefreshClaim | null> => {
    const { n: before, saved } = seen.refresh ?? { n: 0, saved: 0 };
    const n = before + 1;
    const until = clock.now() + claimTtl * 1000;
    let claimed = false;
    const record = await directory.change(seen.account.id, (latest) => {
      claimed = latest.version === seen.version;
      return claimed ? { ...latest, refresh: { n, saved, until, failed: false } } : latest;
    });
    return record && claimed ? { record, n, saved, until } : null;
  };

  const settle = async (outcome: TokenSet | AuthError, claimed: RefreshClaim) => {
    for (let delay = FIRST_WRITE; ; delay = Math.min(delay * 2, LAST_WRITE)) {
      try {
        return await settleOnce(outcome, claimed);
      } catch (error) {
        if (!(error instanceof StorageError) || clock.now() + delay >= claimed.until) throw error;
        await wait(delay);
      }
    }
  };

  /** The same, once. Where something newer is there, it is not `kept`. `null`: the account is gone. */
  const settleOnce = async (outcome: TokenSet | AuthError, claimed: RefreshClaim) => {
    let kept = false;
    const record = await directory.change(claimed.record.account.id, (latest) => {
      const next = settled(latest, outcome, claimed);
      kept = next !== null;
      return next ?? latest;
    });
    return record && { record, kept };
  };

  /** The record with what came of a claim; `null` where that counts no longer. */
  const settled = (latest: AccountRecord, outcome: TokenSet | AuthError, { n, saved }: RefreshClaim): AccountRecord | null => {
    const { refresh, account } = latest;
    if (!refresh) return null;
    // The tokens of whoever claimed after us, or of a sign-in, stay.
    if (!(outcome instanceof AuthError)) return n > refresh.saved ? withTokens(latest, outcome, sealer, clock.now(), n) : null;
    // Whoever took over, or has new tokens already, knows better than a refusal.
    if (refresh.n !== n || refresh.saved !== saved) return null;
    if (outcome.code === "invalid_grant") {
      return { ...latest, account: { ...account, reconnectNeeded: true, updatedAt: clock.now() }, refresh: { ...refresh, until: 0 } };
    }
    const rest = Math.min(outcome.retryAfter ?? REST, LONGEST_REST);
    return { ...latest, refresh: { ...refresh, until: clock.now() + rest * 1000, failed: true } };
  };

  return { take, settle };
}
