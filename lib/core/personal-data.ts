import type { Clock } from "../clock.ts";
import { ownerTag } from "../crypto/hash.ts";
import { StorageError } from "../errors.ts";
import { directoryKey } from "../storage/collection.ts";
import type { PartitionedCollection, RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { AccountSummary, Accounts } from "./accounts.ts";
import { apiKeyCollection, type ApiKey } from "./api-key-record.ts";
import { apiKeyTag } from "./api-key-text.ts";
import type { ApiKeys } from "./api-keys.ts";
import type { AuditEntry, AuditTrail } from "./audit.ts";
import type { Events, RequestSource } from "./events.ts";
import { addressTag, codeCollection, decodeCodeRequest } from "./magic-code-record.ts";
import { knownSources } from "./known-sources.ts";
import type { ManagedUsers } from "./managed-users.ts";
import { assertUserId, principalCollection, type Principal, type Principals } from "./principals.ts";
import { providerSessionCollection } from "./provider-sessions.ts";
import { sessionCollection, type Session } from "./session-record.ts";
import { parseSessionId } from "./session-token.ts";
import type { Sessions } from "./sessions.ts";
import type { TokenRecord, Tokens } from "./tokens.ts";
import type { OneTimeTokens } from "./one-time-tokens.ts";
import { decodeTransaction, transactionCollection } from "./transactions.ts";
import { readable } from "./unreadable-records.ts";
import type { User } from "./users.ts";

/** All that is kept about a person, without secrets; it serialises as JSON. Instants are Unix ms. */
export interface PersonalData {
  readonly exportedAt: number;
  readonly userId: string;
  /** `null` when there is no profile. */
  readonly user: User | null;
  readonly principal: Pick<Principal, "status" | "roles" | "failures">;
  readonly hasPassword: boolean;
  readonly accounts: readonly AccountSummary[];
  readonly sessions: readonly Session[];
  readonly apiKeys: readonly ApiKey[];
  readonly tokens: readonly TokenRecord[];
  /** Codes that were asked for this user, or for their address. */
  readonly codes: readonly { purpose: string; email: string; createdAt: number; expiresAt: number }[];
  /** What happened to them, the newest first; empty unless the `audit` option is set. */
  readonly audit: readonly AuditEntry[];
}

/** What people may ask of whoever keeps data about them. @see GDPR, articles 15, 17 and 20. */
export interface PersonalDataService {
  /**
   * Removes all that is kept about a user: sessions, API keys, linked accounts and password, tokens, codes, links in mails, sign-ins under way, profile,
   * roles and failures. May be repeated until it succeeds, wherever it was interrupted. When it resolves nothing of theirs is in the store;
   * limits keep keyed hashes of an address until their windows end, and `auth.kv` is the application's to clear. What administrators did to
   * them stays in the audit, on a target that is `erased`. Reads all open codes, sign-ins, sessions that providers named and entries of the
   * audit, on Redis by a SCAN of all keys: O(all), blocking nobody.
   * @throws {RequestError} `invalid_user_id`; {@link StorageError} when it could not be done whole.
   */
  erase(userId: string, from?: { readonly source?: RequestSource | null | undefined }): Promise<void>;
  /**
   * All that is kept about a user, without secrets: no token, no hash, no key. One read for each kind of thing, and the same O(all)
   * of open codes as erasing.
   * @throws {RequestError} `invalid_user_id`.
   */
  export(userId: string): Promise<PersonalData>;
}

export interface PersonalDataParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly events: Events;
  readonly users: ManagedUsers;
  readonly principals: Principals;
  readonly sessions: Sessions;
  readonly apiKeys: ApiKeys;
  readonly accounts: Accounts;
  readonly tokens: Tokens;
  readonly oneTimeTokens: Pick<OneTimeTokens, "revokeAll">;
  readonly audit: AuditTrail | null;
}

const PAGE = 1000;

