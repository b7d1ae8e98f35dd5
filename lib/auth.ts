import type { RequestHandler, Router } from "express";
import { memoryStore } from "./adapters/memory/index.ts";
import { createAccessTokens, type AccessTokens } from "./core/access-tokens.ts";
import { createAccounts, type Accounts } from "./core/accounts.ts";
import { appUserStore } from "./core/app-users.ts";
import { createApiKeys, type ApiKeys } from "./core/api-keys.ts";
import { createAudit, type Audit } from "./core/audit.ts";
import { createBackground } from "./core/background.ts";
import { createEvents, type Events } from "./core/events.ts";
import { createKeyset } from "./core/keyset.ts";
import type { Kit } from "./core/kit.ts";
import { createKv, type Kv } from "./core/kv.ts";
import { createManagedUsers, type ManagedUsers } from "./core/managed-users.ts";
import { createMagicCodes, type MagicCodes } from "./core/magic-codes.ts";
import { createPersonalData, type PersonalDataService } from "./core/personal-data.ts";
import { createLiveSessions } from "./core/live-sessions.ts";
import { createOperators } from "./core/operators.ts";
import { createOneTimeTokens } from "./core/one-time-tokens.ts";
import { createPasswordHasher, measuredHasher } from "./core/password-hashing.ts";
import { createPasswordPolicy } from "./core/password-policy.ts";
import { createPasswords, type Passwords } from "./core/passwords.ts";
import { createPrincipals, type Principals } from "./core/principals.ts";
import { createProviderLogout } from "./core/provider-logout.ts";
import { createProviderSessions } from "./core/provider-sessions.ts";
import { messageOf } from "./core/redact.ts";
import { createRateLimits, type RateLimits } from "./core/rate-limits.ts";
import { sessionCollection } from "./core/session-record.ts";
import { createRefreshTokenText } from "./core/refresh-token-text.ts";
import { createRefreshTokens, type RefreshTokens } from "./core/refresh-tokens.ts";
import { createSessionTokens } from "./core/session-token.ts";
import { createSessions, type Sessions } from "./core/sessions.ts";
import { createSignIn, type SignIn } from "./core/sign-in.ts";
import { measuredStore, noTelemetry } from "./core/telemetry.ts";
import { startSweeper } from "./core/sweeper.ts";
import { createTokens, type Tokens } from "./core/tokens.ts";
import { createTransactions } from "./core/transactions.ts";
import { createStatelessSessions, type StatelessSessions } from "./core/stateless-sessions.ts";
import { directoryUserStore } from "./core/user-directory.ts";
import { createUsers } from "./core/users.ts";
import { createKeyRing } from "./crypto/key-ring.ts";
import { createMailer } from "./email/mailer.ts";
import { createMiddleware } from "./http/middleware.ts";
import { inspectAuth, type Inspection } from "./inspection.ts";
import { resolveOptions, type AuthOptions } from "./options.ts";
import type { RecordStore } from "./storage/record-store.ts";

/** What {@link createAuth} makes: an Express middleware that holds the services. Every flow that has a route can be called from code. */
export interface Auth extends RequestHandler, PersonalDataService {
  readonly sessions: Sessions;
  readonly users: ManagedUsers;
  readonly accounts: Accounts;
  readonly principals: Principals;
  readonly signIn: SignIn;
  readonly magicCodes: MagicCodes;
  readonly passwords: Passwords;
  readonly apiKeys: ApiKeys;
  /** `null` unless the `tokens` option is set. */
  readonly accessTokens: AccessTokens | null;
  /** `null` unless the `tokens` option is set, and where it is `stateless`. */
  readonly refreshTokens: RefreshTokens | null;
  readonly rateLimits: RateLimits;
  /** `null` unless the `tokens` option is `stateless`. */
  readonly statelessSessions: StatelessSessions | null;
  /** The application's own key-value data, in our store. */
  readonly kv: Kv;
  /** Tokens that the application keeps for its users. */
  readonly tokens: Tokens;
  readonly events: Events;
  /** Where all of it is kept: what the application gave, measured where there is `telemetry`. */
  readonly store: RecordStore;
  /** For operators: how this is configured and what was found wrong with it, with the store's own findings. Shows no secret. A few reads of the store. */
  inspect(): Promise<Inspection>;
  /** What happened, kept in the store; `null` unless the `audit` option is set. */
  readonly audit: Audit | null;
  /** Fills `req.auth` and serves no routes; see `authenticate(auth)`. */
  readonly authenticate: RequestHandler;
  /** Our routes alone, to be mounted by hand at `basePath`; `app.use(auth)` serves them already. */
  routes(): Router;
  /**
   * Removes up to about `limit` (default 1000) records of every kind that have expired, and says how many went, by kind: `{ sessions: 3, kv: 1 }`.
   * Expired ones are never given out; this makes room. `sweepEvery` does it where the store does not; call it once a day or so on Redis.
   */
  sweep(options?: { limit?: number }): Promise<Readonly<Record<string, number>>>;
  /** Ends timers and subscribers, and waits up to 5 s for write-backs and mail. Clients that the application passed stay open. */
  close(): Promise<void>;
}

const DRAIN = 5000;

/**
 * Authentication for an Express app. `app.use(auth)` fills `req.auth` on every request and serves our routes under `basePath`.
 *
 * A guarded request with a session or an API key costs one read of the store; one without a credential, or with a forged one, none.
 *
 * @throws {ConfigError} when an option is missing, unknown, misshapen or unsafe: it names the option and the fix.
 * @example
 * const auth = createAuth({ secret: process.env.AUTH_SECRET });
 * app.use(auth);
 */
