import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface SpotifyUser {
  readonly id: string;
  readonly display_name: string | null;
  readonly email?: string;
  readonly images?: readonly { readonly url: string }[];
}

const provider: OAuth2Provider<SpotifyUser> = {
  name: "spotify",
  authorizationEndpoint: "https://accounts.spotify.com/authorize",
  tokenEndpoint: "https://accounts.spotify.com/api/token",
  userinfoEndpoint: "https://api.spotify.com/v1/me",
  scope: ["user-read-email"],
  clientAuthentication: "basic",
  // Spotify does not prove that an address is the person's.
  profile: ({ id, display_name, email, images }) => ({
    subject: id,
    name: display_name,
    image: images?.[0]?.url,
    email,
    emailVerified: false,
  }),
};

/**
 * Sign in with Spotify. Scope: `user-read-email`. The address never counts as verified: Spotify does not say that it is.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.spotify.com/documentation/web-api/reference/users-profile/get-current-users-profile/
 */
export function spotify(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