export function createPersonalData(parts: PersonalDataParts): PersonalDataService {
  const { store, clock, events, users, principals, sessions, apiKeys, accounts, tokens, oneTimeTokens, audit } = parts;

  const clear = (from: PartitionedCollection, partition: string) => store.commit([{ op: "clear", in: from, partition }]);

  /** Records of a whole collection that are about this person. What does not parse ends by itself. */
  const matching = async <T>(from: PartitionedCollection, decode: (stored: StoredRecord) => T, isTheirs: (record: T) => boolean) => {
    const found: { stored: StoredRecord; record: T }[] = [];
    for (let after: string | undefined; ;) {
      const page = await store.scan(from, { limit: PAGE, ...(after === undefined ? {} : { after }) });
      const records = readable(page.records, (stored) => ({ stored, record: decode(stored) }));
      // Whose they are is in them: put back the key that reads them, or wait for their end.
      if (page.unreadable) throw new StorageError("Some stored records could not be read, and so not be looked into");
      found.push(...records.filter(({ record }) => isTheirs(record)));
      if (page.next === null) return found;
      after = page.next;
    }
  };

  const codesOf = (userId: string, email: string | null) =>
    matching(codeCollection, decodeCodeRequest, (code) => code.userId === userId || (email !== null && code.email === email));

  const remove = async (from: PartitionedCollection, found: readonly { stored: StoredRecord }[]) => {
    for (const { stored } of found) {
      const { partition, id } = stored;
      await store.commit([{ op: "delete", in: from, key: { partition, id } }]);
    }
  };

  return {
    async erase(userId, { source = null } = {}) {
      assertUserId(userId);
      // Read first and removed last: a repeated call must still find out the address.
      const email = (await users.findById(userId))?.email ?? null;
      await users.disable(userId, { source });
      const [codes, transactions] = await Promise.all([
        codesOf(userId, email),
        matching(transactionCollection, decodeTransaction, (transaction) => transaction.userId === userId),
        tokens.deleteForUser(userId),
        oneTimeTokens.revokeAll(userId),
        ...(email === null ? [] : [oneTimeTokens.revokeAll(email)]),
      ]);
      await remove(codeCollection, codes);
      await remove(transactionCollection, transactions);
      if (email !== null) await Promise.all([clear(codeCollection, addressTag(email)), clear(knownSources, addressTag(email))]);
      await audit?.forgetTarget(userId, (target) => {
        const [codes = ""] = target.split(".");
        return parseSessionId(target)?.partition === ownerTag(userId) || (email !== null && codes === addressTag(email));
      });
      await users.delete(userId, { source });
      await store.commit([{ op: "delete", in: principalCollection, key: directoryKey(userId) }]);
      // With the principal its epoch is gone too: what was being made while all this went on would count again.
      await Promise.all([clear(sessionCollection, ownerTag(userId)), clear(apiKeyCollection, apiKeyTag(userId))]);
      // Outlive their sessions, and lie where the provider's word for one leads; whose they are is in the name of ours.
      const ofProviders = await matching(
        providerSessionCollection,
        ({ id }) => parseSessionId(id),
        (session) => session?.partition === ownerTag(userId),
      );
      await remove(providerSessionCollection, ofProviders);
      await audit?.forget(userId);
      events.emit("user.erased", {}, { userId, source });
    },

    async export(userId) {
      assertUserId(userId);
      const user = await users.findById(userId);
      const [{ principal }, password, linked, live, keys, kept, codes] = await Promise.all([
        principals.standing(userId),
        accounts.findPassword(userId),
        accounts.listForUser(userId),
        sessions.list(userId),
        apiKeys.list(userId),
        allTokens(userId),
        codesOf(userId, user?.email ?? null),
      ]);
      const { status, roles, failures } = principal;
      return {
        exportedAt: clock.now(),
        userId,
        user,
        principal: { status, roles, failures },
        hasPassword: password !== null,
        accounts: linked,
        sessions: live,
        apiKeys: keys,
        tokens: kept,
        codes: codes.map(({ record: { purpose, email, createdAt, expiresAt } }) => ({ purpose, email, createdAt, expiresAt })),
        audit: await allEntries(userId),
      };
    },
  };

  async function allEntries(userId: string): Promise<AuditEntry[]> {
    const all: AuditEntry[] = [];
    for (let after: string | undefined; audit;) {
      const page: Awaited<ReturnType<AuditTrail["list"]>> = await audit.list({ userId, limit: PAGE, after });
      all.push(...page.entries);
      if (page.next === null) break;
      after = page.next;
    }
    return all;
  }

  async function allTokens(userId: string): Promise<TokenRecord[]> {
    const all: TokenRecord[] = [];
    for (let after: string | null = null; ;) {
      const page: Awaited<ReturnType<Tokens["list"]>> = await tokens.list(userId, { limit: PAGE, ...(after === null ? {} : { after }) });
      all.push(...page.tokens);
      if (page.next === null) return all;
      after = page.next;
    }
  }
}
