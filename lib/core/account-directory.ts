import type { Clock } from "../clock.ts";
import { NotFoundError, StorageError } from "../errors.ts";
import { directoryKey } from "../storage/collection.ts";
import type { RecordStore, StoredRecord, Write } from "../storage/record-store.ts";
import { accountCollection, decodeAccount, encodeAccount, identityLookup, type AccountRecord, type IdentityKey } from "./account-record.ts";
import type { Events } from "./events.ts";

/** Accounts as records: how they are found and changed, whatever they mean. */
export interface AccountDirectory {
  read(id: string): Promise<AccountRecord | null>;
  findByIdentity(identity: IdentityKey): Promise<AccountRecord | null>;
  /** All accounts of a user, in id order. One read for each hundred. */
  allOf(userId: string): Promise<AccountRecord[]>;
  /** Inserts the record, or resolves to the one that has its identity. */
  insertOrFind(fresh: AccountRecord): Promise<{ record: AccountRecord; inserted: boolean }>;
  /** Inserts all of the records, or none and resolves to `false`: one of their identities is taken. */
  insertAll(fresh: readonly AccountRecord[]): Promise<boolean>;
  /** Compare-and-set, tried again on the newer record. `apply` may give the record back to leave it. `null` when it is gone. */
  change(id: string, apply: (record: AccountRecord) => AccountRecord): Promise<AccountRecord | null>;
  /**
   * Removes an account, if it and the one that has to be `left` (when there is one) are still as they were read.
   * @returns whether that was so.
   */
  remove(gone: AccountRecord, left?: AccountRecord | null): Promise<boolean>;
  removeAllOf(userId: string): Promise<void>;
  /** A record that was never stored. */
  blank(identity: IdentityKey, userId: string, fields?: { pending?: boolean; password?: string | null }): AccountRecord;
}

export interface AccountDirectoryParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly events: Events;
  readonly ids: () => string;
}

export function createAccountDirectory({ store, clock, events, ids }: AccountDirectoryParts): AccountDirectory {
  /** A record that does not parse is refused and reported. */
  const decoded = (stored: StoredRecord): AccountRecord => {
    try {
      return decodeAccount(stored);
    } catch (error) {
      events.emit("record.unreadable", { collection: accountCollection.name, message: String(error) });
      throw error;
    }
  };

  const read: AccountDirectory["read"] = async (id) => {
    const stored = await store.get(accountCollection, directoryKey(id));
    return stored && decoded(stored);
  };

  const findByIdentity: AccountDirectory["findByIdentity"] = async (identity) => {
    const [stored] = await store.find(accountCollection, "identity", identityLookup(identity), { limit: 1 });
    return stored ? decoded(stored) : null;
  };

  const replacing = (record: AccountRecord): Write => ({
    op: "replace",
    in: accountCollection,
    record: encodeAccount(record),
    ifVersion: record.version,
  });

  return {
    read,
    findByIdentity,

    async allOf(userId) {
      const records: AccountRecord[] = [];
      for (let after: string | undefined; ; after = records.at(-1)?.account.id) {
        const page = await store.find(accountCollection, "userId", userId, { limit: PAGE, ...(after === undefined ? {} : { after }) });
        records.push(...page.map(decoded));
        if (page.length < PAGE) return records;
      }
    },

    async insertOrFind(fresh) {
      const { providerId, issuer, accountId } = fresh.account;
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const inserted = await store.commit([{ op: "insert", in: accountCollection, record: encodeAccount(fresh) }]);
        if (inserted) return { record: fresh, inserted };
        const record = await findByIdentity({ provider: providerId, issuer, subject: accountId });
        if (record) return { record, inserted };
      }
      throw tooBusy();
    },

    insertAll: (fresh) => store.commit(fresh.map((record) => ({ op: "insert", in: accountCollection, record: encodeAccount(record) }))),

    async change(id, apply) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const record = await read(id);
        if (!record) return null;
        const next = apply(record);
        if (next === record || (await store.commit([replacing(next)]))) return next;
      }
      throw tooBusy();
    },

    async remove({ account, version }, left = null) {
      const writes: Write[] = [{ op: "delete", in: accountCollection, key: directoryKey(account.id), ifVersion: version }];
      // In id order, so that no two writers wait for each other.
      if (left) writes[left.account.id < account.id ? "unshift" : "push"](replacing(left));
      return store.commit(writes);
    },

    async removeAllOf(userId) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const records = await store.find(accountCollection, "userId", userId, { limit: PAGE });
        if (records.length === 0) return;
        await store.commit(records.map(({ id }) => ({ op: "delete", in: accountCollection, key: directoryKey(id) })));
      }
      throw tooBusy();
    },

    blank: ({ provider, issuer, subject }, userId, { pending = false, password = null } = {}) => ({
      account: {
        id: ids(),
        userId,
        providerId: provider,
        issuer,
        accountId: subject,
        scope: null,
        accessTokenExpiresAt: null,
        refreshTokenExpiresAt: null,
        pending,
        reconnectNeeded: false,
        createdAt: clock.now(),
        updatedAt: clock.now(),
      },
      sealed: { accessToken: null, refreshToken: null, idToken: null },
      jkt: null,
      password,
      refresh: null,
      version: 0,
    }),
  };
}

const PAGE = 100;
/** Far more than contention on one account makes likely. */
export const MAX_ATTEMPTS = 100;

export function accountNotFound(): NotFoundError {
  return new NotFoundError("There is no such account", "account_not_found");
}

export function tooBusy(): StorageError {
  return new StorageError("An account is changing too fast");
}
