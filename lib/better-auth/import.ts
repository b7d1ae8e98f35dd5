import type { Auth } from "../auth.ts";
import { assertFlag, assertOptions, resolveClock } from "../check-options.ts";
import type { Clock } from "../clock.ts";
import type { AdoptedAccount } from "../core/accounts.ts";
import { ConfigError, ConflictError, StorageError } from "../errors.ts";
import { openSource } from "./databases.ts";
import { personOf, type AccountSkip, type Person, type UserSkip } from "./person.ts";
import { createTally, type BetterAuthReport, type SkippedByImport } from "./report.ts";
import { readUsers, type SourceTables } from "./source.ts";

/** Options of {@link importBetterAuth}. */
export interface ImportBetterAuthOptions {
  /**
   * Where better-auth keeps its users: `postgres://...`, `mysql://...` (MariaDB too), or the file of a SQLite database. Its driver is the
   * application's: pg, mysql2, better-sqlite3, libsql or node:sqlite.
   */
  from: string;
  /** What `createAuth` returned: with the strategies that people signed in by, and `passwords: { foreignHashes: [betterAuthHashes] }`. */
  auth: Pick<Auth, "users" | "accounts" | "principals" | "passwords">;
  /** Reads and counts, and writes nothing. Default: false. */
  dryRun?: boolean | undefined;
  /** Strategies of other names than better-auth's providers: `{ acme: "okta" }`. Default: the same name, and `x` for `twitter`. */
  providers?: Readonly<Record<string, string>> | undefined;
  /** Names of better-auth's tables. Default: `user` and `account`, or `users` and `accounts`. */
  tables?: SourceTables | undefined;
  /** Users read at a time, 1 to 1000. Default: 500. */
  batchSize?: number | undefined;
  /** Called after each batch, with the counts so far. */
  onProgress?: ((report: BetterAuthReport) => void) | undefined;
  /** Called for everybody, and every account, that is left out. */
  onSkipped?: ((skipped: SkippedByImport) => void) | undefined;
  /** Where the time comes from, for bans that have ended. Default: the machine's clock. */
  clock?: Clock | undefined;
}

/**
 * Takes the users of better-auth over: profiles under their old ids, linked accounts with their providers' tokens, and passwords, which keep
 * working and are hashed anew as people sign in. Sessions are not: everybody signs in once more. Listeners are told nothing, and no mail goes out.
 *
 * It may be run again: whoever is here is left as they are, whatever better-auth says of them by then, and what broke off goes on. Nobody is
 * half there: a user's accounts come in one commit, and the profile after them. What clashes with somebody here is left out and told, never overwritten.
 *
 * An address that better-auth had not confirmed stays unconfirmed, and is taken only when the person gave it themselves, with a password or
 * without any account; when a provider gave it, the user has none. Those whom better-auth's `admin` plugin had banned are disabled.
 *
 * With users of the application's own (`createAuth({ users })`), those that are there already get their accounts and password; others are created.
 *
 * Reads the source two queries a batch, and the store about five times a user, sixteen users at once; two writes each.
 *
 * @throws {ConfigError} when an option is wrong, a driver is missing, or the database is not better-auth's; {@link StorageError} when the store is
 *   away: run it again. What the source's driver says, as it is.
 * @example await importBetterAuth({ from: process.env.DATABASE_URL, auth, dryRun: true });
 */
