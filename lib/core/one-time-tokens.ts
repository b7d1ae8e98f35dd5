import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { constantTimeEqual, hmacSha256, ownerTag, sha256 } from "../crypto/hash.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { CredentialError, StorageError } from "../errors.ts";
import { decodeJson, encodeJson, partitionedCollection } from "../storage/collection.ts";
import type { RecordKey, RecordStore, StoredRecord } from "../storage/record-store.ts";
import type { Events } from "./events.ts";
import { reportingUnreadable } from "./unreadable-records.ts";

/** What a token in a mailed link is good for. One made for one purpose is unknown to every other. */
export type TokenPurpose = "email_confirm" | "email_change" | "password_reset" | "magic_link";

/** What else is kept of a link that signs in. */
export interface MagicLinkContents {
  /** The id of the code in the same mail, by which the two count as one proof. */
  readonly codeId: string;
  /** Where its sign-in leads. */
  readonly returnTo: string | null;
}

/** A token that is good still, as its record says. */
export interface OneTimeToken {
  readonly key: RecordKey;
  readonly version: number;
  readonly purpose: TokenPurpose;
  /** `null`: nobody has that address; such a token was never mailed. */
  readonly userId: string | null;
  /** Canonical: where it was mailed. */
  readonly email: string;
  /** `null` for every other purpose. */
  readonly magicLink: MagicLinkContents | null;
  /** Unix ms. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface NewOneTimeToken {
  readonly purpose: TokenPurpose;
  readonly userId: string | null;
  readonly email: string;
  readonly magicLink?: MagicLinkContents | undefined;
  /** Seconds. */
  readonly ttl: number;
}

/** Tokens for links in mails, each spent once; a user has one a purpose at most. They rest as hashes. */
export interface OneTimeTokens {
  /** Makes a token; it takes the place of the one before. One write. */
  issue(token: NewOneTimeToken): Promise<{ token: string; expiresAt: number }>;
  /**
   * What a token stands for. It is not spent by that. One read, none for a forged one or one made for another purpose.
   * @throws {CredentialError} 401 `invalid_token`.
   */
  find(token: string, purpose: TokenPurpose): Promise<OneTimeToken>;
  /** Spends it: of any number of callers at once, one. @throws {CredentialError} 401 `invalid_token` when it was spent or replaced meanwhile. */
  spend(found: OneTimeToken): Promise<void>;
  /** Makes all of a user's tokens void. One command. */
  revokeAll(userId: string): Promise<void>;
}

export interface OneTimeTokensParts {
  readonly store: RecordStore;
  readonly keys: KeyRing;
  readonly clock: Clock;
  readonly events: Events;
}

const collection = partitionedCollection("one_time_tokens");

const TAG = 16;
const SECRET = 32;
const MAC = 16;

export function createOneTimeTokens({ store, keys, clock, events }: OneTimeTokensParts): OneTimeTokens {
  const decoded = reportingUnreadable(events, collection, decode);
  const keyPurpose = (purpose: TokenPurpose) => `one-time token: ${purpose}`;

  /** `owner tag | secret`, if its MAC is ours and of this purpose. */
  const parse = (token: string, purpose: TokenPurpose): { tag: string; secretHash: Buffer } | null => {
    if (!/^[\w-]{86}$/.test(token)) return null;
    const bytes = Buffer.from(token, "base64url");
    if (bytes.toString("base64url") !== token) return null;
    const body = bytes.subarray(0, TAG + SECRET);
    const mac = bytes.subarray(TAG + SECRET);
    const ours = keys.all(keyPurpose(purpose)).some(({ key }) => constantTimeEqual(hmacSha256(key, body).subarray(0, MAC), mac));
    return ours ? { tag: body.subarray(0, TAG).toString("base64url"), secretHash: sha256(body.subarray(TAG)) } : null;
  };

  return {
    async issue({ purpose, userId, email, ttl, magicLink }) {
      const tag = ownerTag(userId ?? email);
      const body = Buffer.concat([Buffer.from(tag, "base64url"), randomBytes(SECRET)]);
      const mac = hmacSha256(keys.current(keyPurpose(purpose)).key, body).subarray(0, MAC);
      const createdAt = clock.now();
      const expiresAt = createdAt + ttl * 1000;
      const secretHash = sha256(body.subarray(TAG)).toString("base64url");
      const value = encodeJson({ purpose, userId, email, secretHash, magicLink, createdAt, expiresAt });
      await store.commit([{ op: "put", in: collection, record: { partition: tag, id: purpose, value, expiresAt } }]);
      return { token: Buffer.concat([body, mac]).toString("base64url"), expiresAt };
    },

    async find(token, purpose) {
      const parsed = parse(token, purpose);
      const stored = parsed && (await store.get(collection, { partition: parsed.tag, id: purpose }));
      if (!stored) throw invalidToken();
      const { secretHash, ...found } = decoded(stored);
      const holds = constantTimeEqual(parsed.secretHash, secretHash) && found.purpose === purpose && clock.now() < found.expiresAt;
      if (!holds) throw invalidToken();
      return found;
    },

    async spend({ key, version }) {
      if (!(await store.commit([{ op: "delete", in: collection, key, ifVersion: version }]))) throw invalidToken();
    },

    async revokeAll(userId) {
      await store.commit([{ op: "clear", in: collection, partition: ownerTag(userId) }]);
    },
  };
}

/** The one answer for whatever is wrong with a token. */
export function invalidToken(): CredentialError {
  return new CredentialError("invalid_token", "This link is wrong or no longer good: ask for a new one");
}

function decode(stored: StoredRecord): OneTimeToken & { readonly secretHash: Buffer } {
  const {
    purpose,
    userId,
    email,
    secretHash,
    magicLink = null,
    createdAt,
    expiresAt,
  } = (decodeJson(stored) ?? {}) as Record<string, unknown>;
  if (!isPurpose(purpose) || (magicLink !== null && !isMagicLink(magicLink))) throw new StorageError("A one-time token could not be read");
  if (typeof email !== "string" || typeof secretHash !== "string" || !isInstant(createdAt) || !isInstant(expiresAt)) {
    throw new StorageError("A one-time token could not be read");
  }
  if (userId !== null && typeof userId !== "string") throw new StorageError("A one-time token could not be read");
  const key = { partition: stored.partition, id: stored.id };
  const secret = Buffer.from(secretHash, "base64url");
  return { key, version: stored.version, purpose, userId, email, magicLink, createdAt, expiresAt, secretHash: secret };
}

const PURPOSES: Readonly<Record<TokenPurpose, true>> = { email_confirm: true, email_change: true, password_reset: true, magic_link: true };

function isPurpose(value: unknown): value is TokenPurpose {
  return typeof value === "string" && Object.hasOwn(PURPOSES, value);
}

function isMagicLink(value: unknown): value is MagicLinkContents {
  const { codeId, returnTo } = (value ?? {}) as Partial<MagicLinkContents>;
  return typeof codeId === "string" && (returnTo === null || typeof returnTo === "string");
}

function isInstant(value: unknown): value is number {
  return Number.isInteger(value);
}
