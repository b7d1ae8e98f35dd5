import { resolveClient, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcFlow } from "../lib/oauth/oidc-flow.ts";
import { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link google}. */
export interface GoogleOptions extends OAuthClientOptions {
  /** Another issuer than Google, for tests. Default: `https://accounts.google.com`. */
  issuer?: string | undefined;
}

/**
 * Sign in with Google. Scope: `openid email profile`.
 * Google gives a refresh token only when asked: `authorizationParameters: { access_type: "offline", prompt: "consent" }`.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.google.com/identity/openid-connect/openid-connect
 */
export function google(options: GoogleOptions): OAuthStrategy {
  const issuer = options?.issuer ?? "https://accounts.google.com";
  const client = resolveClient("google", options, { name: "google", scope: ["openid", "email", "profile"], address: issuer }, ["issuer"]);
  return new OAuthStrategy(oidcFlow(issuer, client));
}