export async function importBetterAuth(options: ImportBetterAuthOptions): Promise<BetterAuthReport> {
  const { from, auth, dryRun, providers, tables, batchSize, onProgress, onSkipped, clock } = resolve(options);
  const tally = createTally(dryRun);
  /** What a dry run would have written: two of better-auth's users may clash with each other. */
  const claims = new Map<string, string>();
  const parts = {
    issuerOf: (provider: string) => auth.accounts.issuerOf(provider),
    recognises: (hash: string) => auth.passwords.recognises(hash),
    strategyOf: (providerId: string) => new Map(Object.entries({ ...RENAMED, ...providers })).get(providerId) ?? providerId,
    now: clock.now(),
  };

  const claim = (text: string, userId: string): boolean => {
    if (!dryRun) return true;
    const holder = claims.get(text) ?? userId;
    claims.set(text, holder);
    return holder === userId;
  };

  const isLinked = async ({ identity }: AdoptedAccount): Promise<string | null> =>
    (await auth.accounts.findByIdentity(identity))?.userId ?? null;

  /** What of somebody's accounts is not linked yet, and what is somebody else's. */
  const sort = async ({ user, accounts }: Person) => {
    const holders = await Promise.all(accounts.map(isLinked));
    const free: AdoptedAccount[] = [];
    const taken: AdoptedAccount[] = [];
    for (const [index, account] of accounts.entries()) {
      const holder = holders[index] ?? null;
      if (holder === null && claim(JSON.stringify(account.identity), user.id)) free.push(account);
      else if (holder !== user.id) taken.push(account);
    }
    return { free, taken };
  };

  /** Commits what is free, until nobody else takes any of it in between. */
  const adopt = async (person: Person, password: string | null) => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { free, taken } = await sort(person);
      const missing = attempt === 0 || (await auth.accounts.findPassword(person.user.id)) === null ? password : null;
      const nothing = free.length === 0 && missing === null;
      if (nothing || dryRun || (await auth.accounts.adopt(person.user.id, { accounts: free, password: missing }))) return { free, taken };
    }
    throw new StorageError("Accounts are changing too fast");
  };

  const importPerson = async (person: Person): Promise<Outcome> => {
    const { user, banned } = person;
    const [existing, { principal, epoch }, linked, known] = await Promise.all([
      auth.users.findById(user.id),
      auth.principals.standing(user.id),
      auth.accounts.listForUser(user.id),
      auth.accounts.findPassword(user.id),
    ]);
    const untouched = epoch[0] === 0;
    if (!existing && !untouched) return { skip: "removed" };
    if (existing) {
      if (!untouched || linked.length > 0 || known !== null) return { unchanged: true };
      if (existing.email !== null && user.email !== null && existing.email !== user.email) return { skip: "id_taken" };
    } else if (user.email !== null) {
      const holder = await auth.users.findByEmail(user.email);
      if (holder || !claim(`email ${user.email}`, user.id)) return { skip: "email_taken" };
    }
    const disables = banned && principal.status === "active";
    // First, so that whoever was banned is never here without it. The epoch stays, which tells this from a user who was here.
    if (disables && !dryRun) await auth.principals.update(user.id, (standing) => ({ ...standing, status: "disabled" }));
    const { free, taken } = await adopt(person, known === null ? person.password : null);
    if (existing && free.length === 0 && person.password === null && !disables) return { unchanged: true };
    if (!existing && user.email === null && taken.length === person.accounts.length) return { skip: "no_way_in" };
    if (!existing && !dryRun) {
      try {
        await auth.users.create(user);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        await auth.accounts.deleteForUser(user.id);
        return { skip: "email_taken" };
      }
    }
    return { accounts: person.accounts.length - taken.length, taken };
  };

  const tell = (userId: string, provider: string | null, reason: UserSkip | AccountSkip) => {
    tally.skipped(provider, reason);
    onSkipped?.({ userId, provider, reason });
  };

  const database = await openSource(from);
  try {
    for await (const page of readUsers(database, tables, batchSize)) {
      await inParallel(page, async (source) => {
        const person = personOf(source, parts);
        const outcome: Outcome = typeof person === "string" ? { skip: person } : await importPerson(person);
        tally.read();
        if ("skip" in outcome) return tell(source.id, null, outcome.skip);
        if ("unchanged" in outcome || typeof person === "string") return tally.unchanged();
        for (const { provider, reason } of person.skipped) tell(source.id, provider, reason);
        for (const { identity } of outcome.taken) tell(source.id, identity.provider, "identity_taken");
        tally.imported(source, person, outcome.accounts);
      });
      onProgress?.(tally.report());
    }
  } finally {
    await database.close();
  }
  return tally.report();
}

type Outcome =
  | { readonly skip: UserSkip }
  | { readonly unchanged: true }
  /** How many accounts there are now, and whose identity somebody else has. */
  | { readonly accounts: number; readonly taken: readonly AdoptedAccount[] };

/** What we call otherwise than better-auth. */
const RENAMED = { twitter: "x" };
const MAX_ATTEMPTS = 20;
const PARALLEL = 16;

/** Starts nothing more once something has failed, and waits for what was started. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items].reverse();
  const worker = async () => {
    try {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
    } catch (error) {
      left.length = 0;
      throw error;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

function resolve(options: ImportBetterAuthOptions) {
  const where = "importBetterAuth";
  assertOptions(where, options, ["from", "auth", "dryRun", "providers", "tables", "batchSize", "onProgress", "onSkipped", "clock"]);
  const { from, auth, dryRun = false, providers = {}, tables = {}, batchSize = 500, onProgress, onSkipped } = options;
  if (typeof from !== "string" || from === "") throw new ConfigError(`${where}.from`, "give a database's URL, or the file of a SQLite one");
  if (typeof auth?.accounts?.adopt !== "function") throw new ConfigError(`${where}.auth`, "give what createAuth() returned");
  assertFlag(`${where}.dryRun`, dryRun);
  assertNames(`${where}.providers`, providers);
  assertOptions(`${where}.tables`, tables, ["user", "account"]);
  assertNames(`${where}.tables`, tables);
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 1000) throw new ConfigError(`${where}.batchSize`, "give 1 to 1000");
  for (const [name, callback] of Object.entries({ onProgress, onSkipped })) {
    if (callback !== undefined && typeof callback !== "function") throw new ConfigError(`${where}.${name}`, "give a function");
  }
  return { from, auth, dryRun, providers, tables, batchSize, onProgress, onSkipped, clock: resolveClock(`${where}.clock`, options.clock) };
}

function assertNames(option: string, names: unknown): void {
  const values: unknown[] = typeof names === "object" && names !== null ? Object.values(names) : [null];
  if (values.some((name) => name !== undefined && (typeof name !== "string" || name === "")))
    throw new ConfigError(option, "give an object whose values are names");
}
