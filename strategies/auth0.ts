import { ConfigError } from "../lib/errors.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link auth0}. */
export interface Auth0Options extends OAuthClientOptions {
  /** The tenant's domain, or a custom one: `acme.eu.auth0.com`. */
  domain: string | undefined;
}

/**
 * Sign in with Auth0. Scope: `openid email profile`. Its issuer ends in a slash.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://auth0.com/docs/authenticate/protocols/openid-connect-protocol
 */
export function auth0(options: Auth0Options): OAuthStrategy {
  const { domain } = options ?? {};
  if (typeof domain !== "string" || !/^[\w-]+(?:\.[\w-]+)+$/.test(domain))
    throw new ConfigError("auth0.domain", "give the domain alone, such as acme.eu.auth0.com");
  return oidcStrategy({ name: "auth0", issuer: `https://${domain}/` }, options, ["domain"]);
}
