import { createServer, type Agent } from "node:http";
import type { AddressInfo } from "node:net";
import type { Strategy } from "passport";
import { Strategy as DiscordStrategy } from "passport-discord";
import { Strategy as FacebookStrategy } from "passport-facebook";
import { Strategy as GitHubStrategy } from "passport-github2";
import { Strategy as GoogleStrategy } from "passport-google-oauth20";
import { Strategy as MicrosoftStrategy } from "passport-microsoft";
import { Strategy as OpenIDConnectStrategy } from "passport-openidconnect";
import { Strategy as SpotifyStrategy } from "passport-spotify";
import { Strategy as TwitterStrategy } from "passport-twitter";
import { identify, identifyOpenId } from "../../lib/index.ts";
import { loginAt, startOidcProvider } from "../support/oidc-provider.ts";
import { APP, CLIENT } from "../support/provider-app.ts";
import { startFakeOAuth1 } from "./fake-oauth1.ts";
import { startFakeOAuth2, type FakeOAuth2Options, type FakeSide, type Told } from "./fake-oauth2.ts";

/** A verify function of whatever length its package wants. */
export type Verify = (...args: never[]) => unknown;

/** A package, and what it comes to in latchkey. */
export interface PassportCase {
  readonly package: string;
  readonly name: string;
  /** The verify function that an application of latchkey gives it. */
  readonly verify: Verify;
  /** Starts its provider. */
  start(): Promise<StartedCase>;
  readonly user: { readonly email: string | null; readonly name: string; readonly image: string | null };
  readonly account: { readonly issuer: unknown; readonly accountId: string };
  readonly tokens: Readonly<Record<string, unknown>>;
  /** Whether the access token's expiry comes to be known. */
  readonly expires: boolean;
}

export interface StartedCase extends FakeSide {
  strategy(verify: Verify, options?: { passReqToCallback?: boolean }): Strategy;
}

const OAUTH2 = { clientID: CLIENT.clientId, clientSecret: CLIENT.clientSecret, callbackURL: "http://replaced.example/" };
const TOKENS = { refresh_token: "rt-1", expires_in: 3600, scope: "one two" };
const PICTURE = "https://images.example.com/ada.png";

/** Addresses on the fake for packages that take them as options. */
const addresses = (origin: string) => ({ authorizationURL: `${origin}/authorize`, tokenURL: `${origin}/token` });

function oauth2Case(
  options: FakeOAuth2Options,
  make: (fake: Awaited<ReturnType<typeof startFakeOAuth2>>, verify: Verify, options: object) => Strategy,
): () => Promise<StartedCase> {
  return async () => {
    const fake = await startFakeOAuth2(options);
    return { ...fake, strategy: (verify, given = {}) => make(fake, verify, given) };
  };
}

const kept = { accessToken: /^at-/, refreshToken: "rt-1", idToken: null, scope: "one two" };

/** Discord's package hands the reply over as it came: an address that the person proved to Discord is `verified` there. */
const identifyDiscord = identify("discord");
const discordVerify: Verify = (
  accessToken: string,
  refreshToken: string,
  parameters: unknown,
  profile: { email: string; verified: boolean },
  done: (error?: unknown, identity?: never) => void,
) => {
  const { email: value, verified } = profile;
  identifyDiscord(accessToken, refreshToken, parameters, { ...profile, emails: [{ value, verified }] }, done);
};

