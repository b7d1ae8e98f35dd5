import type { Clock } from "../clock.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { randomToken } from "../crypto/random.ts";
import { createSealer } from "../crypto/seal.ts";
import { ConflictError } from "../errors.ts";
import type { RecordStore } from "../storage/record-store.ts";
import { accountNotFound, createAccountDirectory, MAX_ATTEMPTS, tooBusy } from "./account-directory.ts";
import { CREDENTIAL, openToken, withTokens, type AccountRecord, type AccountSummary, type IdentityKey } from "./account-record.ts";
import type { Events, RequestSource } from "./events.ts";
import { createFreshTokens, type FreshToken, type FreshTokenOptions, type FreshTokensParts } from "./fresh-tokens.ts";
import { isProviderStrategy, type Identity, type TokenSet } from "./strategy.ts";

export type { AccountSummary, IdentityKey } from "./account-record.ts";
export type { FreshToken, FreshTokenOptions, RefreshTokenSet } from "./fresh-tokens.ts";

/** Where a change was asked from, for its event. */
interface From {
  readonly source?: RequestSource | null | undefined;
}

/** An account that another system kept. */
export interface AdoptedAccount {
  readonly identity: IdentityKey;
  readonly tokens: TokenSet | null;
  /** Unix ms. */
  readonly createdAt: number;
}

/** Identities linked to users, with the providers' tokens. An identity is (provider, issuer, subject), unique in the store. */
export interface Accounts {
  /** The account of an identity, a pending one too, or `null`. One read. */
  findByIdentity(identity: IdentityKey): Promise<AccountSummary | null>;
  /** A user's accounts, without secrets and pending ones, in no order. One read for each hundred. */
  listForUser(userId: string): Promise<AccountSummary[]>;
  /** The provider's tokens, opened; for code, never for a browser. `null` when there is none. One read. */
  getTokens(accountId: string): Promise<TokenSet | null>;
  /** Keeps a newer token set; what it leaves out (`null`) of refresh token, id token and scope stays. @throws {NotFoundError} `account_not_found`. */
  saveTokens(accountId: string, tokens: TokenSet): Promise<AccountSummary>;
  /**
   * Links an identity to a user. It may be called twice: the user's own account takes the newer tokens.
   * @throws {ConflictError} `account_already_linked` when the identity is another user's.
   */
  link(link: { userId: string; identity: Identity }, from?: From): Promise<AccountSummary>;
  /**
   * Removes an account of this user, if another way in is left: another account, or one of `otherWaysIn` that the
   * caller counted, such as a proven address that codes reach. Of two unlinked at once, one stays.
   * @throws {NotFoundError} `account_not_found`, also when it is another user's; {@link ConflictError} `last_way_in`.
   */
  unlink(link: { userId: string; accountId: string; otherWaysIn: number }, from?: From): Promise<void>;
  /** Removes all accounts of a user, the password with them. Idempotent. */
  deleteForUser(userId: string): Promise<void>;
  /**
   * An access token that lasts another minute at least, or `minTtl`: the stored one, or a refreshed one, which is stored before it is returned.
   * Of all callers in all processes one asks the provider, up to three times while it is unavailable; the others wait for what it got, for
   * 25 s at most. A process that dies meanwhile is taken over from after 20 s. A provider that did not answer is left alone for 5 s, or for
   * as long as it said (`retryAfter`).
   * @throws {NotFoundError} `account_not_found`; {@link ConflictError} `no_refresh_token`, or `reconnect_needed` when the provider takes
   *   it no longer, or `refresh_unsupported` when no strategy of ours asks it; {@link ProviderError} `refresh_failed`, with `retryAfter`.
   */
  freshToken(userId: string, provider: string, options?: FreshTokenOptions): Promise<FreshToken>;
  /** The hash of the user's password, or `null`. One read. */
  findPassword(userId: string): Promise<string | null>;
  /**
   * Sets the hash of the user's password, or removes the password (`null`). With `replacing`, only over that hash:
   * resolves to `false` when it was changed meanwhile.
   */
  setPassword(userId: string, hash: string | null, options?: { replacing?: string | null }): Promise<boolean>;

