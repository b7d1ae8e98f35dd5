import { sha256 } from "../crypto/hash.ts";
import type { Sealer } from "../crypto/seal.ts";
import { StorageError } from "../errors.ts";
import { decodeJson, directoryCollection, directoryKey, encodeJson } from "../storage/collection.ts";
import type { NewRecord, StoredRecord } from "../storage/record-store.ts";
import type { Identity, TokenSet } from "./strategy.ts";

/** What names an identity: never an email address. */
export type IdentityKey = Pick<Identity, "provider" | "issuer" | "subject">;

/** One provider identity linked to a user, without its secrets: safe to show to that user. */
export interface AccountSummary {
  /** The account's own id, 22 base64url characters. */
  readonly id: string;
  readonly userId: string;
  /** The strategy's name, or `credential` for a password. */
  readonly providerId: string;
  readonly issuer: string;
  /** The subject: the provider's id of the person, or the user id of a `credential`. */
  readonly accountId: string;
  /** Granted scopes, separated by spaces. */
  readonly scope: string | null;
  /** Unix ms, as all instants here. */
  readonly accessTokenExpiresAt: number | null;
  readonly refreshTokenExpiresAt: number | null;
  /** A first sign-in that has not created its user yet. */
  readonly pending: boolean;
  /** The provider no longer takes the refresh token: only signing in there again helps. */
  readonly reconnectNeeded: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An account with what only the kit may see of it. */
export interface AccountRecord {
  readonly account: AccountSummary;
  /** Each sealed for this account and field. */
  readonly sealed: Readonly<Record<TokenField, string | null>>;
  /** The thumbprint of the key that the access token is bound to; `null` of a bearer token. */
  readonly jkt: string | null;
  /** The hash of a `credential`'s password. */
  readonly password: string | null;
  /** Who may renew the tokens just now; `null` when nobody ever did. */
  readonly refresh: RefreshClaim | null;
  readonly version: number;
}

/**
 * The claim to renew an account's tokens, with its fence: each claim has a number above all before it, so that whoever comes late is told
 * from whoever came after.
 */
export interface RefreshClaim {
  /** The number of the last claim. */
  readonly n: number;
  /** The number of the claim whose tokens these are; of the last one, when a sign-in brought them. */
  readonly saved: number;
  /** Unix ms at which another may claim; in the past when nobody is at it. */
  readonly until: number;
  /** The provider did not answer: nobody asks it again before `until`. */
  readonly failed: boolean;
}

export type TokenField = "accessToken" | "refreshToken" | "idToken";

export const accountCollection = directoryCollection("accounts", { identity: "unique", userId: "plain" });

/** The provider name of passwords. Its issuer is empty, which no identity's is. */
export const CREDENTIAL = "credential";

/** A lookup column holds this many bytes of text on every backend. */
const MAX_LOOKUP = 190;

/** One text for one identity: JSON, so that no two run together; hashed when it is long. */
export function identityLookup({ provider, issuer, subject }: IdentityKey): string {
  const text = JSON.stringify([provider, issuer, subject]);
  return Buffer.byteLength(text) <= MAX_LOOKUP ? text : `sha256:${sha256(text).toString("base64url")}`;
}

interface Stored extends Omit<AccountSummary, "id">, Record<TokenField | "password" | "jkt", string> {
  readonly refresh: readonly [n: number, saved: number, until: number, failed: boolean];
}

/** As it rests: nulls and `false` are left out. */
export function encodeAccount({ account, sealed, jkt, password, refresh }: Omit<AccountRecord, "version">): NewRecord {
  const { id, ...fields } = account;
  const claim = refresh && [refresh.n, refresh.saved, refresh.until, refresh.failed];
  const stored = Object.entries({ ...fields, ...sealed, jkt, password, refresh: claim }).filter(
    ([, value]) => value !== null && value !== false,
  );
  const identity = identityLookup({ provider: account.providerId, issuer: account.issuer, subject: account.accountId });
  return {
    ...directoryKey(id),
    value: encodeJson(Object.fromEntries(stored)),
    expiresAt: null,
    lookups: { identity, userId: account.userId },
  };
}

/** @throws {StorageError} when the record does not parse: it is refused, never guessed at. */
export function decodeAccount(record: StoredRecord): AccountRecord {
  const stored = decodeJson(record) as Partial<Stored> | null;
  const { userId, providerId, issuer, accountId, createdAt, updatedAt } = stored ?? {};
  const texts = [userId, providerId, issuer, accountId];
  if (!stored || texts.some((text) => typeof text !== "string") || typeof createdAt !== "number" || typeof updatedAt !== "number") {
    throw new StorageError("A stored account could not be read");
  }
  return {
    account: {
      id: record.id,
      userId: userId as string,
      providerId: providerId as string,
      issuer: issuer as string,
      accountId: accountId as string,
      scope: stored.scope ?? null,
      accessTokenExpiresAt: stored.accessTokenExpiresAt ?? null,
      refreshTokenExpiresAt: stored.refreshTokenExpiresAt ?? null,
      pending: stored.pending === true,
      reconnectNeeded: stored.reconnectNeeded === true,
      createdAt,
      updatedAt,
    },
    sealed: { accessToken: stored.accessToken ?? null, refreshToken: stored.refreshToken ?? null, idToken: stored.idToken ?? null },
    jkt: stored.jkt ?? null,
    password: stored.password ?? null,
    refresh: stored.refresh
      ? { n: stored.refresh[0], saved: stored.refresh[1], until: stored.refresh[2], failed: stored.refresh[3] }
      : null,
    version: record.version,
  };
}

/** One token of an account, opened. @throws {StorageError} when it was sealed under an unknown key, or for another place. */
export function openToken({ account, sealed }: AccountRecord, field: TokenField, sealer: Sealer): string | null {
  const text = sealed[field];
  return text === null ? null : sealer.open(text, sealContext(account.id, field));
}

/**
 * The record with a newer token set. What the provider did not send again is kept: a refresh token and an id token
 * (RFC 6749 section 6, OpenID Connect Core section 12.2), and the scope (RFC 6749 section 5.1).
 *
 * A refresh token that the provider takes no longer is not kept over a sign-in that brings none: it would be asked with again.
 *
 * @param claim the number of the claim that brought it, `null` for a sign-in, which is newer than all claims there are.
 */
export function withTokens(
  record: AccountRecord,
  tokens: TokenSet,
  sealer: Sealer,
  now: number,
  claim: number | null = null,
): AccountRecord {
  const { account, refresh } = record;
  const saved = claim ?? refresh?.n ?? 0;
  const dead = account.reconnectNeeded && claim === null;
  const seal = (field: TokenField) => {
    const token = tokens[field];
    if (token === null && dead && field === "refreshToken") return null;
    return token === null ? record.sealed[field] : sealer.seal(token, sealContext(account.id, field));
  };
  return {
    ...record,
    account: {
      ...account,
      scope: tokens.scope ?? account.scope,
      accessTokenExpiresAt: tokens.accessTokenExpiresAt,
      refreshTokenExpiresAt: tokens.refreshTokenExpiresAt ?? (tokens.refreshToken === null && !dead ? account.refreshTokenExpiresAt : null),
      reconnectNeeded: false,
      updatedAt: now,
    },
    sealed: { accessToken: seal("accessToken"), refreshToken: seal("refreshToken"), idToken: seal("idToken") },
    jkt: tokens.jkt ?? null,
    refresh: refresh && (saved === refresh.n ? { n: refresh.n, saved, until: 0, failed: false } : { ...refresh, saved }),
  };
}

function sealContext(accountId: string, field: TokenField): string {
  return `${accountId} ${field}`;
}
