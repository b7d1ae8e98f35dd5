import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface FigmaUser {
  readonly id: string;
  readonly handle: string;
  readonly email?: string;
  readonly img_url?: string;
}

const provider: OAuth2Provider<FigmaUser> = {
  name: "figma",
  authorizationEndpoint: "https://www.figma.com/oauth",
  tokenEndpoint: "https://api.figma.com/v1/oauth/token",
  userinfoEndpoint: "https://api.figma.com/v1/me",
  scope: ["current_user:read"],
  clientAuthentication: "basic",
  profile: ({ id, handle, email, img_url }) => ({ subject: id, name: handle, image: img_url, email, emailVerified: false }),
};

/**
 * Sign in with Figma. Scope: `current_user:read`. The address never counts as verified: Figma does not say that it is. Tokens are refreshed at
 * the token endpoint, which has taken the place of an endpoint of their own since May 2025.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.figma.com/docs/rest-api/authentication/
 * @see https://developers.figma.com/docs/rest-api/changelog/ of 16 May 2025, for refreshing.
 */
export function figma(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
