import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface AtlassianUser {
  readonly account_id: string;
  readonly name?: string;
  readonly email?: string;
  readonly picture?: string;
}

const provider: OAuth2Provider<AtlassianUser> = {
  name: "atlassian",
  authorizationEndpoint: "https://auth.atlassian.com/authorize",
  tokenEndpoint: "https://auth.atlassian.com/oauth/token",
  userinfoEndpoint: "https://api.atlassian.com/me",
  scope: ["read:me"],
  authorizationParameters: { audience: "api.atlassian.com", prompt: "consent" },
  tokenRequest: "json",
  grantEnded: [{ error: "unauthorized_client", error_description: "refresh_token is invalid" }],
  profile: ({ account_id, name, email, picture }) => ({ subject: account_id, name, image: picture, email, emailVerified: false }),
};

/**
 * Sign in with Atlassian (Jira, Confluence). Scope: `read:me`. The address never counts as verified: Atlassian does not say that it is.
 * Add `offline_access` for a refresh token, which each refresh replaces.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.atlassian.com/cloud/oauth/getting-started/
 */
export function atlassian(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
