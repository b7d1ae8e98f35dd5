import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface KakaoUser {
  readonly id: number;
  readonly kakao_account?: {
    readonly email?: string;
    readonly is_email_valid?: boolean;
    readonly is_email_verified?: boolean;
    readonly profile?: { readonly nickname?: string; readonly profile_image_url?: string };
  };
}

const provider: OAuth2Provider<KakaoUser> = {
  name: "kakao",
  authorizationEndpoint: "https://kauth.kakao.com/oauth/authorize",
  tokenEndpoint: "https://kauth.kakao.com/oauth/token",
  userinfoEndpoint: "https://kapi.kakao.com/v2/user/me",
  // What is asked for is chosen where the app is registered; consent items that it does not have are an error.
  scope: [],
  scopeSeparator: ",",
  profile: ({ id, kakao_account: { email, is_email_valid, is_email_verified, profile } = {} }) => ({
    subject: id,
    name: profile?.nickname,
    image: profile?.profile_image_url,
    email,
    // Not valid: somebody else uses the address by now.
    emailVerified: is_email_valid === true && is_email_verified === true,
  }),
};

/**
 * Sign in with Kakao; `clientId` is the REST API key, and `clientSecret` is `null` unless the app has one switched on. The app's own consent
 * items hold. The address counts as verified if Kakao says that it is verified and still valid.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.kakao.com/docs/latest/en/kakaologin/rest-api
 */
export function kakao(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