  /** What accounts made through a configured strategy are kept under; `null` when there is none of that name. Asks nobody. */
  issuerOf(provider: string): string | null;
  /**
   * Inserts all that another system kept for a user, accounts and the hash of a password, in one commit; it tells no listener. One write.
   * @returns `false` when one of them is there already, whoever has it: then none was inserted.
   */
  adopt(userId: string, kept: { readonly accounts: readonly AdoptedAccount[]; readonly password: string | null }): Promise<boolean>;

  /** First step of a first sign-in: a pending account that names the user to be, or the account that is there already. Two waits at most. */
  begin(identity: IdentityKey, userId: string): Promise<AccountSummary>;
  /** Last step: the account counts from now on. `false` when another call finished it before; `null` when it is gone. */
  finish(account: AccountSummary, identity: Identity, from: From): Promise<boolean | null>;
  /** Keeps the tokens of a later sign-in. `false` when the account is gone, or somebody else's by now. */
  confirm(account: AccountSummary, tokens: TokenSet | null): Promise<boolean>;
  /** Gives up a first sign-in: removes the account if it is pending still. */
  abandon(account: AccountSummary): Promise<void>;
}

export interface AccountsParts {
  readonly store: RecordStore;
  /** What seals the tokens. */
  readonly keys: KeyRing;
  readonly clock: Clock;
  readonly events: Events;
  /** The configured strategies, by name: those of ours refresh the tokens of their accounts. Default: none. */
  readonly strategies?: ReadonlyMap<string, object> | undefined;
  /** How long a refresh is one process's alone, and how the others wait for it. Default: 20 s, and timers. */
  readonly refreshing?: Pick<FreshTokensParts, "claimTtl" | "wait"> | undefined;
  /** Makes the id of a new account. Default: 16 random bytes. */
  readonly ids?: () => string;
}

