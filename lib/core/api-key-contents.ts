import { PermissionError, RequestError } from "../errors.ts";
import type { ApiKey } from "./api-key-record.ts";
import type { RequestSource } from "./events.ts";
import type { EpochPair } from "./principals.ts";

/** What makes a key. */
export interface NewApiKey {
  readonly userId: string;
  /** 1 to 100 characters, blanks around it aside. */
  readonly name: string;
  /** Default: none. */
  readonly scopes?: readonly string[] | undefined;
  /** The scopes that whoever asks may pass on; asked for others: `insufficient_scope`. Give it whenever `scopes` come from a request. Default: any. */
  readonly grantable?: ReadonlySet<string> | undefined;
  /** Seconds it lives; `null`: for ever, where that is allowed. Default: the `ttl` option. */
  readonly ttl?: number | null | undefined;
  /** Never from a request. */
  readonly tenantId?: string | null | undefined;
  /** Narrows the owner's roles to these. Default: all that the owner has, at each time. Never from a request. */
  readonly roles?: readonly string[] | undefined;
  readonly source?: RequestSource | null | undefined;
  /** The epoch of the session in which it is asked for. Default: not compared, so an ending between that proof and the key goes unnoticed. */
  readonly epoch?: EpochPair | undefined;
}

/** A key's description together with the one copy of the key. */
export interface IssuedApiKey {
  readonly apiKey: ApiKey;
  /** Show it to its owner; it is kept nowhere. */
  readonly key: string;
}

/** The part of a key that is chosen by whoever makes it. */
export type ApiKeyContents = Pick<ApiKey, "userId" | "name" | "scopes" | "tenantId" | "expiresAt">;

const MAX_NAME = 100;
const MAX_SCOPES = 100;

/** What a successor made at `now` takes over: the same length of life, counted anew. */
export function renewed({ userId, name, scopes, tenantId, createdAt, expiresAt }: ApiKey, now: number): ApiKeyContents {
  return { userId, name, scopes, tenantId, expiresAt: expiresAt === null ? null : now + expiresAt - createdAt };
}

/** An owner's roles, as far as the key was limited to some. */
export function narrowed(roles: readonly string[], limit: readonly string[] | null): readonly string[] {
  return limit === null ? roles : roles.filter((role) => limit.includes(role));
}

export function sameRoles(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((role, index) => role === b[index]);
}

/** @throws {RequestError} `invalid_name` */
export function checkedName(name: string): string {
  const trimmed = name.trim();
  const length = [...trimmed].length;
  if (length < 1 || length > MAX_NAME || /\p{Cc}/u.test(trimmed)) {
    throw new RequestError(`An API key needs a name of 1 to ${MAX_NAME} characters`, "invalid_name");
  }
  return trimmed;
}

/**
 * @throws {RequestError} `invalid_scope`; {@link PermissionError} `insufficient_scope` for one that is not grantable.
 * @see RFC 6749 section 3.3, for what a scope may consist of.
 */
export function checkedScopes(scopes: readonly string[], grantable: ReadonlySet<string> | undefined): readonly string[] {
  const unique = [...new Set(scopes)];
  if (unique.length > MAX_SCOPES || !unique.every((scope) => /^[\x21\x23-\x5B\x5D-\x7E]{1,128}$/.test(scope))) {
    throw new RequestError(`Scopes are up to ${MAX_SCOPES} words without spaces, quotes and backslashes`, "invalid_scope");
  }
  if (grantable && !unique.every((scope) => grantable.has(scope))) {
    throw new PermissionError("insufficient_scope", "A key cannot have scopes that you do not have");
  }
  return unique;
}