export function createAuth(options: AuthOptions = {}): Auth {
  const config = resolveOptions(options, process.env.NODE_ENV);
  const { clock, telemetry } = config;

  const store = measuredStore(config.store ?? memoryStore({ clock }), telemetry);
  const keys = createKeyRing(config.secrets, "secret", config.keyDerivation);
  const events = createEvents(clock);
  if (telemetry !== noTelemetry) events.on("*", telemetry.count);
  const background = createBackground((error) => events.emit("background.failed", { message: messageOf(error) }));
  const principals = createPrincipals(store, events);
  const users = createUsers({ store: config.users ? appUserStore(config.users) : directoryUserStore(store, events), clock });
  const rateLimits = createRateLimits({ store, clock, events, keys });
  const live = createLiveSessions({ store, clock, events });
  const renewable = config.tokens !== null && !config.tokens.stateless;
  const refreshText = renewable ? createRefreshTokenText(keys) : null;
  const sessionConfig =
    config.tokens && renewable
      ? { ...config.session, life: { ...config.session.life, refreshTtl: config.tokens.refreshTtl } }
      : config.session;
  const sessionTokens = createSessionTokens(keys);
  const providerSessions = createProviderSessions({ store, clock, strategies: config.strategies });
  const sessions = createSessions({
    store,
    live,
    providerSessions,
    refreshText,
    tokens: sessionTokens,
    principals,
    clock,
    events,
    background,
    config: sessionConfig,
  });
  const apiKeys = createApiKeys({
    store,
    clock,
    principals,
    events,
    background,
    options: config.apiKeys,
    membership: config.session.membership,
  });
  const accessTokens =
    config.tokens &&
    createAccessTokens({
      keyset: createKeyset(keys, config.tokens.keys),
      clock,
      config: { ...config.tokens, scopes: config.session.scopes },
    });
  const refreshTokens =
    config.tokens &&
    refreshText &&
    createRefreshTokens({
      ...{ store, sessions: live, text: refreshText, principals, clock, events },
      config: { ...sessionConfig, grace: config.tokens.grace, onReuse: config.tokens.onReuse },
    });
  const statelessSessions = config.tokens?.stateless
    ? createStatelessSessions({ tokens: sessionTokens, principals, clock, accessTtl: config.tokens.accessTtl })
    : null;
  const accounts = createAccounts({ store, keys, clock, events, strategies: config.strategies });
  const oneTimeTokens = createOneTimeTokens({ store, keys, clock, events });
  const purge = async (userId: string) => {
    await sessions.revokeAll(userId);
    await apiKeys.revokeAll(userId);
    await oneTimeTokens.revokeAll(userId);
  };
  const signIn = createSignIn({ users, accounts, principals, events, purge, linkByEmail: config.linkByEmail });

  const mailer = createMailer({ clock, events, telemetry, config });
  const magicCodes = createMagicCodes({
    store,
    keys,
    clock,
    events,
    rateLimits,
    principals,
    oneTimeTokens,
    basePath: config.basePath,
    options: config.magicCodes,
    send: mailer.sendCode,
  });

  const passwords = createPasswords({
    store,
    clock,
    events,
    users,
    accounts,
    principals,
    sessions,
    rateLimits,
    signIn,
    oneTimeTokens,
    purge,
    hasher: measuredHasher(
      createPasswordHasher({ cost: config.passwords.argon2, foreignHashes: config.passwords.foreignHashes }),
      telemetry,
    ),
    policy: createPasswordPolicy({
      ...config.passwords,
      blocklist: [config.appName, ...(config.origin ? [new URL(config.origin).hostname] : []), ...config.passwords.blocklist],
    }),
    config: config.passwords,
    basePath: config.basePath,
    send: mailer.sendPasswordMail,
  });

  const managedUsers = createManagedUsers({ users, principals, sessions, apiKeys, accounts, events });
  const operators = createOperators({ store, events, users: managedUsers, sessions, apiKeys, accounts, ownUsers: config.users !== null });
  const kit: Kit = {
    operators,
    clock,
    events,
    store,
    principals,
    sessions,
    users,
    accounts,
    signIn,
    magicCodes,
    passwords,
    rateLimits,
    apiKeys,
    accessTokens,
    refreshTokens,
    transactions: createTransactions({ store, clock, keys, events }),
    providerLogout: createProviderLogout({ store, accounts, sessions, providerSessions, strategies: config.strategies }),
    strategies: config.strategies,
    telemetry,
    statelessSessions,
  };

  const tokens = createTokens({ store, keys, clock, events });
  const audit = config.audit && createAudit({ store, events, config: config.audit });
  const personalData = createPersonalData({
    ...{ store, clock, events, users: managedUsers, principals, sessions, apiKeys, accounts, tokens, oneTimeTokens, audit },
  });

  const { middleware, authenticate, router } = createMiddleware(kit, config);
  const endSweeper = startSweeper({ store, clock, background, every: config.sweepEvery });

  return Object.assign(middleware, {
    authenticate,
    sessions,
    users: managedUsers,
    accounts,
    principals,
    signIn,
    magicCodes,
    passwords,
    apiKeys,
    accessTokens,
    refreshTokens,
    rateLimits,
    kv: createKv({ store, clock, events }),
    tokens,
    ...personalData,
    statelessSessions,
    async sweep(options?: { limit?: number }) {
      const { [sessionCollection.name]: swept, ...counts } = await store.sweep(options);
      return swept === undefined ? counts : { ...counts, sessions: swept };
    },
    events,
    store,
    inspect: async () => inspectAuth(config, store),
    audit,
    routes: () => router,
    async close() {
      endSweeper();
      await Promise.all([background.drain(DRAIN), mailer.drain(DRAIN)]);
      await audit?.close(DRAIN);
      await store.close();
    },
  });
}
