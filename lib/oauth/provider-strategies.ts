import { resolveClient, type OAuthClientOptions, type ProviderDefaults } from "./client.ts";
import { oauth2Flow, type OAuth2Provider } from "./oauth2-flow.ts";
import { oidcFlow } from "./oidc-flow.ts";
import type { OidcProvider } from "./oidc-provider.ts";
import { OAuthStrategy } from "./strategy.ts";

/** What a provider of OpenID Connect is asked for, unless it is told otherwise. */
const STANDARD_SCOPE = ["openid", "email", "profile"];

/**
 * The strategy of a plain OAuth 2 provider.
 *
 * @param more options that the factory knows beside the common ones.
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 */
export function oauth2Strategy<User>(
  provider: OAuth2Provider<User>,
  options: OAuthClientOptions,
  more: readonly string[] = [],
): OAuthStrategy {
  const { name, scope, authorizationParameters } = provider;
  const addresses = [provider.authorizationEndpoint, provider.tokenEndpoint, provider.userinfoEndpoint];
  return new OAuthStrategy(oauth2Flow(provider, resolveClient(name, options, { name, scope, addresses, authorizationParameters }, more)));
}

/**
 * The strategy of an OpenID provider.
 *
 * @param more options that the factory knows beside the common ones.
 * @param authentication stands in for the client secret.
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 */
export function oidcStrategy(
  provider: OidcProvider,
  options: OAuthClientOptions,
  more: readonly string[] = [],
  authentication?: ProviderDefaults["authentication"],
): OAuthStrategy {
  const { name, issuer, scope = STANDARD_SCOPE, authorizationParameters, responseMode } = provider;
  const defaults = { name, scope, addresses: [issuer], authorizationParameters, responseMode, authentication };
  return new OAuthStrategy(oidcFlow(provider, resolveClient(name, options, defaults, more)));
}
