import { sha256 } from "../crypto/hash.ts";
import { StorageError } from "../errors.ts";
import { decodeJson, directoryCollection, directoryKey, encodeJson } from "../storage/collection.ts";
import type { NewRecord, StoredRecord } from "../storage/record-store.ts";

/** A token that the application keeps for a user, without the token itself: safe to show. Instants are Unix ms. */
export interface TokenRecord {
  /** Names the record; it opens nothing. */
  readonly id: string;
  readonly userId: string;
  /** Default: `Bearer`. */
  readonly tokenType: string;
  /** `sub` and `iss` of the token, where it has them. */
  readonly subject: string | null;
  readonly issuer: string | null;
  /** The OAuth client it was issued to. */
  readonly clientId: string | null;
  readonly issuedAt: number;
  /** From this instant on no call gives the record back. */
  readonly expiresAt: number;
  /** In the order given, each once. */
  readonly scopes: readonly string[];
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  /** How its owner had signed in: `password`, `mfa`, `api-key`, ... */
  readonly method: string;
  /** What else belongs to it: a profile, a device, custom claims. JSON, never a secret: it rests as it is. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly hasRefreshToken: boolean;
  /** Once set it stays; `null`: it is good. */
  readonly revokedAt: number | null;
  readonly revokedReason: string | null;
  /** Never moves back; `null`: not used yet. */
  readonly lastUsedAt: number | null;
  readonly useCount: number;
}

/** A record with what only the kit may see of it. */
export interface KeptToken {
  readonly token: TokenRecord;
  /** Base64url of the SHA-256 of the access token: what it is found by. */
  readonly hash: string;
  /** Both tokens, each sealed for this record and field. */
  readonly sealed: { readonly accessToken: string; readonly refreshToken: string | null };
  readonly version: number;
}

export const tokenCollection = directoryCollection("tokens", { accessToken: "unique", userId: "plain" });

/** What an access token is found by: the store never holds the token's own text. */
export function hashToken(accessToken: string): string {
  return sha256(accessToken).toString("base64url");
}

/** What a sealed token belongs to: moved to another record or field it does not open. */
export function sealContext(id: string, field: keyof KeptToken["sealed"]): string {
  return `${id} ${field}`;
}

/** As it rests. */
export function encodeToken({ token, hash, sealed }: Omit<KeptToken, "version">): NewRecord {
  const { id, hasRefreshToken: _, ...shown } = token;
  return {
    ...directoryKey(id),
    value: encodeJson({ ...shown, hash, sealed }),
    expiresAt: token.expiresAt,
    lookups: { accessToken: hash, userId: token.userId },
  };
}

/** @throws {StorageError} when the record does not parse: it is refused, never guessed at. */
export function decodeToken(stored: StoredRecord): KeptToken {
  const rested = decodeJson(stored);
  if (!isRested(rested)) throw new StorageError("A stored token could not be read");
  const { hash, sealed, ...shown } = rested;
  return { token: { id: stored.id, ...shown, hasRefreshToken: sealed.refreshToken !== null }, hash, sealed, version: stored.version };
}

type Rested = Omit<TokenRecord, "id" | "hasRefreshToken"> & Pick<KeptToken, "hash" | "sealed">;

function isRested(value: unknown): value is Rested {
  const { userId, hash, sealed, issuedAt, expiresAt, revokedAt, lastUsedAt, useCount, scopes, permissions, roles, metadata } = (value ??
    {}) as Partial<Rested>;
  const isText = [userId, hash, sealed?.accessToken].every((text) => typeof text === "string");
  const isInstant = [issuedAt, expiresAt, useCount].every(Number.isInteger);
  const isMark = [revokedAt, lastUsedAt].every((at) => at === null || Number.isInteger(at));
  return isText && isInstant && isMark && [scopes, permissions, roles].every(Array.isArray) && typeof metadata === "object";
}
