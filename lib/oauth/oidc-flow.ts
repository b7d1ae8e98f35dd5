import * as openid from "openid-client";
import { CredentialError } from "../errors.ts";
import type { Attempt } from "./attempts.ts";
import type { OAuthClient } from "./client.ts";
import { createDiscovery } from "./discovery.ts";
import { bindingOf, proofsOf } from "./dpop.ts";
import { invalidResponse } from "./failure.ts";
import { authorizationParameters, callbackWith, checked, refreshTokenOf, secretsOf, tokensOf, type ProviderFlow } from "./flow.ts";
import { assertProtocol } from "./http.ts";
import { assertAuthenticatedSince, createIdTokenCheck, KeysUnavailable } from "./id-token.ts";
import { createLogoutTokenReader } from "./logout-token.ts";
import type { OidcProvider } from "./oidc-provider.ts";
import { mapped, toIdentity, toTokenSet, type Profile } from "./profile.ts";
import { createProviderKeys } from "./provider-keys.ts";
import { createUserinfoReader } from "./userinfo.ts";

/** @see OpenID Connect Core 1.0, section 3.1.2.1. */
const ASKING = { prompt: "prompt", loginHint: "login_hint" };

/**
 * The authorization code flow of OpenID Connect: PKCE, state, nonce, the `iss` of the answer, the ID token's
 * signature, issuer, audience, times and access token are checked, and its subject against the one of userinfo. Userinfo is asked only for what the
 * ID token leaves out, and may be a JWT. Requests are pushed (RFC 9126) where the provider takes that.
 *
 * @see OpenID Connect Core 1.0, section 3.1; RFC 9207; RFC 9700.
 */
export function oidcFlow(provider: OidcProvider, client: OAuthClient): ProviderFlow {
  const { issuer } = provider;
  const discover = createDiscovery(provider, client);
  const keys = createProviderKeys(client, discover);
  const checkIdToken = createIdTokenCheck(provider, client, keys);
  const readUserinfo = createUserinfoReader(client, keys);
  const readLogoutToken = createLogoutTokenReader(provider, client, { discover, keys });

  return {
    client,
    issuer,
    sidIssuer: provider.tenants?.sidIssuer ?? null,

    begin: (attempt, scope, asked) =>
      checked(
        async () => {
          const config = await discover();
          const proofs = await proofsOf(client.dpop, config);
          const parameters = {
            ...authorizationParameters(client, attempt, scope, asked, { asking: ASKING, ...provider }),
            nonce: attempt.nonce,
            // OpenID Connect Core 1.0, section 3.1.2.1: max_age obliges the provider to say when it authenticated the person.
            ...(attempt.reauthenticate ? { prompt: "login", max_age: "0" } : {}),
          };
          const push = config.serverMetadata().pushed_authorization_request_endpoint !== undefined;
          const url = push
            ? await openid.buildAuthorizationUrlWithPAR(config, parameters, proofs)
            : openid.buildAuthorizationUrl(config, parameters);
          assertProtocol(url.href, client.http.plainHttp);
          // Said again in the open, for whoever keeps the transaction by it; the provider goes by the pushed one.
          if (push) url.searchParams.set("state", attempt.state);
          return url;
        },
        secretsOf(client, attempt),
      ),

    complete: (attempt, parameters) =>
      checked(
        async (secrets) => {
          const config = await discover();
          const proofs = await proofsOf(client.dpop, config);
          const reply = await openid.authorizationCodeGrant(
            config,
            callbackWith(attempt, parameters),
            grantChecks(attempt, provider),
            undefined,
            proofs,
          );
          const tokens = { ...toTokenSet(reply, client.clock.now()), ...bindingOf(client.dpop, reply) };
          secrets.push(...tokensOf(tokens));
          const idToken = await checkIdToken(reply);
          if (!idToken) throw invalidResponse(new Error("the reply has no ID token"));
          if (attempt.reauthenticate) assertAuthenticatedSince(idToken, attempt.begunAt);
          provider.checkClaims?.(idToken);
          const asked = provider.userinfo !== "never" && leavesOut(config, idToken, client);
          const userinfo = asked ? await readUserinfo(config, reply.access_token, idToken, proofs) : {};
          const claims = { ...userinfo, ...idToken };
          const standard = standardClaims(idToken, userinfo);
          const said = provider.profile?.(standard, claims, parameters) ?? standard;
          return toIdentity(await mapped(said, client.mapProfile, claims), {
            provider: client.name,
            issuer: idToken.iss,
            tokens,
            providerSessionId: sessionIdOf(idToken),
            assertedAt: idToken.iat * 1000,
            authenticatedAt: attempt.reauthenticate ? authTime(idToken) : null,
          });
        },
        secretsOf(client, attempt, parameters),
      ),

    refresh: (tokens) =>
      checked(async () => {
        const config = await discover();
        const proofs = await proofsOf(client.dpop, config);
        // Many a provider takes a refresh token once: what may be had before it is asked must not be missing after.
        if (provider.idTokenAlgorithm === undefined) await (await keys()).load();
        const reply = await openid.refreshTokenGrant(config, refreshTokenOf(tokens), undefined, proofs);
        const binding = bindingOf(client.dpop, reply);
        const before = tokens.idToken === null ? undefined : subjectOf(tokens.idToken);
        const after = reply.claims()?.sub;
        // OpenID Connect Core 1.0, section 12.2: a refreshed ID token is about the same person.
        if (after !== undefined && before !== undefined && after !== before)
          throw invalidResponse(new Error("the refreshed ID token is of somebody else"));
        const unchecked = await isWithoutKeys(checkIdToken(reply));
        const kept = unchecked ? { ...reply, id_token: undefined } : reply;
        return { ...toTokenSet(kept, client.clock.now(), tokens), ...binding };
      }, [client.clientSecret, ...tokensOf(tokens)]),

    speaksFor: (other) => other === issuer || provider.tenants?.has(other) === true,

    endSessionUrl: ({ idToken, returnTo, state }) =>
      checked(async () => {
        const config = await discover();
        if (!config.serverMetadata().end_session_endpoint) return null;
        const parameters = {
          ...(idToken === null ? {} : { id_token_hint: idToken }),
          ...(returnTo === undefined ? {} : { post_logout_redirect_uri: returnTo }),
          ...(state === undefined ? {} : { state }),
        };
        const { href } = openid.buildEndSessionUrl(config, parameters);
        assertProtocol(href, client.http.plainHttp);
        return href;
      }),

    signsOutByFrame: () =>
      checked(async () => {
        const { frontchannel_logout_supported, backchannel_logout_supported } = (await discover()).serverMetadata();
        return frontchannel_logout_supported === true && backchannel_logout_supported !== true;
      }),

    readLogoutToken: (token) => checked(() => readLogoutToken(token)),
  };
}

