import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface LinkedInUser {
  readonly sub: string;
  readonly name?: string;
  readonly picture?: string;
  readonly email?: string;
  readonly email_verified?: boolean;
}

const provider: OAuth2Provider<LinkedInUser> = {
  name: "linkedin",
  authorizationEndpoint: "https://www.linkedin.com/oauth/v2/authorization",
  tokenEndpoint: "https://www.linkedin.com/oauth/v2/accessToken",
  userinfoEndpoint: "https://api.linkedin.com/v2/userinfo",
  scope: ["openid", "profile", "email"],
  // The token endpoint answers `invalid_client` to a `code_verifier` that comes with a secret.
  pkce: "refused",
  grantEnded: [
    {
      error: "invalid_request",
      error_description: "The provided authorization grant or refresh token is invalid, expired or revoked",
    },
  ],
  profile: ({ sub, name, picture, email, email_verified }) => ({
    subject: sub,
    name,
    image: picture,
    email,
    emailVerified: email_verified,
  }),
};

/**
 * Sign in with LinkedIn. Scope: `openid profile email`, of the product "Sign In with LinkedIn using OpenID Connect". Its ID tokens carry no
 * nonce, so it goes by userinfo. Without PKCE. The address counts as verified if `email_verified` says so.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
 */
export function linkedin(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
