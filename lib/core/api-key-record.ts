import { StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { NewRecord, StoredRecord } from "../storage/record-store.ts";
import type { EpochPair } from "./principals.ts";

/** A long-lived bearer secret of a user, as far as it may be shown: it names the key, and opens nothing. */
export interface ApiKey {
  /** The public id: 22 base62 characters. */
  readonly id: string;
  readonly userId: string;
  /** What its owner calls it, 1 to 100 characters. */
  readonly name: string;
  /** The first characters of the key, by which its owner recognises it: the prefix and nine more. */
  readonly keyPrefix: string;
  readonly scopes: readonly string[];
  /** The owner's roles (narrowed, if it was made so), as of the last check: at most a minute of use ago. */
  readonly roles: readonly string[];
  readonly tenantId: string | null;
  /** Unix ms, as all instants here. */
  readonly createdAt: number;
  /** The end, whatever happens; `null`: never. */
  readonly expiresAt: number | null;
  /** The end unless it is used before; `null`: it has no idle limit. */
  readonly idleExpiresAt: number | null;
  /** The last use, to the minute; `null`: not yet. */
  readonly lastUsedAt: number | null;
  /** The id of the key that replaces it, while both are good; `null`: none. */
  readonly replacedBy: string | null;
}

/** A key with what only the kit may see of it. */
export interface ApiKeyRecord {
  readonly apiKey: ApiKey;
  readonly tag: string;
  readonly hash: Buffer;
  readonly epoch: EpochPair;
  /** The most roles it may have of its owner's; `null`: all. */
  readonly roleLimit: readonly string[] | null;
  readonly version: number;
}

export const apiKeyCollection = partitionedCollection("api_keys");

/** The record as it rests. The store drops it at its end; whether it has ended is decided from what is inside. */
export function encodeApiKey({ apiKey, tag, hash, epoch, roleLimit }: Omit<ApiKeyRecord, "version">): NewRecord {
  const { id, ...shown } = apiKey;
  return {
    partition: tag,
    id,
    value: encodeJson({ ...shown, hash: hash.toString("base64url"), epoch, roleLimit }),
    expiresAt: endOf(apiKey),
  };
}

/** @throws {StorageError} when the record does not parse: it is refused, never guessed at. */
export function decodeApiKey(stored: StoredRecord): ApiKeyRecord {
  const rested = decodeJson(stored);
  if (!isRested(rested)) throw new StorageError("A stored API key could not be read");
  const { hash, epoch, roleLimit, ...shown } = rested;
  const { id, partition: tag, version } = stored;
  return { apiKey: { id, ...shown }, tag, hash: Buffer.from(hash, "base64url"), epoch, roleLimit, version };
}

function isRested(value: unknown): value is Rested {
  const { userId, hash, epoch, roles, scopes, expiresAt, idleExpiresAt } = (value ?? {}) as Partial<Rested>;
  const isInstant = (at: unknown) => at === null || Number.isInteger(at);
  const isText = typeof userId === "string" && typeof hash === "string";
  return isText && isInstant(expiresAt) && isInstant(idleExpiresAt) && [epoch, roles, scopes].every(Array.isArray);
}

interface Rested extends Omit<ApiKey, "id"> {
  readonly hash: string;
  readonly epoch: EpochPair;
  readonly roleLimit: readonly string[] | null;
}

/** The instant from which on a key is no longer good; `null`: never. */
export function endOf({ expiresAt, idleExpiresAt }: ApiKey): number | null {
  if (expiresAt === null || idleExpiresAt === null) return expiresAt ?? idleExpiresAt;
  return Math.min(expiresAt, idleExpiresAt);
}
