import type { AdoptedAccount } from "../core/accounts.ts";
import { CREDENTIAL } from "../core/account-record.ts";
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
  /** The provider's id of the person is empty. */
  | "invalid_subject"
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
    if (issuer === null) skip("unknown_provider");
    else if (account.accountId === "") skip("invalid_subject");
    else {
      const sealed = isEncrypted(account);
      if (sealed) sealedTokens += 1;
      const identity = { provider, issuer, subject: account.accountId };
      accounts.set(JSON.stringify(identity), {
        identity,
        tokens: sealed ? null : tokensOf(account),
        createdAt: account.createdAt ?? createdAt,
      });
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
