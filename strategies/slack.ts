import { resolveClient, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcFlow } from "../lib/oauth/oidc-flow.ts";
import { OAuthStrategy } from "../lib/oauth/strategy.ts";

const ISSUER = "https://slack.com";

/**
 * Sign in with Slack. Scope: `openid email profile`.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://api.slack.com/docs/sign-in-with-slack
 */
export function slack(options: OAuthClientOptions): OAuthStrategy {
  const defaults = { name: "slack", scope: ["openid", "email", "profile"], addresses: [ISSUER] };
  return new OAuthStrategy(oidcFlow(ISSUER, resolveClient("slack", options, defaults)));
}
