import * as openid from "openid-client";
import { RequestError } from "../errors.ts";
import type { OAuthClient } from "./client.ts";
import { invalidResponse } from "./failure.ts";
import { authorizationParameters, callbackWith, checked, refreshTokenOf, type ProviderFlow } from "./flow.ts";
import { providerFetch } from "./http.ts";
import { toIdentity, toTokenSet, type Profile } from "./profile.ts";
import { plainTokenReplies } from "./token-reply.ts";

/** A provider of plain OAuth 2, as data. `User` is what its userinfo endpoint answers. */
export interface OAuth2Provider<User> {
  /** The strategy's name, in its path and on accounts. */
  readonly name: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** Answers JSON about the person whose access token it is shown. */
  readonly userinfoEndpoint: string;
  /** What to ask for, to be able to sign somebody in. */
  readonly scope: readonly string[];
  /** What accounts are kept under. Default: the origin of `authorizationEndpoint`. */
  readonly issuer?: string | undefined;
  /** How the client shows its secret: in the form body, or by HTTP Basic. Default: `post`. */
  readonly clientAuthentication?: "post" | "basic" | undefined;
  /** Reads the answer. `get` fetches more JSON, with the access token, where the answer does not say it all. */
  readonly profile: (user: User, get: <T>(url: string) => Promise<T>) => Profile | Promise<Profile>;
}

/**
 * The authorization code grant of plain OAuth 2, with PKCE and state. Who somebody is comes from the userinfo endpoint alone.
 * An `iss` in the answer must be of the authorization endpoint's origin.
 *
 * @see RFC 6749, section 4.1; RFC 7636; RFC 9207.
 */
export function oauth2Flow<User>(provider: OAuth2Provider<User>, client: OAuthClient): ProviderFlow {
  const { origin } = new URL(provider.authorizationEndpoint);
  const issuer = provider.issuer ?? origin;
  const config = configure(provider, issuer, client);

  const get = async <T>(accessToken: string, url: string): Promise<T> => {
    const headers = new Headers({ accept: "application/json", "user-agent": "latchkey" });
    const response = await openid.fetchProtectedResource(config, accessToken, new URL(url), "GET", undefined, headers);
    if (response.status !== 200) throw invalidResponse(new Error(`${new URL(url).pathname} answers ${response.status}`));
    return (await response.json()) as T;
  };

  return {
    client,
    issuer,

    begin: (attempt, scope) =>
      checked(async () => {
        if (attempt.reauthenticate)
          throw new RequestError("This provider cannot vouch that you signed in again", "reauthentication_unsupported");
        return openid.buildAuthorizationUrl(config, authorizationParameters(client, attempt, scope));
      }),

    complete: (attempt, parameters) =>
      checked(async () => {
        const answer = withoutIssuer(parameters, origin);
        const checks = { expectedState: attempt.state, pkceCodeVerifier: attempt.codeVerifier };
        const reply = await openid.authorizationCodeGrant(config, callbackWith(attempt, answer), checks);
        const user = await get<User>(reply.access_token, provider.userinfoEndpoint);
        if (typeof user !== "object" || user === null) throw invalidResponse(new Error("the userinfo endpoint answers no object"));
        const profile = await provider.profile(user, (url) => get(reply.access_token, url));
        return toIdentity(profile, { provider: client.name, issuer, tokens: toTokenSet(reply, client.clock.now()) });
      }),

    refresh: (tokens) =>
      checked(async () => toTokenSet(await openid.refreshTokenGrant(config, refreshTokenOf(tokens)), client.clock.now(), tokens)),

    endSessionUrl: async () => null,

    readLogoutToken: async () => {
      throw new RequestError("This provider sends no logout tokens", "invalid_logout_token");
    },
  };
}

function configure<User>(provider: OAuth2Provider<User>, issuer: string, client: OAuthClient): openid.Configuration {
  const metadata = {
    issuer,
    authorization_endpoint: provider.authorizationEndpoint,
    token_endpoint: provider.tokenEndpoint,
  };
  const secret = client.clientSecret;
  const authentication =
    secret === null
      ? openid.None()
      : provider.clientAuthentication === "basic"
        ? openid.ClientSecretBasic(secret)
        : openid.ClientSecretPost(secret);
  const config = new openid.Configuration(metadata, client.clientId, secret ?? undefined, authentication);
  config[openid.customFetch] = plainTokenReplies(provider.tokenEndpoint, providerFetch(client.http));
  if (client.http.plainHttp !== "none") openid.allowInsecureRequests(config);
  return config;
}

/** Such a provider has no metadata to say its issuer identifier, so what it says of itself is held against where it lives. */
function withoutIssuer(parameters: URLSearchParams, origin: string): URLSearchParams {
  const issuers = parameters.getAll("iss");
  if (issuers.some((iss) => !URL.canParse(iss) || new URL(iss).origin !== origin))
    throw invalidResponse(new Error("the answer is of another issuer"));
  const rest = new URLSearchParams(parameters);
  rest.delete("iss");
  return rest;
}
