import { ConfigError } from "../lib/errors.ts";
import { assertIssuer, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link oidc}. */
export interface OidcOptions extends OAuthClientOptions {
  /** The provider's issuer identifier, exactly as its metadata says it: a trailing slash counts. */
  issuer: string | undefined;
}

/**
 * Sign in with any OpenID provider. Name: `oidc`, unless given. Scope: `openid email profile`.
 * Metadata is fetched at the first sign-in, and kept. Costs no storage.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see OpenID Connect Core 1.0; OpenID Connect Discovery 1.0.
 */
export function oidc(options: OidcOptions): OAuthStrategy {
  const { issuer } = options ?? {};
  assertIssuer("oidc.issuer", issuer);
  if (Array.isArray(options.scope) && !options.scope.includes("openid"))
    throw new ConfigError("oidc.scope", 'include "openid": without it there is no ID token');
  return oidcStrategy({ name: "oidc", issuer }, options, ["issuer"]);
}
