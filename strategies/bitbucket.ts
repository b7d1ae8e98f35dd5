import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface BitbucketUser {
  readonly uuid: string;
  readonly display_name?: string;
  readonly links?: { readonly avatar?: { readonly href?: string } };
}

interface BitbucketEmails {
  readonly values: readonly { readonly email: string; readonly is_primary: boolean; readonly is_confirmed: boolean }[];
}

const API = "https://api.bitbucket.org/2.0";

const provider: OAuth2Provider<BitbucketUser> = {
  name: "bitbucket",
  authorizationEndpoint: "https://bitbucket.org/site/oauth2/authorize",
  tokenEndpoint: "https://bitbucket.org/site/oauth2/access_token",
  userinfoEndpoint: `${API}/user`,
  scope: ["account", "email"],
  clientAuthentication: "basic",
  grantEnded: [
    { error: "invalid_request", error_description: "Invalid refresh_token" },
    { error: "unauthorized_client", error_description: "refresh_token is invalid" },
  ],
  profile: async ({ uuid, display_name, links }, get) => {
    const { values } = await get<BitbucketEmails>(`${API}/user/emails`);
    const primary = values.find((each) => each.is_primary === true && each.is_confirmed === true);
    return {
      subject: uuid,
      name: display_name,
      image: links?.avatar?.href,
      email: primary?.email,
      emailVerified: primary !== undefined,
    };
  },
};

/**
 * Sign in with Bitbucket Cloud. Scope: `account email`. The address is the primary one, and only if it was confirmed.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.atlassian.com/cloud/bitbucket/oauth-2/
 */
export function bitbucket(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
