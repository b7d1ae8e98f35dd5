import { RequestError } from "../errors.ts";
import { assertUserId } from "./principals.ts";
import type { TokenRecord } from "./token-record.ts";

/** What may change of a token. What is left out stays. */
export interface TokenChange extends Partial<Pick<TokenRecord, "tokenType" | "subject" | "issuer" | "clientId" | "issuedAt">> {
  /** The bearer text; kept sealed, and found by its hash. Another one ends the old: it finds nothing any more. */
  readonly accessToken?: string | undefined;
  /** Kept sealed; nothing is found by it. */
  readonly refreshToken?: string | null | undefined;
  /** Unix ms. */
  readonly expiresAt?: number | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly permissions?: readonly string[] | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly method?: string | undefined;
  /** Replaces what was there. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** A token to keep. Without an `expiresAt` it lives for an hour. */
export interface NewToken extends TokenChange {
  /** Default: a new random one. */
  readonly id?: string | undefined;
  readonly userId: string;
  readonly accessToken: string;
}

const MAX_TEXT = 255;
const MAX_TOKEN = 16 * 1024;
const MAX_LIST = 1000;
const MAX_METADATA = 16 * 1024;

/** @throws {RequestError} `invalid_token_record`, `invalid_user_id`. */
export function assertNewToken(token: NewToken): void {
  assertUserId(token.userId);
  if (token.id !== undefined) assertTokenId(token.id);
  if (token.accessToken === undefined) throw invalid("accessToken", "text");
  assertTokenChange(token);
}

/** @throws {RequestError} `invalid_token_record`, naming the field. */
export function assertTokenChange(change: TokenChange): void {
  const { accessToken, refreshToken = null, issuedAt, expiresAt, metadata } = change;
  if (accessToken !== undefined && !isText(accessToken, MAX_TOKEN)) throw invalid("accessToken", `1 to ${MAX_TOKEN} characters`);
  if (refreshToken !== null && !isText(refreshToken, MAX_TOKEN)) throw invalid("refreshToken", `1 to ${MAX_TOKEN} characters, or null`);
  for (const [name, at] of Object.entries({ issuedAt, expiresAt })) {
    if (at !== undefined && !(Number.isInteger(at) && at > 0)) throw invalid(name, "an instant in Unix milliseconds");
  }
  for (const name of ["tokenType", "method"] as const) {
    if (change[name] !== undefined && !isText(change[name], MAX_TEXT)) throw invalid(name, `1 to ${MAX_TEXT} characters`);
  }
  for (const name of ["subject", "issuer", "clientId"] as const) {
    const value = change[name] ?? null;
    if (value !== null && !isText(value, MAX_TEXT)) throw invalid(name, `1 to ${MAX_TEXT} characters, or null`);
  }
  for (const name of ["scopes", "permissions", "roles"] as const) {
    const list: unknown = change[name];
    if (list !== undefined && !isTexts(list)) throw invalid(name, `up to ${MAX_LIST} texts of 1 to ${MAX_TEXT} characters`);
  }
  if (metadata !== undefined && !isSmallObject(metadata)) throw invalid("metadata", `an object of up to ${MAX_METADATA} bytes of JSON`);
}

/** @throws {RequestError} `invalid_token_record`. */
function assertTokenId(id: string): void {
  if (!isText(id, MAX_TEXT)) throw invalid("id", `1 to ${MAX_TEXT} characters`);
}

function isText(value: unknown, max: number): boolean {
  return typeof value === "string" && value !== "" && value.length <= max && !/\p{Cs}/u.test(value);
}

function isTexts(list: unknown): boolean {
  return Array.isArray(list) && list.length <= MAX_LIST && list.every((each) => isText(each, MAX_TEXT));
}

function isSmallObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  try {
    return Buffer.byteLength(JSON.stringify(value)) <= MAX_METADATA;
  } catch {
    return false; // a circle, or a big integer
  }
}

function invalid(field: string, fix: string): RequestError {
  return new RequestError(`${field} of a token must be ${fix}`, "invalid_token_record");
}
