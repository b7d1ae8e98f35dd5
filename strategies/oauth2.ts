import { ConfigError } from "../lib/errors.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

export type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
export type { Profile } from "../lib/oauth/profile.ts";

const ENDPOINTS = ["authorizationEndpoint", "tokenEndpoint", "userinfoEndpoint"] as const;

/**
 * Sign in with a provider of plain OAuth 2, given as data. Without ID tokens, who somebody is comes from the userinfo endpoint.
 *
 * @param provider endpoints, scope, and how to read its answer.
 * @param options the client registered there.
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see RFC 6749, section 4.1.
 * @example
 * const gitea = oauth2<GiteaUser>({
 *   name: "gitea",
 *   authorizationEndpoint: `${baseUrl}/login/oauth/authorize`,
 *   tokenEndpoint: `${baseUrl}/login/oauth/access_token`,
 *   userinfoEndpoint: `${baseUrl}/api/v1/user`,
 *   scope: ["read:user"],
 *   profile: ({ id, login, email }) => ({ subject: id, name: login, email, emailVerified: false }),
 * }, { clientId, clientSecret });
 */
export function oauth2<User>(provider: OAuth2Provider<User>, options: OAuthClientOptions): OAuthStrategy {
  if (typeof provider?.name !== "string") throw new ConfigError("oauth2", "give the provider's `name` and endpoints");
  for (const endpoint of ENDPOINTS) {
    if (!URL.canParse(provider[endpoint])) throw new ConfigError(`${provider.name}.${endpoint}`, "give the whole URL");
  }
  if (typeof provider.profile !== "function")
    throw new ConfigError(`${provider.name}.profile`, "give a function from the userinfo answer to a profile");
  return oauth2Strategy(provider, options);
}
