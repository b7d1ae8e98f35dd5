import type { AdoptedAccount } from "../core/accounts.ts";
import { CREDENTIAL, type IdentityKey } from "../core/account-record.ts";
import { normaliseEmail } from "../core/email-address.ts";
import { assertUserId } from "../core/principals.ts";
import { profileOf } from "../core/sign-in.ts";
import type { TokenSet } from "../core/strategy.ts";
import type { NewUser } from "../core/users.ts";
import type { SourceAccount, SourceUser } from "./source.ts";

/** Why a user was left out. */
export type UserSkip =
  /** Guests have sessions here, and no user. */
  | "anonymous"
  /** No text of 1 to 255 characters. */
  | "invalid_id"
  /** No address that is taken here, and nothing else to sign in by. */
  | "no_way_in"
  /** Another user has the address. */
  | "email_taken"
  /** A user of this id, with another address, is here already. */
  | "id_taken"
  /** Was here, and was deleted. */
  | "removed";

/** Why an account, or a password, of somebody was left out. */
export type AccountSkip =
  /** No strategy of `auth` has the provider's name. */
  | "unknown_provider"
  /** better-auth keeps another id of the person than the provider signs in by, and no ID token that tells that one. */
  | "unknown_subject"
  /** Another user has it. */
  | "identity_taken"
  /** The hash is of no format that `auth` can compare a password with. */
  | "unknown_hash"
  /** A password, of somebody without an address that can be taken. */
  | "no_address";

/** What a user of better-auth becomes. */
export interface Person {
  readonly user: NewUser & { readonly id: string; readonly email: string | null };
  readonly accounts: readonly AdoptedAccount[];
  /** The hash of the password. */
  readonly password: string | null;
  readonly banned: boolean;
  readonly skipped: readonly { readonly provider: string; readonly reason: AccountSkip }[];
  /** Accounts whose tokens better-auth had encrypted. */
  readonly sealedTokens: number;
}

export interface PersonParts {
  issuerOf(provider: string): string | null;
  recognises(hash: string): boolean;
  /** The strategy that signs in those whom better-auth's provider did. */
  strategyOf(providerId: string): string;
  readonly now: number;
}

/** Decides what is taken of somebody, asking no store. */
export function personOf(source: SourceUser, { issuerOf, recognises, strategyOf, now }: PersonParts): Person | UserSkip {
  if (source.anonymous) return "anonymous";
  if (!isUserId(source.id)) return "invalid_id";
  const createdAt = source.createdAt ?? now;
  const skipped: Person["skipped"][number][] = [];
  const accounts = new Map<string, AdoptedAccount>();
  let password: string | null = null;
  let sealedTokens = 0;

  for (const account of source.accounts) {
    const skip = (reason: AccountSkip) => skipped.push({ provider: account.providerId, reason });
    if (account.providerId === CREDENTIAL) {
      if (account.password === null) continue;
      if (recognises(account.password)) password = account.password;
      else skip("unknown_hash");
      continue;
    }
    const provider = strategyOf(account.providerId);
    const issuer = issuerOf(provider);
    const identity = issuer === null ? null : identityOf(account, provider, issuer);
    if (issuer === null) skip("unknown_provider");
    else if (identity === null) skip("unknown_subject");
    else {
      const sealed = isEncrypted(account);
      if (sealed) sealedTokens += 1;
      const tokens = sealed ? null : tokensOf(account);
      accounts.set(JSON.stringify(identity), { identity, tokens, createdAt: account.createdAt ?? createdAt });
    }
  }

  const address = source.email === null ? null : canonical(source.email);
  // An address that nobody proved is theirs only if they gave it themselves, and not when a provider did.
  const email = source.emailVerified || password !== null || accounts.size === 0 ? address : null;
  if (email === null && accounts.size === 0) return "no_way_in";
  if (email === null && password !== null) skipped.push({ provider: CREDENTIAL, reason: "no_address" });
  return {
    user: { id: source.id, email, emailVerified: source.emailVerified && email !== null, createdAt, ...profileOf(source) },
    accounts: [...accounts.values()],
    // Without an address nobody finds it.
    password: email === null ? null : password,
    banned: source.banned && (source.banExpiresAt === null || source.banExpiresAt > now),
    skipped,
    sealedTokens,
  };
}

/** Claims by which better-auth knows people of these providers, where that is not the subject of the ID token. */
const OTHER_CLAIMS: Readonly<Record<string, string>> = { microsoft: "oid", salesforce: "user_id" };

/** Whom a strategy of ours will find again: (provider, issuer, subject). */
function identityOf({ providerId, accountId, idToken }: SourceAccount, provider: string, issuer: string): IdentityKey | null {
  const claim = Object.hasOwn(OTHER_CLAIMS, providerId) ? OTHER_CLAIMS[providerId] : undefined;
  if (claim === undefined) return accountId === "" ? null : { provider, issuer, subject: accountId };
  const { iss, sub, ...claims } = claimsOf(idToken);
  if (typeof iss !== "string" || typeof sub !== "string" || sub === "") return null;
  return accountId === sub || accountId === claims[claim] ? { provider, issuer: iss, subject: sub } : null;
}

/** What an ID token says. better-auth has checked it, and whoever can change it there can change the account, too. */
function claimsOf(idToken: string | null): Record<string, unknown> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(idToken?.split(".")[1] ?? "", "base64url").toString());
    return typeof claims === "object" && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}

function tokensOf({
  accessToken,
  refreshToken,
  idToken,
  accessTokenExpiresAt,
  refreshTokenExpiresAt,
  scope,
}: SourceAccount): TokenSet | null {
  if (accessToken === null) return null;
  // better-auth separates scopes by commas.
  const scopes = scope?.split(/[\s,]+/).filter(Boolean) ?? [];
  return {
    ...{ accessToken, refreshToken, idToken, accessTokenExpiresAt, refreshTokenExpiresAt },
    scope: scopes.length === 0 ? null : scopes.join(" "),
  };
}

/**
 * Whether tokens were encrypted by better-auth (`account.encryptOAuthTokens`): marked so, or hexadecimal and as long as nonce and tag of
 * XChaCha20-Poly1305 at the least. Providers' own tokens in hexadecimal are shorter.
 */
function isEncrypted({ accessToken, refreshToken, idToken }: SourceAccount): boolean {
  return [accessToken, refreshToken, idToken].some(
    (token) => token !== null && (token.startsWith("$ba$") || (token.length > 80 && token.length % 2 === 0 && /^[0-9a-f]+$/.test(token))),
  );
}

function canonical(email: string): string | null {
  try {
    return normaliseEmail(email);
  } catch {
    return null;
  }
}

function isUserId(id: string): boolean {
  try {
    assertUserId(id);
    return true;
  } catch {
    return false;
  }
}
