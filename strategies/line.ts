import { assertText } from "../lib/oauth/client-authentication.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/**
 * Sign in with LINE; `clientId` is the channel's id. Scope: `openid email profile`, of which the address has to be applied for.
 * It never counts as verified: LINE does not say that it is. The ID token is signed by the channel's secret (HS256).
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.line.biz/en/docs/line-login/integrate-line-login/
 * @see https://developers.line.biz/en/docs/line-login/verify-id-token/ for HS256, of web logins alone.
 */
export function line(options: OAuthClientOptions): OAuthStrategy {
  assertText("line.clientSecret", options?.clientSecret, "set it to the channel's secret, by which ID tokens are signed");
  return oidcStrategy(
    {
      name: "line",
      issuer: "https://access.line.me",
      clientAuthentication: "client_secret_post",
      idTokenAlgorithm: "HS256",
      userinfo: "never",
      profile: (standard) => ({ ...standard, emailVerified: false }),
    },
    options,
  );
}