export function createAccounts({
  store,
  keys,
  clock,
  events,
  strategies = new Map(),
  refreshing = {},
  ids = () => randomToken(16),
}: AccountsParts): Accounts {
  const sealer = createSealer(keys, "account tokens");

  const directory = createAccountDirectory({ store, clock, events, ids });
  const { change } = directory;

  const withNewer = (record: AccountRecord, tokens: TokenSet | null) =>
    tokens === null ? record : withTokens(record, tokens, sealer, clock.now());

  const linked = ({ account }: AccountRecord, { source = null }: From) =>
    events.emit("account.linked", { provider: account.providerId, accountId: account.id }, { userId: account.userId, source });

  const saveTokens: Accounts["saveTokens"] = async (accountId, tokens) => {
    const saved = await change(accountId, (record) => withNewer(record, tokens));
    if (!saved) throw accountNotFound();
    return saved.account;
  };

  const finish: Accounts["finish"] = async ({ id }, identity, from) => {
    let finished = false;
    const record = await change(id, (current) => {
      finished = current.account.pending;
      return finished ? withNewer({ ...current, account: { ...current.account, pending: false } }, identity.tokens) : current;
    });
    if (record && finished) linked(record, from);
    return record && finished;
  };

  return {
    async findByIdentity(identity) {
      return (await directory.findByIdentity(identity))?.account ?? null;
    },

    async listForUser(userId) {
      return (await directory.allOf(userId)).map(({ account }) => account).filter(({ pending }) => !pending);
    },

    async getTokens(accountId) {
      const record = await directory.read(accountId);
      const accessToken = record && openToken(record, "accessToken", sealer);
      if (!record || accessToken === null) return null;
      const { accessTokenExpiresAt, refreshTokenExpiresAt, scope } = record.account;
      const [refreshToken, idToken] = [openToken(record, "refreshToken", sealer), openToken(record, "idToken", sealer)];
      const bound = record.jkt === null ? {} : { jkt: record.jkt };
      return { accessToken, refreshToken, idToken, accessTokenExpiresAt, refreshTokenExpiresAt, scope, ...bound };
    },

    saveTokens,

    async link({ userId, identity }, from = {}) {
      const fresh = withNewer(directory.blank(identity, userId), identity.tokens);
      const { record, inserted } = await directory.insertOrFind(fresh);
      const { account } = record;
      if (account.userId !== userId) throw new ConflictError("account_already_linked", "That account belongs to another user");
      if (inserted) linked(record, from);
      else if (account.pending) await finish(account, identity, from);
      else if (identity.tokens) return saveTokens(account.id, identity.tokens);
      return { ...account, pending: false };
    },

    async unlink({ userId, accountId, otherWaysIn }, { source = null } = {}) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const waysIn = (await directory.allOf(userId)).filter(({ account }) => !account.pending);
        const gone = waysIn.find(({ account }) => account.id === accountId);
        if (!gone) throw accountNotFound();
        const left = waysIn.find((record) => record !== gone && isWayIn(record));
        if (!left && otherWaysIn < 1) throw new ConflictError("last_way_in", "This is the only way to sign in: add another one first");
        // The one that is left must stay while this one goes, or two could be removed each on account of the other.
        if (!(await directory.remove(gone, otherWaysIn < 1 ? left : null))) continue;
        events.emit("account.unlinked", { provider: gone.account.providerId, accountId }, { userId, source });
        return;
      }
      throw tooBusy();
    },

    deleteForUser: directory.removeAllOf,

    freshToken: createFreshTokens({ directory, sealer, clock, events, strategies, ...refreshing }),

    async findPassword(userId) {
      return (await directory.findByIdentity(credentialOf(userId)))?.password ?? null;
    },

    async setPassword(userId, hash, { replacing: expected } = {}) {
      const key = credentialOf(userId);
      let found = await directory.findByIdentity(key);
      if (!found) {
        if (typeof expected === "string") return false;
        if (hash === null) return true;
        const { record, inserted } = await directory.insertOrFind(directory.blank(key, userId, { password: hash }));
        if (inserted) return true;
        found = record;
      }
      let held = true;
      const changed = await change(found.account.id, (record) => {
        held = expected === undefined || record.password === expected;
        return held ? { ...record, password: hash, account: { ...record.account, updatedAt: clock.now() } } : record;
      });
      return changed !== null && held;
    },

    issuerOf(provider) {
      const strategy = strategies.get(provider);
      return strategy === undefined ? null : isProviderStrategy(strategy) ? strategy.issuer : provider;
    },

    async adopt(userId, { accounts, password }) {
      const records = accounts.map(({ identity, tokens, createdAt }) => {
        const blank = directory.blank(identity, userId);
        return withNewer({ ...blank, account: { ...blank.account, createdAt } }, tokens);
      });
      const credential = password === null ? [] : [directory.blank(credentialOf(userId), userId, { password })];
      return directory.insertAll([...records, ...credential]);
    },

    async begin(identity, userId) {
      return (await directory.insertOrFind(directory.blank(identity, userId, { pending: true }))).record.account;
    },

    finish,

    async confirm({ id, userId }, tokens) {
      const record = await change(id, (current) => (current.account.userId === userId ? withNewer(current, tokens) : current));
      return record?.account.userId === userId;
    },

    async abandon({ id }) {
      const record = await directory.read(id);
      if (record?.account.pending) await directory.remove(record);
    },
  };
}

function credentialOf(userId: string): IdentityKey {
  return { provider: CREDENTIAL, issuer: "", subject: userId };
}

/** Whether somebody can sign in by this account alone. */
function isWayIn({ account, password }: AccountRecord): boolean {
  return account.providerId !== CREDENTIAL || password !== null;
}
