import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/**
 * Sign in with Slack. Scope: `openid email profile`.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://docs.slack.dev/authentication/sign-in-with-slack
 */
export function slack(options: OAuthClientOptions): OAuthStrategy {
  return oidcStrategy({ name: "slack", issuer: "https://slack.com", grantEnded: [{ error: "invalid_refresh_token" }] }, options);
}
