import type { Clock } from "../clock.ts";
import type { Sealer } from "../crypto/seal.ts";
import { AuthError, ConflictError, ProviderError } from "../errors.ts";
import { accountNotFound, type AccountDirectory } from "./account-directory.ts";
import { openToken, withTokens, type AccountRecord, type AccountSummary, type TokenField } from "./account-record.ts";
import type { Events, RequestSource } from "./events.ts";
import { isProviderStrategy, type TokenSet } from "./strategy.ts";

/**
 * Asks the provider's token endpoint for a new token set (RFC 6749 section 6).
 * It throws an {@link AuthError} with code `invalid_grant` when the provider takes the refresh token no longer.
 */
export type RefreshTokenSet = (refreshToken: string, account: AccountSummary) => Promise<TokenSet>;

/** Options of `accounts.freshToken`. */
export interface FreshTokenOptions {
  /** How to ask the provider. Default: as the strategy of that name does, when it is one of ours. */
  readonly refresh?: RefreshTokenSet | undefined;
  /** Which account, when the user has several of one provider. Default: the first in id order. */
  readonly accountId?: string | undefined;
  /** An access token that the provider's API refused: it is replaced although it is not due, or has no known end. */
  readonly refused?: string | undefined;
  readonly source?: RequestSource | null | undefined;
}

/** An access token of a provider, good for another minute as far as the provider said. */
export interface FreshToken {
  readonly accessToken: string;
  /** Unix ms; `null` when the provider did not say. */
  readonly accessTokenExpiresAt: number | null;
  readonly scope: string | null;
  /** The account's own id. */
  readonly accountId: string;
}

export interface FreshTokensParts {
  readonly directory: AccountDirectory;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly events: Events;
  /** The configured strategies, by name. */
  readonly strategies: ReadonlyMap<string, object>;
}

/** Refreshed when no more than this is left, ms. */
const BUFFER = 60_000;

export function createFreshTokens({ directory, sealer, clock, events, strategies }: FreshTokensParts) {
  /** Refreshes under way, by account: one caller at a time asks, the others get its answer. */
  const running = new Map<string, Promise<FreshToken>>();

  /** The stored token, unless it is due, refused or missing. */
  const usable = (record: AccountRecord, refused: string | undefined): FreshToken | null => {
    const { id, accessTokenExpiresAt, scope } = record.account;
    if (accessTokenExpiresAt !== null && clock.now() + BUFFER >= accessTokenExpiresAt) return null;
    const accessToken = openToken(record, "accessToken", sealer);
    return accessToken === null || accessToken === refused ? null : { accessToken, accessTokenExpiresAt, scope, accountId: id };
  };

  /** Changes the account if its refresh token still is `used`: it was not signed in with or refreshed elsewhere meanwhile. */
  const changeIfCurrent = (id: string, used: string, apply: (record: AccountRecord) => AccountRecord) =>
    directory.change(id, (record) => (openToken(record, "refreshToken", sealer) === used ? apply(record) : record));

  const told = ({ account }: AccountRecord, { source = null }: FreshTokenOptions) => {
    return [
      { provider: account.providerId, accountId: account.id },
      { userId: account.userId, source },
    ] as const;
  };

  /** As the strategy that made the account asks its provider. */
  const strategysOwn = (record: AccountRecord): RefreshTokenSet => {
    const { providerId, accessTokenExpiresAt, refreshTokenExpiresAt, scope } = record.account;
    const strategy = strategies.get(providerId);
    if (!strategy || !isProviderStrategy(strategy))
      throw new ConflictError("refresh_unsupported", "This provider's tokens cannot be renewed: sign in there again");
    const open = (field: TokenField) => openToken(record, field, sealer);
    const before = { accessToken: open("accessToken") ?? "", idToken: open("idToken"), accessTokenExpiresAt, refreshTokenExpiresAt, scope };
    return (refreshToken) => strategy.refresh({ ...before, refreshToken });
  };

  const refreshed = async (id: string, options: FreshTokenOptions): Promise<FreshToken> => {
    // Read again: whoever was before us may have refreshed it since the caller looked.
    const record = await directory.read(id);
    if (!record) throw accountNotFound();
    const current = usable(record, options.refused);
    if (current) return current;
    if (record.account.reconnectNeeded) throw reconnectNeeded();
    const used = openToken(record, "refreshToken", sealer);
    if (used === null) throw new ConflictError("no_refresh_token", "The provider gave no refresh token: sign in there again");

    const outcome = await ask(options.refresh ?? strategysOwn(record), used, record.account);
    const failed = outcome instanceof AuthError;
    if (failed && outcome.code !== "invalid_grant") {
      throw new ProviderError("refresh_failed", "The provider did not refresh the token", { cause: outcome });
    }
    const saved = await changeIfCurrent(id, used, (latest) =>
      failed
        ? { ...latest, account: { ...latest.account, reconnectNeeded: true, updatedAt: clock.now() } }
        : withTokens(latest, outcome, sealer, clock.now()),
    );
    if (!saved) throw accountNotFound();
    if (saved.account.reconnectNeeded) {
      events.emit("account.reconnect_needed", ...told(saved, options));
      throw reconnectNeeded(outcome);
    }
    const [accessToken, { accessTokenExpiresAt, scope }] = [openToken(saved, "accessToken", sealer), saved.account];
    if (accessToken === null) throw reconnectNeeded(outcome);
    if (!failed) events.emit("account.refreshed", ...told(saved, options));
    return { accessToken, accessTokenExpiresAt, scope, accountId: id };
  };

  return async function freshToken(userId: string, provider: string, options: FreshTokenOptions = {}): Promise<FreshToken> {
    const { accountId, refused } = options;
    const record = (await directory.allOf(userId)).find(
      ({ account }) => account.providerId === provider && !account.pending && (accountId === undefined || account.id === accountId),
    );
    if (!record) throw accountNotFound();
    const { id } = record.account;
    const current = usable(record, refused);
    if (current) return current;
    let job = running.get(id);
    if (!job) {
      job = refreshed(id, options).finally(() => running.delete(id));
      running.set(id, job);
    }
    return job;
  };
}

/** What the provider answered, or why it did not. */
async function ask(refresh: RefreshTokenSet, refreshToken: string, account: AccountSummary): Promise<TokenSet | AuthError> {
  try {
    return await refresh(refreshToken, account);
  } catch (error) {
    return error instanceof AuthError ? error : new ProviderError("refresh_failed", "The provider could not be asked", { cause: error });
  }
}

function reconnectNeeded(cause?: unknown): ConflictError {
  return new ConflictError("reconnect_needed", "The provider takes this connection no longer: sign in there again", { cause });
}
