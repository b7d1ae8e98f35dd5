import { describe, expect, it } from "vitest";
import type { OAuthClientOptions } from "../../lib/oauth/client.ts";
import type { OAuthStrategy } from "../../lib/oauth/strategy.ts";
import { discord } from "../../strategies/discord.ts";
import { naver } from "../../strategies/naver.ts";
import { slack } from "../../strategies/slack.ts";
import { spotify } from "../../strategies/spotify.ts";
import { yahoo } from "../../strategies/yahoo.ts";
import { fakeProvider, type DocumentedProvider } from "../support/fake-provider.ts";
import { beginWith, CALLBACK, completeWith, identityOf } from "../support/strategy-run.ts";

interface Case extends DocumentedProvider {
  readonly make: (options: OAuthClientOptions) => OAuthStrategy;
  readonly scope: string | undefined;
  readonly identity: object;
  /** The same person, of whom the provider does not say with the boolean true that the address is verified. */
  readonly unverified: object;
}

const email = "ada@example.com";
const bearer = { access_token: "at", token_type: "Bearer", expires_in: 3600, refresh_token: "rt" };
const claims = { sub: "U1", email, email_verified: true, name: "Ada", picture: "https://img.example.com/ada.png" };
const claimed = { subject: "U1", email, emailVerified: true, name: "Ada", image: "https://img.example.com/ada.png" };

const ada = { id: "80351110224678912", username: "ada", global_name: "Ada L", avatar: "8342729096ea", email, verified: true };
const listener = { id: "ada", display_name: "Ada", email, images: [{ url: "https://i.scdn.co/image/1", height: 64, width: 64 }] };
const naverUser = { id: "32742776", name: "Ada", nickname: "ada", email, profile_image: "https://ssl.pstatic.net/ada.png" };

const cases: Record<string, Case> = {
  discord: {
    make: discord,
    authorizationEndpoint: "https://discord.com/api/oauth2/authorize",
    tokenEndpoint: "https://discord.com/api/oauth2/token",
    userinfoEndpoint: "https://discord.com/api/users/@me",
    clientAuthentication: "post",
    scope: "identify email",
    tokens: { ...bearer, scope: "identify email" },
    user: ada,
    identity: {
      subject: ada.id,
      name: "Ada L",
      email,
      emailVerified: true,
      image: "https://cdn.discordapp.com/avatars/80351110224678912/8342729096ea.png",
    },
    unverified: { ...ada, verified: "true" },
  },
  spotify: {
    make: spotify,
    authorizationEndpoint: "https://accounts.spotify.com/authorize",
    tokenEndpoint: "https://accounts.spotify.com/api/token",
    userinfoEndpoint: "https://api.spotify.com/v1/me",
    clientAuthentication: "basic",
    scope: "user-read-email",
    tokens: bearer,
    user: listener,
    identity: { subject: "ada", name: "Ada", email, emailVerified: false, image: "https://i.scdn.co/image/1" },
    unverified: { ...listener, email_verified: true },
  },
  naver: {
    make: naver,
    authorizationEndpoint: "https://nid.naver.com/oauth2.0/authorize",
    tokenEndpoint: "https://nid.naver.com/oauth2.0/token",
    userinfoEndpoint: "https://openapi.naver.com/v1/nid/me",
    clientAuthentication: "post",
    scope: undefined,
    tokens: { ...bearer, token_type: "bearer", expires_in: "3600" },
    user: { resultcode: "00", message: "success", response: naverUser },
    identity: { subject: "32742776", name: "Ada", email, emailVerified: false, image: naverUser.profile_image },
    unverified: { resultcode: "00", message: "success", response: { ...naverUser, email_verified: true } },
  },
  slack: {
    make: slack,
    issuer: "https://slack.com",
    authorizationEndpoint: "https://slack.com/openid/connect/authorize",
    tokenEndpoint: "https://slack.com/api/openid.connect.token",
    clientAuthentication: "post",
    scope: "openid email profile",
    tokens: { ok: true, ...bearer },
    user: claims,
    identity: claimed,
    unverified: { ...claims, email_verified: "true" },
  },
  yahoo: {
    make: yahoo,
    issuer: "https://api.login.yahoo.com",
    authorizationEndpoint: "https://api.login.yahoo.com/oauth2/request_auth",
    tokenEndpoint: "https://api.login.yahoo.com/oauth2/get_token",
    clientAuthentication: "basic",
    scope: "openid email profile",
    tokens: bearer,
    user: claims,
    identity: claimed,
    unverified: { ...claims, email_verified: "true" },
  },
};

async function signIn(provider: Case) {
  const fake = await fakeProvider(provider);
  const strategy = provider.make({ clientId: "client", clientSecret: "secret", fetch: fake.fetch });
  const { url, session } = await beginWith(strategy);
  return { url, identity: identityOf(await completeWith(strategy, session, fake.authorize(url))) };
}

describe.each(Object.entries(cases))("signing in with %s", (name, provider) => {
  it("sends the browser to the documented page, and ends in the identity with its tokens", async () => {
    const { url, identity } = await signIn(provider);

    const { origin, pathname, searchParams } = new URL(url);
    const random = expect.stringMatching(/^[\w-]{43}$/) as unknown;
    expect(origin + pathname).toBe(provider.authorizationEndpoint);
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: "client",
      redirect_uri: CALLBACK,
      response_type: "code",
      state: random,
      code_challenge: random,
      code_challenge_method: "S256",
      ...(provider.scope === undefined ? {} : { scope: provider.scope }),
      ...(provider.issuer === undefined ? {} : { nonce: random }),
    });
    expect(identity).toMatchObject({ provider: name, ...provider.identity, tokens: { accessToken: "at", refreshToken: "rt" } });
    expect(identity.tokens?.accessTokenExpiresAt).not.toBeNull();
  });

  it("rule 26: counts an address as verified by the provider's own boolean true alone", async () => {
    const { identity } = await signIn({ ...provider, user: provider.unverified });

    expect(identity).toMatchObject({ email, emailVerified: false });
  });

  it("names a missing client id and secret", () => {
    expect(() => provider.make({ clientId: undefined, clientSecret: "secret" })).toThrow(`${name}.clientId: is missing`);
    expect(() => provider.make({ clientId: "client", clientSecret: undefined })).toThrow(`${name}.clientSecret: is missing`);
  });
});
