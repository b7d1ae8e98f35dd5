import { ConflictError, NotFoundError } from "../errors.ts";
import { directoryKey } from "../storage/collection.ts";
import type { Collection, Page, RecordStore, StoredRecord } from "../storage/record-store.ts";
import { accountCollection, decodeAccount, type AccountSummary } from "./account-record.ts";
import type { Accounts } from "./accounts.ts";
import { apiKeyCollection, decodeApiKey, type ApiKey } from "./api-key-record.ts";
import type { ApiKeys } from "./api-keys.ts";
import type { Events, EventSubject } from "./events.ts";
import { codeCollection, decodeCodeRequest } from "./magic-code-record.ts";
import type { ManagedUsers } from "./managed-users.ts";
import type { Sessions } from "./sessions.ts";
import { readable, reportUnreadable, reportingUnreadable } from "./unreadable-records.ts";
import { decodeUser, userCollection } from "./user-directory.ts";
import type { User } from "./users.ts";

/** A request for a code as operators see it: nothing of the code. */
export interface ListedCode {
  /** Names it among all, and opens nothing. */
  readonly id: string;
  readonly purpose: string;
  readonly email: string;
  readonly userId: string | null;
  /** Unix ms. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** A page of something, and where the next one begins; `null`: that was the last. */
export interface Listing<T> {
  readonly items: readonly T[];
  readonly next: string | null;
  /** How many more there are in this page that could not be read. */
  readonly unreadable: number;
}

/**
 * What operators see and end, whoever's it is. Lists are pages of whole collections, in no order: all pages together cost O(all). What
 * cannot be read is left out, counted, and reported as `record.unreadable`. Each act is told as `admin.acted` beside its own event.
 */
export interface Operators {
  /** @throws {NotFoundError} where the application keeps its users itself. */
  users(page?: Page): Promise<Listing<User>>;
  accounts(page?: Page): Promise<Listing<AccountSummary>>;
  apiKeys(page?: Page): Promise<Listing<ApiKey>>;
  codes(page?: Page): Promise<Listing<ListedCode>>;
  /** Removes a user with all their credentials. @throws {ConflictError} `own_user`: nobody removes themself, so that the last administrator stays. */
  deleteUser(id: string, by: EventSubject): Promise<void>;
  /** @throws {NotFoundError} */
  revokeSession(id: string, by: EventSubject): Promise<void>;
  revokeSessions(userId: string, by: EventSubject): Promise<void>;
  /** Unlinks an account, also a user's last way in. @throws {NotFoundError} `account_not_found`; {@link ConflictError} `own_user`. */
  unlinkAccount(id: string, by: EventSubject): Promise<void>;
  /** @throws {NotFoundError} */
  revokeApiKey(userId: string, id: string, by: EventSubject): Promise<void>;
  /** @throws {NotFoundError} */
  revokeCode(id: string, by: EventSubject): Promise<void>;
}

export interface OperatorsParts {
  readonly store: RecordStore;
  readonly events: Events;
  readonly users: ManagedUsers;
  readonly sessions: Sessions;
  readonly apiKeys: ApiKeys;
  readonly accounts: Accounts;
  /** Whether the application keeps its users itself. */
  readonly ownUsers: boolean;
}

export function createOperators({ store, events, users, sessions, apiKeys, accounts, ownUsers }: OperatorsParts): Operators {
  const lister = <T>(from: Collection, decode: (record: StoredRecord) => T) => {
    const decoded = reportingUnreadable(events, from, decode);
    return async (page?: Page): Promise<Listing<T>> => {
      const { records, next, unreadable = 0 } = await store.scan(from, page);
      reportUnreadable(events, from, unreadable);
      const items = readable(records, decoded);
      return { items, next, unreadable: unreadable + records.length - items.length };
    };
  };
  const listUsers = lister(userCollection, decodeUser);
  const acted = (action: string, target: string, by: EventSubject) => events.emit("admin.acted", { action, target }, by);
  const from = ({ source = null }: EventSubject) => ({ source });

  return {
    async users(page) {
      if (ownUsers) throw new NotFoundError("The application keeps its users itself");
      return await listUsers(page);
    },
    accounts: lister(accountCollection, (record) => decodeAccount(record).account),
    apiKeys: lister(apiKeyCollection, (record) => decodeApiKey(record).apiKey),
    codes: lister(codeCollection, (record) => {
      const { key, purpose, email, userId, createdAt, expiresAt } = decodeCodeRequest(record);
      return { id: `${key.partition}.${key.id}`, purpose, email, userId, createdAt, expiresAt };
    }),

    async deleteUser(id, by) {
      assertAnother(id, by);
      await users.delete(id, from(by));
      acted("user.delete", id, by);
    },
    async revokeSession(id, by) {
      if (!(await sessions.revoke(id, from(by)))) throw new NotFoundError("No such session");
      acted("session.revoke", id, by);
    },
    async revokeSessions(userId, by) {
      await sessions.revokeAll(userId, from(by));
      acted("sessions.revoke", userId, by);
    },
    async unlinkAccount(id, by) {
      const stored = await store.get(accountCollection, directoryKey(id));
      if (!stored) throw new NotFoundError("There is no such account", "account_not_found");
      const { userId } = decodeAccount(stored).account;
      assertAnother(userId, by);
      await accounts.unlink({ userId, accountId: id, otherWaysIn: 1 }, from(by));
      acted("account.unlink", id, by);
    },
    async revokeApiKey(userId, id, by) {
      await apiKeys.revoke(userId, id, from(by));
      acted("api_key.revoke", id, by);
    },
    async revokeCode(id, by) {
      const [partition = "", recordId = ""] = id.split(".");
      if (!(await store.take(codeCollection, { partition, id: recordId }))) throw new NotFoundError("No such code");
      acted("magic_code.revoke", id, by);
    },
  };
}

/** By a slip of the hand an administrator could leave nobody behind who is one. */
function assertAnother(userId: string, by: EventSubject): void {
  if (userId === by.userId) throw new ConflictError("own_user", "That is yourself: leave it to another administrator");
}