function grantChecks(attempt: Attempt, { pkce }: OidcProvider): openid.AuthorizationCodeGrantChecks {
  return {
    expectedState: attempt.state,
    expectedNonce: attempt.nonce,
    ...(pkce === "refused" ? {} : { pkceCodeVerifier: attempt.codeVerifier }),
    idTokenExpected: true,
    // So that the ID token has to say when the person was authenticated.
    ...(attempt.reauthenticate ? { maxAge: 0 } : {}),
  };
}

/** Whether a claim that a requested scope stands for is not in the ID token, but may be in userinfo. @see OpenID Connect Core 1.0, section 5.4. */
function leavesOut(config: openid.Configuration, idToken: openid.IDToken, client: OAuthClient): boolean {
  const expected = [
    ...(client.scope.includes("email") ? ["email", "email_verified"] : []),
    ...(client.scope.includes("profile") ? ["name"] : []),
  ];
  return config.serverMetadata().userinfo_endpoint !== undefined && expected.some((claim) => idToken[claim] === undefined);
}

/**
 * The ID token, and userinfo for what it leaves out. An address and whether it is verified come from one and the same source.
 * @see OpenID Connect Core 1.0, section 5.1.
 */
function standardClaims(idToken: openid.IDToken, userinfo: Record<string, unknown>): Profile {
  const { sub, name, preferred_username, picture } = { ...userinfo, ...idToken };
  const complete = idToken["email"] !== undefined && idToken["email_verified"] !== undefined;
  const { email, email_verified }: Record<string, unknown> = complete || userinfo["email"] === undefined ? idToken : userinfo;
  return { subject: sub, email, emailVerified: email_verified, name: name ?? preferred_username, image: picture } as Profile;
}

/** The most characters that a provider's name for its session may have: it is kept with ours. */
const MAX_SID = 255;

/** `null` for what is no name: signing in does not need it, and a logout token that names the person still finds them. */
function sessionIdOf({ sid }: openid.IDToken): string | null {
  return typeof sid === "string" && sid !== "" && sid.length <= MAX_SID ? sid : null;
}

function authTime({ auth_time }: openid.IDToken): number {
  if (auth_time === undefined) throw new CredentialError("insufficient_user_authentication", "The provider did not authenticate you again");
  return auth_time * 1000;
}

/** Whether a check was not made, as there were no keys for it. Rejects as it does otherwise. */
async function isWithoutKeys(check: Promise<unknown>): Promise<boolean> {
  try {
    await check;
    return false;
  } catch (error) {
    if (error instanceof KeysUnavailable) return true;
    throw error;
  }
}

/** The subject in an ID token that we checked when it came. */
function subjectOf(idToken: string): unknown {
  try {
    const claims: unknown = JSON.parse(Buffer.from(idToken.split(".")[1] ?? "", "base64url").toString());
    return typeof claims === "object" && claims !== null && "sub" in claims ? claims.sub : undefined;
  } catch {
    return undefined;
  }
}