export const CASES: readonly PassportCase[] = [
  {
    package: "passport-github2",
    name: "github",
    verify: identify("github"),
    start: oauth2Case(
      {
        tokens: { ...TOKENS, scope: "one,two" },
        profiles: {
          "/user": { id: 583231, login: "ada", name: "Ada Lovelace", avatar_url: PICTURE },
          "/emails": [{ email: "ada@example.com", primary: true, verified: true }],
        },
      },
      ({ origin }, verify, options) => {
        const urls = { ...addresses(origin), userProfileURL: `${origin}/user`, userEmailURL: `${origin}/emails` };
        return new GitHubStrategy(
          { ...OAUTH2, ...urls, scope: ["user:email"], allRawEmails: true, state: true, pkce: true, ...options },
          verify,
        );
      },
    ),
    user: { email: "ada@example.com", name: "Ada Lovelace", image: PICTURE },
    account: { issuer: "github", accountId: "583231" },
    tokens: kept,
    expires: true,
  },
  {
    package: "passport-google-oauth20",
    name: "google",
    verify: identify("google", { issuer: "https://accounts.google.com" }),
    start: oauth2Case(
      {
        tokens: { ...TOKENS, id_token: "e30.e30.x" },
        profiles: { "/userinfo": { sub: "1101", name: "Ada Lovelace", email: "ada@example.com", email_verified: true, picture: PICTURE } },
      },
      ({ origin }, verify, options) => {
        const urls = { ...addresses(origin), userProfileURL: `${origin}/userinfo` };
        return new GoogleStrategy({ ...OAUTH2, ...urls, scope: ["openid", "email"], ...options }, verify);
      },
    ),
    user: { email: "ada@example.com", name: "Ada Lovelace", image: PICTURE },
    account: { issuer: "https://accounts.google.com", accountId: "1101" },
    tokens: { ...kept, idToken: "e30.e30.x" },
    expires: true,
  },
  {
    package: "passport-facebook",
    name: "facebook",
    verify: identify("facebook"),
    start: oauth2Case(
      {
        tokens: TOKENS,
        profiles: { "/me": { id: "4", name: "Ada Lovelace", email: "ada@example.com", picture: { data: { url: PICTURE } } } },
      },
      ({ origin }, verify, options) => {
        const urls = { ...addresses(origin), profileURL: `${origin}/me` };
        return new FacebookStrategy(
          { ...OAUTH2, ...urls, profileFields: ["id", "displayName", "emails", "photos"], state: true, ...options },
          verify,
        );
      },
    ),
    user: { email: null, name: "Ada Lovelace", image: PICTURE },
    account: { issuer: "facebook", accountId: "4" },
    tokens: kept,
    expires: true,
  },
  {
    package: "passport-discord",
    name: "discord",
    verify: discordVerify,
    start: oauth2Case(
      {
        tokens: TOKENS,
        profiles: { "/api/users/@me": { id: "80351110224678912", username: "ada", email: "ada@example.com", verified: true } },
      },
      ({ agent }, verify, options) => {
        const strategy = new DiscordStrategy({ ...OAUTH2, scope: ["identify", "email"], ...options }, verify);
        // It takes no addresses.
        (Reflect.get(strategy, "_oauth2") as { setAgent(agent: Agent): void }).setAgent(agent);
        return strategy;
      },
    ),
    user: { email: "ada@example.com", name: "ada", image: null },
    account: { issuer: "discord", accountId: "80351110224678912" },
    tokens: kept,
    expires: true,
  },
  {
    package: "passport-spotify",
    name: "spotify",
    verify: identify("spotify"),
    start: oauth2Case(
      {
        tokens: TOKENS,
        profiles: { "/v1/me": { id: "ada1815", display_name: "Ada Lovelace", email: "ada@example.com", images: [{ url: PICTURE }] } },
      },
      ({ origin }, verify, options) => {
        const urls = { ...addresses(origin), userProfileURL: `${origin}/v1/me` };
        return new SpotifyStrategy({ ...OAUTH2, ...urls, scope: ["user-read-email"], state: true, ...options }, verify);
      },
    ),
    user: { email: null, name: "Ada Lovelace", image: PICTURE },
    account: { issuer: "spotify", accountId: "ada1815" },
    // It passes on no more of the token reply than its expiry.
    tokens: { ...kept, scope: null },
    expires: true,
  },
  {
    package: "passport-microsoft",
    name: "microsoft",
    verify: identify("microsoft"),
    start: oauth2Case(
      { tokens: TOKENS, profiles: { "/v1.0/me": { id: "87d349ed-44d7", displayName: "Ada Lovelace", mail: "ada@example.com" } } },
      ({ origin }, verify, options) => {
        return new MicrosoftStrategy({ ...OAUTH2, ...addresses(origin), apiEntryPoint: origin, scope: ["user.read"], ...options }, verify);
      },
    ),
    user: { email: null, name: "Ada Lovelace", image: null },
    account: { issuer: "microsoft", accountId: "87d349ed-44d7" },
    tokens: kept,
    expires: true,
  },
  {
    package: "passport-openidconnect",
    name: "openidconnect",
    verify: identifyOpenId("openidconnect"),
    start: startOpenId,
    user: { email: null, name: "ada", image: null },
    account: { issuer: /^http:\/\/127\.0\.0\.1:\d+$/, accountId: "ada" },
    tokens: { accessToken: /./, refreshToken: /./, idToken: /\..*\./, scope: "openid profile email" },
    expires: true,
  },
  {
    package: "passport-twitter",
    name: "twitter",
    verify: identify("twitter"),
    async start() {
      const fake = await startFakeOAuth1({
        id_str: "38895958",
        screen_name: "ada",
        name: "Ada Lovelace",
        email: "ada@example.com",
        profile_image_url_https: PICTURE,
      });
      const urls = {
        requestTokenURL: `${fake.origin}/oauth/request_token`,
        accessTokenURL: `${fake.origin}/oauth/access_token`,
        userAuthorizationURL: `${fake.origin}/oauth/authenticate`,
        userProfileURL: `${fake.origin}/1.1/account/verify_credentials.json`,
        callbackURL: "http://replaced.example/",
      };
      const consumer = { consumerKey: CLIENT.clientId, consumerSecret: CLIENT.clientSecret };
      return {
        ...fake,
        strategy: (verify, options = {}) => new TwitterStrategy({ ...urls, ...consumer, includeEmail: true, ...options }, verify),
      };
    },
    user: { email: null, name: "Ada Lovelace", image: PICTURE },
    account: { issuer: "twitter", accountId: "38895958" },
    // OAuth 1.0a has a secret for each token, and nothing to refresh it by.
    tokens: { accessToken: /^at-/, refreshToken: /^secret-/, idToken: null, scope: null },
    expires: false,
  },
];

