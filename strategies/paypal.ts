import { ConfigError } from "../lib/errors.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link paypal}. */
export interface PayPalOptions extends OAuthClientOptions {
  /** `sandbox` signs in test accounts alone. Default: `live`. */
  environment?: "live" | "sandbox" | undefined;
}

interface PayPalUser {
  readonly user_id: string;
  readonly name?: string;
  readonly emails?: readonly { readonly value: string; readonly primary?: boolean; readonly confirmed?: boolean }[];
}

/**
 * Sign in with PayPal. Scope: `openid profile email`. The address is the primary one, and counts as verified if it was confirmed.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developer.paypal.com/docs/log-in-with-paypal/integrate/
 * @see https://developer.paypal.com/docs/api/identity/v1/
 */
export function paypal(options: PayPalOptions): OAuthStrategy {
  const { environment = "live" } = options ?? {};
  if (environment !== "live" && environment !== "sandbox") throw new ConfigError("paypal.environment", 'give "live" or "sandbox"');
  const host = environment === "live" ? "paypal.com" : "sandbox.paypal.com";
  const provider: OAuth2Provider<PayPalUser> = {
    name: "paypal",
    authorizationEndpoint: `https://www.${host}/signin/authorize`,
    tokenEndpoint: `https://api-m.${host}/v1/oauth2/token`,
    userinfoEndpoint: `https://api-m.${host}/v1/identity/oauth2/userinfo?schema=paypalv1.1`,
    scope: ["openid", "profile", "email"],
    clientAuthentication: "basic",
    grantEnded: [{ error: "invalid_refresh_token" }],
    profile: ({ user_id, name, emails = [] }) => {
      const primary = emails.find((each) => each.primary === true);
      return { subject: user_id, name, email: primary?.value, emailVerified: primary?.confirmed };
    },
  };
  return oauth2Strategy(provider, options, ["environment"]);
}
