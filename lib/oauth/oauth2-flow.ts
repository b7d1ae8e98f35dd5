import * as openid from "openid-client";
import { RequestError } from "../errors.ts";
import type { OAuthClient } from "./client.ts";
import { bindingOf, proofsOf } from "./dpop.ts";
import { invalidResponse, statusFailure } from "./failure.ts";
import { secretAuthentication, type ClientAuthentication } from "./client-authentication.ts";
import {
  authorizationParameters,
  callbackWith,
  checked,
  refreshTokenOf,
  secretsOf,
  tokensOf,
  type Deviations,
  type ProviderFlow,
} from "./flow.ts";
import { providerFetch } from "./http.ts";
import { mapped, toIdentity, toTokenSet, type Profile } from "./profile.ts";
import { plainTokenReplies, type TokenDialect } from "./token-reply.ts";

/** A provider of plain OAuth 2, as data. `User` is what its userinfo endpoint answers. */
export interface OAuth2Provider<User> extends Deviations, TokenDialect {
  /** The strategy's name, in its path and on accounts. */
  readonly name: string;
  readonly authorizationEndpoint: string;
  /** Answers JSON about the person whose access token it is shown. */
  readonly userinfoEndpoint: string;
  /** What to ask for, to be able to sign somebody in. */
  readonly scope: readonly string[];
  /** What accounts are kept under. Default: the origin of `authorizationEndpoint`. */
  readonly issuer?: string | undefined;
  /** How the client shows its secret: in the form body, or by HTTP Basic. Default: `post`. */
  readonly clientAuthentication?: "post" | "basic" | undefined;
  /** What it calls the client id, there and in the token request. Default: `client_id`. */
  readonly clientIdParameter?: string | undefined;
  /** Parameters that every authorization request needs. The application's own go before them. */
  readonly authorizationParameters?: Readonly<Record<string, string>> | undefined;
  /** Default: GET. A POST has no body. */
  readonly userinfoMethod?: "GET" | "POST" | undefined;
  /** Parameters of the userinfo request that depend on the access token, such as a proof made of it. */
  readonly userinfoParameters?: ((accessToken: string) => Readonly<Record<string, string>>) | undefined;
  /** Headers of the userinfo request, and of those that `profile` makes. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
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

  const ask = async <T>(accessToken: string, url: URL, method: "GET" | "POST" = "GET"): Promise<T> => {
    const headers = new Headers({ accept: "application/json", "user-agent": "latchkey", ...provider.headers });
    const proofs = await proofsOf(client.dpop, config);
    const response = await openid.fetchProtectedResource(config, accessToken, url, method, undefined, headers, proofs);
    if (response.status !== 200) throw statusFailure(response, `${url.pathname} does not answer`);
    try {
      return (await response.json()) as T;
    } catch (error) {
      throw invalidResponse(error);
    }
  };

  const userinfo = async (accessToken: string): Promise<User & object> => {
    const url = new URL(provider.userinfoEndpoint);
    for (const [name, value] of Object.entries(provider.userinfoParameters?.(accessToken) ?? {})) url.searchParams.set(name, value);
    const user = await ask<User>(accessToken, url, provider.userinfoMethod);
    if (typeof user !== "object" || user === null) throw invalidResponse(new Error("the userinfo endpoint answers no object"));
    return user;
  };

  return {
    client,
    issuer,
    sidIssuer: null,

    begin: (attempt, scope, asked) =>
      checked(
        async () => {
          if (attempt.reauthenticate)
            throw new RequestError("This provider cannot vouch that you signed in again", "reauthentication_unsupported");
          const url = openid.buildAuthorizationUrl(config, authorizationParameters(client, attempt, scope, asked, provider));
          return provider.clientIdParameter === undefined ? url : renamed(url, "client_id", provider.clientIdParameter);
        },
        secretsOf(client, attempt),
      ),

    complete: (attempt, parameters) =>
      checked(
        async (secrets) => {
          const answer = withoutIssuer(parameters, origin);
          const pkce = provider.pkce === "refused" ? {} : { pkceCodeVerifier: attempt.codeVerifier };
          const checks = { expectedState: attempt.state, ...pkce };
          const proofs = await proofsOf(client.dpop, config);
          const reply = await openid.authorizationCodeGrant(config, callbackWith(attempt, answer), checks, undefined, proofs);
          const tokens = { ...toTokenSet(reply, client.clock.now()), ...bindingOf(client.dpop, reply) };
          secrets.push(...tokensOf(tokens));
          const user = await userinfo(reply.access_token);
          const said = await provider.profile(user, (url) => ask(reply.access_token, new URL(url)));
          const profile = await mapped(said, client.mapProfile, user);
          return toIdentity(profile, { provider: client.name, issuer, tokens });
        },
        secretsOf(client, attempt, parameters),
      ),

    refresh: (tokens) =>
      checked(async () => {
        const reply = await openid.refreshTokenGrant(config, refreshTokenOf(tokens), undefined, await proofsOf(client.dpop, config));
        return { ...toTokenSet(reply, client.clock.now(), tokens), ...bindingOf(client.dpop, reply) };
      }, [client.clientSecret, ...tokensOf(tokens)]),

    speaksFor: (other) => other === issuer,

    endSessionUrl: async () => null,

    signsOutByFrame: async () => false,

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
  const config = new openid.Configuration(metadata, client.clientId, client.clientSecret ?? undefined, authenticationOf(provider, client));
  config[openid.customFetch] = plainTokenReplies(provider, providerFetch(client.http));
  if (client.http.plainHttp !== "none") openid.allowInsecureRequests(config);
  return config;
}

function authenticationOf<User>(provider: OAuth2Provider<User>, client: OAuthClient): ClientAuthentication {
  const { clientSecret: secret, authentication } = client;
  if (authentication) return authentication;
  const method = client.secretMethod ?? (provider.clientAuthentication === "basic" ? "client_secret_basic" : "client_secret_post");
  const parameter = provider.clientIdParameter;
  if (parameter !== undefined && method === "client_secret_post") {
    return function renamedClientId(_as, { client_id }, body) {
      body.set(parameter, client_id);
      if (secret !== null) body.set("client_secret", secret);
    };
  }
  return secret === null ? openid.None() : secretAuthentication(secret, method);
}

function renamed(url: URL, from: string, to: string): URL {
  url.searchParams.set(to, url.searchParams.get(from) ?? "");
  url.searchParams.delete(from);
  return url;
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