/** A real OpenID provider, with its token and userinfo endpoints behind something that can answer in their place. */
async function startOpenId(): Promise<StartedCase> {
  const provider = await startOidcProvider({
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        token_endpoint_auth_method: "client_secret_post",
        redirect_uris: [`${APP}/auth/callback/openidconnect`],
      },
    ],
    configuration: { pkce: { required: () => false }, issueRefreshToken: async () => true },
  });
  const requests: string[] = [];
  const told = new Map<string, Told>();
  const front = createServer((req, res) => {
    void (async () => {
      const path = req.url ?? "/";
      requests.push(`${req.method} ${path}`);
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      const once = told.get(path);
      told.delete(path);
      if (once) return res.writeHead(once.status ?? 200, { "content-type": once.type ?? "application/json" }).end(once.body);
      const { authorization = "", "content-type": type = "" } = req.headers;
      const body = req.method === "POST" ? Buffer.concat(chunks) : null;
      const headers = { ...(authorization ? { authorization } : {}), ...(type ? { "content-type": type } : {}) };
      const reply = await fetch(provider.issuer + path, { method: req.method ?? "GET", headers, body });
      return res.writeHead(reply.status, { "content-type": "application/json" }).end(await reply.text());
    })();
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
  const places = { tokens: "/token", profile: "/me" };
  return {
    requests,
    strategy: (verify, options = {}) =>
      new OpenIDConnectStrategy(
        {
          ...OAUTH2,
          issuer: provider.issuer,
          authorizationURL: `${provider.issuer}/auth`,
          tokenURL: `${origin}/token`,
          userInfoURL: `${origin}/me`,
          scope: ["profile", "email"],
          skipUserProfile: false,
          nonce: true,
          ...options,
        },
        verify,
      ),
    authorize: (url, { cancel = false } = {}) => loginAt(provider, url, "ada", { cancel }),
    answerOnce: (what, once) => void told.set(places[what], once),
    async close() {
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
      await provider.close();
    },
  };
}
