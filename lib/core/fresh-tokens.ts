import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Sealer } from "../crypto/seal.ts";
import { AuthError, ConfigError, ConflictError, ProviderError } from "../errors.ts";
import { accountNotFound, type AccountDirectory } from "./account-directory.ts";
import { openToken, type AccountRecord, type AccountSummary, type TokenField } from "./account-record.ts";
import type { Events, RequestSource } from "./events.ts";
import { createRefreshClaims, type RefreshClaim } from "./refresh-claims.ts";
import { isProviderStrategy, type ProofRequest, type ProviderStrategy, type TokenSet } from "./strategy.ts";

/**
 * Asks the provider's token endpoint for a new token set (RFC 6749 section 6).
 * It throws an {@link AuthError} with code `invalid_grant` when the provider takes the refresh token no longer, and one with code
 * `provider_unavailable` or with `retryAfter` when it is worth asking again.
 */
export type RefreshTokenSet = (refreshToken: string, account: AccountSummary) => Promise<TokenSet>;

/** Options of `accounts.freshToken`. */
export interface FreshTokenOptions {
  /** How to ask the provider. Default: as the strategy of that name does, when it is one of ours. */
  readonly refresh?: RefreshTokenSet | undefined;
  /** Which account, when the user has several of one provider. Default: the first in id order. */
  readonly accountId?: string | undefined;
  /**
   * Seconds that the token must last yet: more for work that takes long. One that a provider gives for less is renewed at each call, and
   * given as it is. Default: 60.
   */
  readonly minTtl?: number | undefined;
  /** An access token that the provider's API refused: it is replaced although it is not due, or has no known end. */
  readonly refused?: string | undefined;
  readonly source?: RequestSource | null | undefined;
}

/** An access token of a provider, good for another minute, or for `minTtl`, as far as the provider said. */
export interface FreshToken {
  readonly accessToken: string;
  /** The scheme of the Authorization header that it goes in. */
  readonly tokenType: "Bearer" | "DPoP";
  /**
   * Makes the value of the header `DPoP` for one request with this token. `null` for a bearer token, and for a token that is bound to a key
   * that is not a configured strategy's. @throws {TypeError} for a URL that is none.
   */
  readonly proof: ((request: ProofRequest) => Promise<string>) | null;
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
  /** Seconds after which another process takes over from one that claimed a refresh and was not heard of again. Default: 20. */
  readonly claimTtl?: number | undefined;
  /** Resolves after so many ms. Default: a timer. */
  readonly wait?: ((ms: number) => Promise<unknown>) | undefined;
}

/** Seconds: refreshed when no more than this is left. */
const MIN_TTL = 60;
/** Seconds; longer than all tries of one refresh take. */
const CLAIM_TTL = 20;
/** What one request may take, ms. @see providerFetch */
const REQUEST = 5_000;
/** What one try may take, ms: metadata, keys and tokens. None is made again when the claim might end sooner, and another process ask as well. */
const TRY = 3 * REQUEST;
/** ms before the second and the third try. */
const BACKOFF = [250, 1_000];
/** How long the others look between two looks at what the first one got, ms: doubling from the first to the second. */
const [FIRST_LOOK, LAST_LOOK] = [25, 500];
/** Turns of one call: more than sign-ins and faster processes make likely. */
const MAX_TURNS = 5;

/**
 * What renews the providers' tokens, one request for all processes: the first claims the account with a compare-and-set and asks, the others
 * look at the record until its tokens are there. The claim ends by itself; its number fences off a holder that comes back too late.
 * Two writes for a refresh, one read for each look.
 */
