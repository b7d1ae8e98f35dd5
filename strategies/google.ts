import { ConfigError, CredentialError } from "../lib/errors.ts";
import { assertIssuer, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link google}. */
export interface GoogleOptions extends OAuthClientOptions {
  /** Another issuer than Google, for tests. Default: `https://accounts.google.com`. */
  issuer?: string | undefined;
  /**
   * Lets in accounts of this Workspace domain alone, such as `example.com`; `*` those of any. Google is asked to offer only them, and the
   * `hd` claim is checked. Default: anybody with a Google account.
   */
  hostedDomain?: string | undefined;
}

/**
 * Sign in with Google. Scope: `openid email profile`.
 * Google gives a refresh token only when asked: `authorizationParameters: { access_type: "offline", prompt: "consent" }`.
 *
 * An account of another domain than `hostedDomain` is refused with `wrong_hosted_domain` (401).
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.google.com/identity/openid-connect/openid-connect
 */
export function google(options: GoogleOptions): OAuthStrategy {
  const { issuer = "https://accounts.google.com", hostedDomain } = options ?? {};
  assertIssuer("google.issuer", issuer);
  assertHostedDomain(hostedDomain, options?.authorizationParameters);
  const more = ["issuer", "hostedDomain"];
  if (hostedDomain === undefined) return oidcStrategy({ name: "google", issuer }, options, more);

  const checkClaims = ({ hd }: Readonly<Record<string, unknown>>) => {
    // What the browser was asked for, it can leave out.
    if (typeof hd !== "string" || hd === "" || (hostedDomain !== "*" && hd.toLowerCase() !== hostedDomain.toLowerCase()))
      throw new CredentialError("wrong_hosted_domain", "Choose an account of the organisation that this is for");
  };
  return oidcStrategy({ name: "google", issuer, authorizationParameters: { hd: hostedDomain }, checkClaims }, options, more);
}

function assertHostedDomain(hostedDomain: unknown, parameters: GoogleOptions["authorizationParameters"]): void {
  if (hostedDomain !== undefined && (typeof hostedDomain !== "string" || !/^(?:\*|[\w-]+(?:\.[\w-]+)+)$/.test(hostedDomain)))
    throw new ConfigError("google.hostedDomain", 'give a domain such as "example.com", or "*" for any Workspace domain');
  if (parameters && Object.hasOwn(parameters, "hd"))
    throw new ConfigError("google.authorizationParameters", 'leave "hd" out and set hostedDomain, which is checked too');
}
