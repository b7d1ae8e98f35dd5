import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface DropboxAccount {
  readonly account_id: string;
  readonly name: { readonly display_name: string };
  readonly email: string;
  readonly email_verified: boolean;
  readonly profile_photo_url?: string;
}

const provider: OAuth2Provider<DropboxAccount> = {
  name: "dropbox",
  authorizationEndpoint: "https://www.dropbox.com/oauth2/authorize",
  tokenEndpoint: "https://api.dropboxapi.com/oauth2/token",
  userinfoEndpoint: "https://api.dropboxapi.com/2/users/get_current_account",
  userinfoMethod: "POST",
  scope: ["account_info.read"],
  profile: ({ account_id, name, email, email_verified, profile_photo_url }) => ({
    subject: account_id,
    name: name.display_name,
    image: profile_photo_url,
    email,
    emailVerified: email_verified,
  }),
};

/**
 * Sign in with Dropbox. Scope: `account_info.read`. The address counts as verified if `email_verified` says so.
 * Add `authorizationParameters: { token_access_type: "offline" }` for a refresh token.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://www.dropbox.com/developers/documentation/http/documentation#oauth2-authorize
 * @see https://dropbox.tech/developers/using-oauth-2-0-with-offline-access for refreshing.
 */
export function dropbox(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
