import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface ZoomUser {
  readonly id: string;
  readonly display_name?: string;
  readonly first_name?: string;
  readonly last_name?: string;
  readonly email?: string;
  readonly pic_url?: string;
}

const provider: OAuth2Provider<ZoomUser> = {
  name: "zoom",
  authorizationEndpoint: "https://zoom.us/oauth/authorize",
  tokenEndpoint: "https://zoom.us/oauth/token",
  userinfoEndpoint: "https://api.zoom.us/v2/users/me",
  // What is asked for is chosen where the app is registered: `user:read:user` is needed.
  scope: [],
  clientAuthentication: "basic",
  grantEnded: [{ reason: "Invalid Token!" }],
  profile: ({ id, display_name, first_name, last_name, email, pic_url }) => ({
    subject: id,
    name: display_name || [first_name, last_name].filter(Boolean).join(" "),
    image: pic_url,
    email,
    emailVerified: false,
  }),
};

/**
 * Sign in with Zoom. The app's own scopes hold; it needs `user:read:user`. The address never counts as verified: Zoom's `verified` is
 * of the account (1 or 0), and says nothing of the address. Each refresh gives a new refresh token.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.zoom.us/docs/integrations/oauth/
 */
export function zoom(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
