import type { Identity, TokenSet } from "../core/strategy.ts";
import { ProviderError } from "../errors.ts";

/** What a provider says of a person, as its strategy reads it. Nothing in it is trusted for its shape. */
export interface Profile {
  /** The provider's stable id of the person. A whole number becomes its digits. */
  readonly subject: string | number;
  readonly email?: string | null | undefined;
  /** Whether the provider says that it verified the address. Only the boolean true counts. */
  readonly emailVerified?: boolean | null | undefined;
  readonly name?: string | null | undefined;
  /** URL of a picture. */
  readonly image?: string | null | undefined;
}

/** OpenID Connect Core 1.0, section 2: a subject has at most 255 characters. */
const MAX_SUBJECT = 255;

/**
 * An {@link Identity} of a profile: text that is no text becomes `null`, and an image is an http URL or none.
 * @throws {ProviderError} `invalid_provider_response`, when there is no usable subject.
 */
export function toIdentity(profile: Profile, from: Pick<Identity, "provider" | "issuer"> & Partial<Identity>): Identity {
  const email = text(profile.email, 254);
  return {
    tokens: null,
    providerSessionId: null,
    authenticatedAt: null,
    ...from,
    subject: toSubject(profile.subject),
    email,
    emailVerified: email !== null && profile.emailVerified === true,
    name: text(profile.name, 255),
    image: imageUrl(profile.image),
  };
}

/**
 * A profile as the application's own mapping has it, where there is one. What the provider says of an address holds for that one alone:
 * another that the mapping gives is unverified, unless the mapping itself says otherwise.
 */
export async function mapped(
  profile: Profile,
  map: ((profile: Profile, said: Readonly<Record<string, unknown>>) => Partial<Profile> | Promise<Partial<Profile>>) | null,
  said: object,
): Promise<Profile> {
  if (!map) return profile;
  const own = await map(profile, { ...said });
  const another = own.email !== undefined && own.email !== profile.email;
  return { ...profile, ...(another ? { emailVerified: false } : {}), ...own };
}

/** The bits of a token endpoint's reply that we keep. */
export interface TokenReply {
  readonly access_token: string;
  readonly refresh_token?: unknown;
  readonly id_token?: unknown;
  readonly expires_in?: unknown;
  readonly refresh_token_expires_in?: unknown;
  /** What Keycloak and TikTok call that; 0: it lasts as long as nothing ends it. */
  readonly refresh_expires_in?: unknown;
  readonly scope?: unknown;
}

/** The longest life of a token that is believed, in seconds: a hundred years. */
const LONGEST_LIFE = 100 * 365 * 86_400;

/** A token set of a token endpoint's reply at instant `now` (Unix ms). What a later reply leaves out is carried over from `before`. */
export function toTokenSet(reply: TokenReply, now: number, before: TokenSet | null = null): TokenSet {
  const at = (seconds: unknown) => (Number(seconds) > 0 ? now + Math.floor(Math.min(Number(seconds), LONGEST_LIFE) * 1000) : null);
  const refreshToken = text(reply.refresh_token, Infinity);
  return {
    accessToken: reply.access_token,
    refreshToken: refreshToken ?? before?.refreshToken ?? null,
    idToken: text(reply.id_token, Infinity) ?? before?.idToken ?? null,
    accessTokenExpiresAt: at(reply.expires_in),
    refreshTokenExpiresAt:
      at(reply.refresh_token_expires_in ?? reply.refresh_expires_in) ??
      (refreshToken === null ? (before?.refreshTokenExpiresAt ?? null) : null),
    // RFC 6749, section 3.3: separated by spaces. GitHub uses commas.
    scope: text(reply.scope, Infinity)?.replaceAll(",", " ") ?? before?.scope ?? null,
  };
}

/** @throws {ProviderError} `invalid_provider_response`, unless it is a subject, or a whole number, which becomes its digits. */
export function toSubject(subject: unknown): string {
  const value = Number.isSafeInteger(subject) ? String(subject) : subject;
  if (typeof value !== "string" || value === "" || value.length > MAX_SUBJECT) {
    throw new ProviderError("invalid_provider_response", "The provider did not say who this is");
  }
  return value;
}

function text(value: unknown, max: number): string | null {
  return typeof value === "string" && value !== "" && value.length <= max ? value : null;
}

function imageUrl(value: unknown): string | null {
  const url = text(value, 2048);
  return url !== null && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? url : null;
}
