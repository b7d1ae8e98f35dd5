import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface NaverAnswer {
  readonly response: {
    readonly id: string;
    readonly name?: string;
    readonly nickname?: string;
    readonly email?: string;
    readonly profile_image?: string;
  };
}

const provider: OAuth2Provider<NaverAnswer> = {
  name: "naver",
  authorizationEndpoint: "https://nid.naver.com/oauth2.0/authorize",
  tokenEndpoint: "https://nid.naver.com/oauth2.0/token",
  userinfoEndpoint: "https://openapi.naver.com/v1/nid/me",
  // What is asked for is chosen where the application is registered.
  scope: [],
  profile: ({ response: { id, name, nickname, email, profile_image } }) => ({
    subject: id,
    name: name ?? nickname,
    image: profile_image,
    email,
    emailVerified: false,
  }),
};

/**
 * Sign in with Naver. The address never counts as verified: Naver does not say that it is.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.naver.com/docs/login/profile/profile.md
 */
export function naver(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