export function createFreshTokens(parts: FreshTokensParts) {
  const { directory, sealer, clock, events, strategies, claimTtl = CLAIM_TTL, wait = (ms) => pause(ms) } = parts;
  const claims = createRefreshClaims({ directory, sealer, clock, wait, claimTtl });
  /** Refreshes under way in this process, by account: their callers share one. */
  const running = new Map<string, Promise<FreshToken>>();

  const namesakeOf = ({ account }: AccountRecord): ProviderStrategy | null => {
    const strategy = strategies.get(account.providerId);
    return strategy && isProviderStrategy(strategy) ? strategy : null;
  };

  /** The strategy of ours that made the account, if it is configured. One that only has the name may be another provider's by now. */
  const strategyOf = (record: AccountRecord): ProviderStrategy | null => {
    const strategy = namesakeOf(record);
    return strategy?.speaksFor(record.account.issuer) ? strategy : null;
  };

  const handed = (record: AccountRecord, accessToken: string): FreshToken => {
    const { id: accountId, accessTokenExpiresAt, scope } = record.account;
    const key = strategyOf(record)?.dpop;
    const proof = key && key.jkt === record.jkt ? (request: ProofRequest) => key.proof({ ...request, accessToken }) : null;
    return { accessToken, tokenType: record.jkt === null ? "Bearer" : "DPoP", proof, accessTokenExpiresAt, scope, accountId };
  };

  /** The stored token, unless it is due, refused, missing, or bound to a key that its strategy has no longer. */
  const usable = (record: AccountRecord, refused: string | undefined, minTtl: number): FreshToken | null => {
    const { accessTokenExpiresAt } = record.account;
    if (accessTokenExpiresAt !== null && clock.now() + minTtl * 1000 >= accessTokenExpiresAt) return null;
    const strategy = strategyOf(record);
    if (record.jkt !== null && strategy && strategy.dpop?.jkt !== record.jkt) return null;
    const accessToken = openToken(record, "accessToken", sealer);
    return accessToken === null || accessToken === refused ? null : handed(record, accessToken);
  };

  const told = ({ account }: AccountRecord, { source = null }: FreshTokenOptions) => {
    return [
      { provider: account.providerId, accountId: account.id },
      { userId: account.userId, source },
    ] as const;
  };

  /** As the strategy that made the account asks its provider. */
  const strategysOwn = (record: AccountRecord): RefreshTokenSet => {
    const { accessTokenExpiresAt, refreshTokenExpiresAt, scope } = record.account;
    const strategy = strategyOf(record);
    if (!strategy && namesakeOf(record))
      throw reconnectNeeded(
        new Error(`the account is of ${record.account.issuer}, and the strategy "${record.account.providerId}" is not`),
      );
    if (!strategy) throw new ConflictError("refresh_unsupported", "This provider's tokens cannot be renewed: sign in there again");
    const open = (field: TokenField) => openToken(record, field, sealer);
    const before = { accessToken: open("accessToken") ?? "", idToken: open("idToken"), accessTokenExpiresAt, refreshTokenExpiresAt, scope };
    return (refreshToken) => strategy.refresh({ ...before, refreshToken });
  };

  /** Asks, and again while that may help and the claim lasts. */
  const ask = async (refresh: RefreshTokenSet, used: string, { record, until }: RefreshClaim): Promise<TokenSet | AuthError> => {
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await askOnce(refresh, used, record.account);
      const backoff = BACKOFF[attempt];
      if (!isPassing(outcome) || backoff === undefined) return outcome;
      const delay = Math.max(backoff, (outcome.retryAfter ?? 0) * 1000);
      if (clock.now() + delay + TRY > until) return outcome;
      await wait(delay);
    }
  };

  /** One turn: a token, or `null` when it has to be looked at again. */
  const renew = async (record: AccountRecord, options: FreshTokenOptions): Promise<FreshToken | null> => {
    const used = openToken(record, "refreshToken", sealer);
    if (used === null) throw new ConflictError("no_refresh_token", "The provider gave no refresh token: sign in there again");
    const refresh = options.refresh ?? strategysOwn(record);
    const claimed = await claims.take(record);
    if (!claimed) return null;
    const outcome = await ask(refresh, used, claimed);
    const settlement = await claims.settle(outcome, claimed);
    if (!settlement) throw accountNotFound();
    if (!settlement.kept) return null;
    const { record: saved } = settlement;
    if (!(outcome instanceof AuthError)) {
      events.emit("account.refreshed", ...told(saved, options));
      return handed(saved, outcome.accessToken);
    }
    if (outcome.code !== "invalid_grant") throw refreshFailed(outcome);
    events.emit("account.reconnect_needed", ...told(saved, options));
    throw reconnectNeeded(outcome);
  };

  const refreshed = async (id: string, options: FreshTokenOptions): Promise<FreshToken> => {
    let [turns, look, waited] = [0, FIRST_LOOK, 0];
    let before: string | null | undefined;
    for (;;) {
      const record = await directory.read(id);
      if (!record) throw accountNotFound();
      // What came meanwhile is as fresh as the provider makes them.
      if (before === undefined) before = record.sealed.accessToken;
      const minTtl = record.sealed.accessToken === before ? options.minTtl : 0;
      const current = usable(record, options.refused, minTtl ?? MIN_TTL);
      if (current) return current;
      if (record.account.reconnectNeeded) throw reconnectNeeded();
      const left = (record.refresh?.until ?? 0) - clock.now();
      if (left <= 0) {
        if (turns === MAX_TURNS) throw refreshFailed();
        const token = await renew(record, options);
        if (token) return token;
        turns += 1;
        continue;
      }
      if (record.refresh?.failed) throw refreshFailed(undefined, left / 1000);
      // Longer than a claim lasts, so that one of those who wait takes over from a holder that is gone.
      if (waited > claimTtl * 1000 + REQUEST) throw refreshFailed(undefined, left / 1000);
      await wait(look);
      waited += look;
      look = Math.min(look * 2, LAST_LOOK);
    }
  };

  return async function freshToken(userId: string, provider: string, options: FreshTokenOptions = {}): Promise<FreshToken> {
    const { accountId, refused, minTtl = MIN_TTL } = options;
    if (!Number.isFinite(minTtl) || minTtl < 0) throw new ConfigError("freshToken.minTtl", "give seconds, such as 300");
    const record = (await directory.allOf(userId)).find(
      ({ account }) => account.providerId === provider && !account.pending && (accountId === undefined || account.id === accountId),
    );
    if (!record) throw accountNotFound();
    const { id } = record.account;
    const current = usable(record, refused, minTtl);
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
async function askOnce(refresh: RefreshTokenSet, refreshToken: string, account: AccountSummary): Promise<TokenSet | AuthError> {
  try {
    return await refresh(refreshToken, account);
  } catch (error) {
    return error instanceof AuthError ? error : new ProviderError("refresh_failed", "The provider could not be asked", { cause: error });
  }
}

/** Whether it is the provider's trouble, not the token's, and may be over soon. */
function isPassing(outcome: TokenSet | AuthError): outcome is AuthError {
  return outcome instanceof AuthError && (outcome.code === "provider_unavailable" || outcome.retryAfter !== undefined);
}

function refreshFailed(cause?: AuthError, retryAfter = cause?.retryAfter): ProviderError {
  const options = { cause, ...(retryAfter === undefined ? {} : { retryAfter }) };
  return new ProviderError("refresh_failed", "The provider did not refresh the token", options);
}

function reconnectNeeded(cause?: unknown): ConflictError {
  return new ConflictError("reconnect_needed", "The provider takes this connection no longer: sign in there again", { cause });
}
