import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/**
 * Sign in with Vercel. Scope: `openid email profile`; the app's settings have to allow them. Add `offline_access` for a refresh token.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://vercel.com/docs/sign-in-with-vercel/authorization-server-api
 */
export function vercel(options: OAuthClientOptions): OAuthStrategy {
  return oidcStrategy({ name: "vercel", issuer: "https://vercel.com" }, options);
}
