import { ConfigError } from "../lib/errors.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link cognito}. */
export interface CognitoOptions extends OAuthClientOptions {
  /** The id of the user pool, which begins with its region: `eu-central-1_Ab12Cd34E`. */
  userPoolId: string | undefined;
}

/**
 * Sign in with a user pool of Amazon Cognito, which needs a domain of its own. Scope: `openid email profile`. The address counts as verified
 * if the ID token says so.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html
 */
export function cognito(options: CognitoOptions): OAuthStrategy {
  const { userPoolId } = options ?? {};
  const region = typeof userPoolId === "string" ? /^([a-z]+(?:-[a-z]+)+-\d)_\w+$/.exec(userPoolId)?.[1] : undefined;
  if (region === undefined) throw new ConfigError("cognito.userPoolId", "give the id of the user pool, such as eu-central-1_Ab12Cd34E");
  return oidcStrategy({ name: "cognito", issuer: `https://cognito-idp.${region}.amazonaws.com/${userPoolId}` }, options, ["userPoolId"]);
}
