import { assertIssuer, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link okta}. */
export interface OktaOptions extends OAuthClientOptions {
  /** The organisation's, `https://acme.okta.com`, or that of an authorization server, `https://acme.okta.com/oauth2/default`. */
  issuer: string | undefined;
}

/**
 * Sign in with Okta. Scope: `openid email profile`.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
 */
export function okta(options: OktaOptions): OAuthStrategy {
  const { issuer } = options ?? {};
  assertIssuer("okta.issuer", issuer);
  return oidcStrategy({ name: "okta", issuer: issuer.replace(/\/$/, "") }, options, ["issuer"]);
}
