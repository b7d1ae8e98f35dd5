import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface RedditUser {
  readonly id: string;
  readonly name: string;
  readonly icon_img?: string;
}

const provider: OAuth2Provider<RedditUser> = {
  name: "reddit",
  authorizationEndpoint: "https://www.reddit.com/api/v1/authorize",
  tokenEndpoint: "https://www.reddit.com/api/v1/access_token",
  userinfoEndpoint: "https://oauth.reddit.com/api/v1/me",
  scope: ["identity"],
  clientAuthentication: "basic",
  // The address of a picture is written for HTML, `&amp;` and all; it works without its query.
  profile: ({ id, name, icon_img }) => ({ subject: id, name, image: icon_img?.split("?")[0], emailVerified: false }),
};

/**
 * Sign in with Reddit. Scope: `identity`. Reddit gives no address, only whether it has a verified one. Add
 * `authorizationParameters: { duration: "permanent" }` for a refresh token, which refreshes leave as it is. Reddit knows nothing of PKCE and
 * ignores it; it reads the Authorization header without decoding what is in it.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://github.com/reddit-archive/reddit/wiki/OAuth2
 * @see https://github.com/reddit-archive/reddit/blob/master/r2/r2/controllers/oauth2.py for what it takes and answers.
 */
export function reddit(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
