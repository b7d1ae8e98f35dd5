import type { Clock } from "../clock.ts";
import { sha256 } from "../crypto/hash.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { createSealer, type Sealer } from "../crypto/seal.ts";
import { ProviderError, StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { reportingUnreadable } from "./unreadable-records.ts";

/** What a transaction is for, and where it leads. */
export interface TransactionPurpose {
  /** A callback does this and nothing else. */
  readonly intent: "sign_in" | "link" | "reauthenticate" | "sign_out";
  /** Where the browser goes afterwards; checked before it was stored. */
  readonly returnTo: string;
  /** Where it goes when that failed, with the code as `error`; checked as well. Absent: a page of ours says so. */
  readonly errorTo?: string | undefined;
}

/** What a sign-in through a provider needs to remember while the person is away. */
export interface TransactionData extends TransactionPurpose {
  /** What the strategy wrote to `req.session` when it began. JSON. */
  readonly session: Record<string, unknown>;
  /** To link or reauthenticate: the user, and the public id of the session that the callback must come with. */
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** One whose ten minutes are over: nothing finishes it, but it still says what it was for. */
export interface LateTransaction extends TransactionPurpose {
  readonly session: null;
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
  /**
   * Spends a transaction: of any number of callers one gets it, and late whoever comes in the {@link TRANSACTION_KEPT} seconds but after
   * those that it lasts. `null` when older, spent, or of another browser or provider; also, and then
   * reported, when it was sealed under a key that is unknown here, or for another place. One `take`.
   */
  take(key: TransactionKey): Promise<TransactionData | LateTransaction | null>;
}

/** Seconds a person has to come back from the provider. @see OWASP ASVS 5.0, 10.5.1. */
export const TRANSACTION_TTL = 600;
/** Seconds that a transaction, and the cookie it belongs to, are kept: who comes back too late is told what it was for, and led on. */
export const TRANSACTION_KEPT = 1800;
/** The most `data` may hold, in bytes of JSON. */
const MAX_BYTES = 16 * 1024;

export const transactionCollection = partitionedCollection("oauth_transactions");

export interface TransactionsParts {
  readonly store: RecordStore;
  readonly clock: Clock;
  /** What the data is sealed under. */
  readonly keys: KeyRing;
  /** Where a record that does not parse or open is reported. Default: nowhere. */
  readonly events?: Events | null;
}

/**
 * The transactions of one `createAuth`. A record's id hashes state, binding and provider; the binding rests nowhere, so a dump finishes none.
 * The data is sealed for that id: a dump does not show the PKCE verifier, the nonce or the token secret of OAuth 1.0a either.
 */
export function createTransactions({ store, clock, keys, events = null }: TransactionsParts): Transactions {
  const sealer = createSealer(keys, "oauth transactions");
  const decoded = reportingUnreadable(events, transactionCollection, decodeTransaction);
  const opened = reportingUnreadable(events, transactionCollection, (record, rested: Rested) => openData(record, rested, sealer));

  return {
    async begin({ data, ...key }) {
      const now = clock.now();
      const expiresAt = now + TRANSACTION_TTL * 1000;
      const plain = JSON.stringify(data);
      if (Buffer.byteLength(plain) > MAX_BYTES) throw new ProviderError("provider_error", "The strategy wants to remember too much");
      const { userId } = data;
      const at = recordKey(key);
      const value = encodeJson({ provider: key.provider, expiresAt, userId, sealed: sealer.seal(plain, at.id) } satisfies Rested);
      await store.commit([{ op: "put", in: transactionCollection, record: { ...at, value, expiresAt: now + TRANSACTION_KEPT * 1000 } }]);
    },
    async take(key) {
      const record = await store.take(transactionCollection, recordKey(key));
      if (!record) return null;
      const rested = decoded(record);
      if (rested.provider !== key.provider) return null;
      try {
        const data = opened(record, rested);
        if (clock.now() < rested.expiresAt) return data;
        const { intent, returnTo, errorTo } = data;
        return { session: null, intent, returnTo, errorTo };
      } catch (error) {
        // Whoever began it under a key that was dropped since begins anew, as if it had expired: there is nothing to wait for.
        if (error instanceof StorageError) return null;
        throw error;
      }
    },
  };
}

/** As it rests. */
interface Rested {
  readonly provider: string;
  readonly expiresAt: number;
  /** Whose it is, in clear as in every record, so that it can be erased. Absent of a sign-in. */
  readonly userId?: string | undefined;
  /** The data, sealed for the record's id. */
  readonly sealed?: string | undefined;
  /** The data in clear, as it was written before there was `sealed`: read, so that a deploy interrupts no sign-in, and never written. */
  readonly data?: TransactionData | undefined;
}

/** As much as is in clear. @throws {StorageError} when the record does not parse. */
export function decodeTransaction(record: StoredRecord): Rested {
  const { provider, expiresAt, userId, sealed, data } = (decodeJson(record) ?? {}) as Partial<Rested>;
  const isSealed = typeof sealed === "string";
  if (typeof provider !== "string" || typeof expiresAt !== "number" || (!isSealed && (typeof data !== "object" || data === null))) {
    throw new StorageError("A stored sign-in could not be read");
  }
  return isSealed ? { provider, expiresAt, userId, sealed } : { provider, expiresAt, userId: data?.userId, data };
}

/** @throws {StorageError} when it was sealed under an unknown key, or for another record. */
function openData({ id }: StoredRecord, { sealed, data }: Rested, sealer: Sealer): TransactionData {
  if (sealed === undefined && data !== undefined) return data;
  return JSON.parse(sealer.open(sealed ?? "", id)) as TransactionData;
}

/** Each part behind its length, so that no two triples run together to the same text. */
function recordKey({ provider, state, binding }: TransactionKey) {
  const text = [state, binding, provider].map((part) => `${Buffer.byteLength(part)}:${part}`).join("");
  const id = sha256(text).toString("base64url");
  return { partition: id, id };
}
