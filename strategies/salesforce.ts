import { assertIssuer, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link salesforce}. */
export interface SalesforceOptions extends OAuthClientOptions {
  /**
   * Where to sign in: `https://test.salesforce.com` for a sandbox, or a My Domain such as `https://acme.my.salesforce.com`.
   * Default: `https://login.salesforce.com`.
   */
  issuer?: string | undefined;
}

/**
 * Sign in with Salesforce. Scope: `openid email profile`; the connected app has to allow them. The subject is an identity URL.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_using_openid.htm
 */
export function salesforce(options: SalesforceOptions): OAuthStrategy {
  const { issuer = "https://login.salesforce.com" } = options ?? {};
  assertIssuer("salesforce.issuer", issuer);
  return oidcStrategy({ name: "salesforce", issuer }, options, ["issuer"]);
}
