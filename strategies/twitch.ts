import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface TwitchUser {
  readonly sub: string;
  readonly preferred_username?: string;
  readonly picture?: string;
  readonly email?: string;
  readonly email_verified?: boolean;
}

/** Twitch says no more than `sub` unless it is asked for each claim. */
const CLAIMS = { userinfo: { email: null, email_verified: null, picture: null, preferred_username: null } };

const provider: OAuth2Provider<TwitchUser> = {
  name: "twitch",
  authorizationEndpoint: "https://id.twitch.tv/oauth2/authorize",
  tokenEndpoint: "https://id.twitch.tv/oauth2/token",
  userinfoEndpoint: "https://id.twitch.tv/oauth2/userinfo",
  issuer: "https://id.twitch.tv/oauth2",
  scope: ["openid", "user:read:email"],
  authorizationParameters: { claims: JSON.stringify(CLAIMS) },
  grantEnded: [{ message: "Invalid refresh token" }],
  profile: ({ sub, preferred_username, picture, email, email_verified }) => ({
    subject: sub,
    name: preferred_username,
    image: picture,
    email,
    emailVerified: email_verified,
  }),
};

/**
 * Sign in with Twitch. Scope: `openid user:read:email`. Its token replies list scopes as an array, so it goes by userinfo rather than by ID
 * token. The address counts as verified if `email_verified` says so. Calls of its API need the header `Client-Id` beside the token.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://dev.twitch.tv/docs/authentication/getting-tokens-oidc/
 */
export function twitch(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
