import type { IDToken } from "openid-client";
import type { SecretMethod } from "./client-authentication.ts";
import type { Deviations } from "./flow.ts";
import type { Profile } from "./profile.ts";
import type { GrantDialect } from "./token-reply.ts";

/** Which issuers a provider has that makes one for every tenant. ID tokens are held against the metadata by openid-client, which knows them. */
export interface Tenants {
  /** Whether its metadata may call it so. */
  inMetadata(issuer: string): boolean;
  /** Which issuer a token with these claims has to be of, by the one in the metadata; `null`: there is none that it could be of. */
  issuerOf(inMetadata: string, claims: Readonly<Record<string, unknown>>): string | null;
  /** Whether accounts may be kept under it: what ID tokens can say. */
  has(issuer: string): boolean;
  /**
   * Set where one authority makes the session names (`sid`) of all tenants, so that none is of two, and names them without their issuer in a
   * sign-out by frame: what to keep them under instead. Default: each issuer has names of its own.
   */
  readonly sidIssuer?: string | undefined;
}

/** A provider of OpenID Connect, as data. What is not here is in its metadata. */
export interface OidcProvider extends Deviations, GrantDialect {
  /** The strategy's name, in its path and on accounts. */
  readonly name: string;
  /** Its issuer identifier, exactly as its metadata and ID tokens say it. */
  readonly issuer: string;
  /** Default: `openid email profile`. */
  readonly scope?: readonly string[] | undefined;
  /** Of a provider that has an issuer for every tenant. Default: `issuer` is the only one. */
  readonly tenants?: Tenants | undefined;
  /** How the client shows its secret. Default: as the metadata has it. */
  readonly clientAuthentication?: SecretMethod | undefined;
  /** Set where ID tokens are signed by the client secret. Default: by a published key. */
  readonly idTokenAlgorithm?: "HS256" | undefined;
  /** `never`: the ID token says all that it will say. Default: asked for what the ID token leaves out. */
  readonly userinfo?: "never" | undefined;
  /** Parameters that every authorization request needs. The application's own go before them. */
  readonly authorizationParameters?: Readonly<Record<string, string>> | undefined;
  /** How the answer comes back, where the provider leaves no choice. Default: `query`. */
  readonly responseMode?: "form_post" | undefined;
  /** Throws one of our errors for an ID token that holds, but does not do. */
  readonly checkClaims?: ((claims: IDToken) => void) | undefined;
  /**
   * Where a profile is not read from the standard claims.
   * @param standard what those say.
   * @param claims of the ID token, and of userinfo where it was asked.
   * @param answer the parameters that came with the code.
   */
  readonly profile?: ((standard: Profile, claims: Readonly<Record<string, unknown>>, answer: URLSearchParams) => Profile) | undefined;
}
