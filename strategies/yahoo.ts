import { resolveClient, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcFlow } from "../lib/oauth/oidc-flow.ts";
import { OAuthStrategy } from "../lib/oauth/strategy.ts";

const ISSUER = "https://api.login.yahoo.com";

/**
 * Sign in with Yahoo. Scope: `openid email profile`.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.yahoo.com/sign-in-with-yahoo/
 */
export function yahoo(options: OAuthClientOptions): OAuthStrategy {
  const defaults = { name: "yahoo", scope: ["openid", "email", "profile"], addresses: [ISSUER] };
  return new OAuthStrategy(oidcFlow(ISSUER, resolveClient("yahoo", options, defaults)));
}
