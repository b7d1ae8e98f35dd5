import { assertIssuer, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link keycloak}. */
export interface KeycloakOptions extends OAuthClientOptions {
  /** A realm's: `https://id.example.com/realms/acme`. */
  issuer: string | undefined;
}

/**
 * Sign in with a realm of a Keycloak server. Scope: `openid email profile`.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://www.keycloak.org/securing-apps/oidc-layers
 */
export function keycloak(options: KeycloakOptions): OAuthStrategy {
  const { issuer } = options ?? {};
  assertIssuer("keycloak.issuer", issuer);
  return oidcStrategy({ name: "keycloak", issuer: issuer.replace(/\/$/, "") }, options, ["issuer"]);
}
