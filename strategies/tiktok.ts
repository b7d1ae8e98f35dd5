import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface TikTokUser {
  readonly data: {
    readonly user: { readonly open_id: string; readonly display_name?: string; readonly avatar_url?: string };
  };
}

const provider: OAuth2Provider<TikTokUser> = {
  name: "tiktok",
  authorizationEndpoint: "https://www.tiktok.com/v2/auth/authorize/",
  tokenEndpoint: "https://open.tiktokapis.com/v2/oauth/token/",
  userinfoEndpoint: "https://open.tiktokapis.com/v2/user/info/?fields=open_id,avatar_url,display_name",
  clientIdParameter: "client_key",
  scope: ["user.info.basic"],
  scopeSeparator: ",",
  // Web apps have none; that of its desktop apps writes the challenge in hex, which is not RFC 7636's.
  pkce: "refused",
  profile: ({ data: { user } }) => ({ subject: user.open_id, name: user.display_name, image: user.avatar_url, emailVerified: false }),
};

/**
 * Sign in with TikTok; `clientId` is the client key. Scope: `user.info.basic`. TikTok gives no address, and its `open_id` is another for
 * each app. Without PKCE. The callback must be https, on localhost too. Each refresh gives a new refresh token, with its own end.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.tiktok.com/doc/login-kit-web
 * @see https://developers.tiktok.com/doc/oauth-user-access-token-management
 * @see https://developers.tiktok.com/docs/en/oauth-refresh-a-user-access-token
 */
export function tiktok(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
