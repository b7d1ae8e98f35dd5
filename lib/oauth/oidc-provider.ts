import type { IDToken } from "openid-client";
import type { SecretMethod } from "./client-authentication.ts";
import type { Deviations } from "./flow.ts";
import type { Profile } from "./profile.ts";

/** A provider of OpenID Connect, as data. What is not here is in its metadata. */
export interface OidcProvider extends Deviations {
  /** The strategy's name, in its path and on accounts. */
  readonly name: string;
  /** Its issuer identifier, exactly as its metadata and ID tokens say it. */
  readonly issuer: string;
  /** Default: `openid email profile`. */
  readonly scope?: readonly string[] | undefined;
  /** What else the metadata may call it: of a provider that has an issuer for every tenant. */
  readonly metadataIssuer?: RegExp | undefined;
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
