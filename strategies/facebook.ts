import { createHmac } from "node:crypto";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface FacebookUser {
  readonly id: string;
  readonly name?: string;
  readonly email?: string;
  readonly picture?: { readonly data?: { readonly url?: string } };
}

const GRAPH = "https://graph.facebook.com/v23.0";

/**
 * Sign in with Facebook. Scope: `public_profile email`. The address never counts as verified: Facebook does not say that it is. It may be
 * missing, as with people who signed up by phone. Without PKCE. Each request for the profile carries the `appsecret_proof` that an app can demand.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
 * @see https://developers.facebook.com/docs/graph-api/guides/secure-requests
 */
export function facebook(options: OAuthClientOptions): OAuthStrategy {
  const secret = options?.clientSecret;
  const provider: OAuth2Provider<FacebookUser> = {
    name: "facebook",
    authorizationEndpoint: "https://www.facebook.com/v23.0/dialog/oauth",
    tokenEndpoint: `${GRAPH}/oauth/access_token`,
    userinfoEndpoint: `${GRAPH}/me?fields=id,name,email,picture.type(large)`,
    userinfoParameters: (accessToken): Record<string, string> =>
      secret ? { appsecret_proof: createHmac("sha256", secret).update(accessToken).digest("hex") } : {},
    scope: ["public_profile", "email"],
    // It drops the challenge, and then refuses the verifier as one without a challenge.
    pkce: "refused",
    profile: ({ id, name, email, picture }) => ({ subject: id, name, image: picture?.data?.url, email, emailVerified: false }),
  };
  return oauth2Strategy(provider, options);
}
