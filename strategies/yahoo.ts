import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/**
 * Sign in with Yahoo. Scope: `openid email profile`.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.yahoo.com/sign-in-with-yahoo/
 */
export function yahoo(options: OAuthClientOptions): OAuthStrategy {
  return oidcStrategy({ name: "yahoo", issuer: "https://api.login.yahoo.com" }, options);
}
