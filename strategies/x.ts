import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface XUser {
  readonly data: {
    readonly id: string;
    readonly name: string;
    readonly username: string;
    readonly profile_image_url?: string;
    readonly confirmed_email?: string;
  };
}

/**
 * Sign in with X. Scope: `users.read tweet.read`. With `users.email` too, and "Request email from users" switched on for the app, the
 * address comes along: X gives only one that was confirmed. Add `offline.access` for a refresh token.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
 * @see https://docs.x.com/x-api/users/get-my-user
 */
export function x(options: OAuthClientOptions): OAuthStrategy {
  const fields = ["profile_image_url", ...(options?.scope?.includes("users.email") ? ["confirmed_email"] : [])];
  const provider: OAuth2Provider<XUser> = {
    name: "x",
    authorizationEndpoint: "https://x.com/i/oauth2/authorize",
    tokenEndpoint: "https://api.x.com/2/oauth2/token",
    userinfoEndpoint: `https://api.x.com/2/users/me?user.fields=${fields.join(",")}`,
    scope: ["users.read", "tweet.read"],
    clientAuthentication: "basic",
    grantEnded: [{ error: "invalid_request", error_description: "Value passed for the token was invalid." }],
    profile: ({ data: { id, name, username, profile_image_url, confirmed_email } }) => ({
      subject: id,
      name: name || username,
      image: profile_image_url,
      email: confirmed_email,
      emailVerified: confirmed_email !== undefined,
    }),
  };
  return oauth2Strategy(provider, options);
}
