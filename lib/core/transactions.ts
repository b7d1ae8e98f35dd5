import type { Clock } from "../clock.ts";
import { sha256 } from "../crypto/hash.ts";
import { ProviderError, StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { reportingUnreadable } from "./unreadable-records.ts";

/** What a sign-in through a provider needs to remember while the person is away. */
export interface TransactionData {
  /** What the strategy wrote to `req.session` when it began. JSON. */
  readonly session: Record<string, unknown>;
  /** What it is for: a callback does this and nothing else. */
  readonly intent: "sign_in" | "link" | "reauthenticate" | "sign_out";
  /** Where the browser goes afterwards; checked before it was stored. */
  readonly returnTo: string;
  /** To link or reauthenticate: the user, and the public id of the session that the callback must come with. */
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** Names one transaction: all three must be right. */
export interface TransactionKey {
  /** The strategy's name. */
  readonly provider: string;
  /** The `state` (OAuth 1: `oauth_token`) in the redirect. */
  readonly state: string;
  /** The secret in the cookie of the browser that began. */
  readonly binding: string;
}

/** Sign-ins under way at providers, several a browser. Each is found and spent by one `take`, and lasts {@link TRANSACTION_TTL} seconds. */
export interface Transactions {
  /** Remembers a transaction. One write. @throws {ProviderError} `provider_error`, when `data` is over 16 KB of JSON. */
  begin(transaction: TransactionKey & { readonly data: TransactionData }): Promise<void>;
  /** Spends a transaction: of any number of callers one gets it. `null` when expired, spent, or of another browser or provider. One `take`. */
  take(key: TransactionKey): Promise<TransactionData | null>;
}

/** Seconds a person has to come back from the provider. @see OWASP ASVS 5.0, 10.5.1. */
export const TRANSACTION_TTL = 600;
/** The most `data` may hold, in bytes of JSON. */
const MAX_BYTES = 16 * 1024;

export const transactionCollection = partitionedCollection("oauth_transactions");

export interface TransactionsParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  /** Where a record that does not parse is reported. Default: nowhere. */
  readonly events?: Events | null;
}

/** The transactions of one `createAuth`. A record's id hashes state, binding and provider; the binding rests nowhere, so a dump finishes none. */
export function createTransactions({ store, clock, events = null }: TransactionsParts): Transactions {
  const decoded = reportingUnreadable(events, transactionCollection, decodeTransaction);

  return {
    async begin({ data, ...key }) {
      const expiresAt = clock.now() + TRANSACTION_TTL * 1000;
      const value = encodeJson({ provider: key.provider, expiresAt, data });
      if (value.byteLength > MAX_BYTES) throw new ProviderError("provider_error", "The strategy wants to remember too much");
      await store.commit([{ op: "put", in: transactionCollection, record: { ...recordKey(key), value, expiresAt } }]);
    },
    async take(key) {
      const record = await store.take(transactionCollection, recordKey(key));
      if (!record) return null;
      const { provider, expiresAt, data } = decoded(record);
      return provider === key.provider && clock.now() < expiresAt ? data : null;
    },
  };
}

interface Rested {
  readonly provider: string;
  readonly expiresAt: number;
  readonly data: TransactionData;
}

/** @throws {StorageError} when the record does not parse. */
export function decodeTransaction(record: StoredRecord): Rested {
  const { provider, expiresAt, data } = (decodeJson(record) ?? {}) as Partial<Rested>;
  if (typeof provider !== "string" || typeof expiresAt !== "number" || typeof data !== "object" || data === null) {
    throw new StorageError("A stored sign-in could not be read");
  }
  return { provider, expiresAt, data };
}

/** Each part behind its length, so that no two triples run together to the same text. */
function recordKey({ provider, state, binding }: TransactionKey) {
  const text = [state, binding, provider].map((part) => `${Buffer.byteLength(part)}:${part}`).join("");
  const id = sha256(text).toString("base64url");
  return { partition: id, id };
}
