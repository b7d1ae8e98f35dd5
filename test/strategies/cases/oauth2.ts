import { atlassian } from "../../../strategies/atlassian.ts";
import { bitbucket } from "../../../strategies/bitbucket.ts";
import { discord } from "../../../strategies/discord.ts";
import { dropbox } from "../../../strategies/dropbox.ts";
import { facebook } from "../../../strategies/facebook.ts";
import { figma } from "../../../strategies/figma.ts";
import { kakao } from "../../../strategies/kakao.ts";
import { linkedin } from "../../../strategies/linkedin.ts";
import { naver } from "../../../strategies/naver.ts";
import { notion } from "../../../strategies/notion.ts";
import { paypal } from "../../../strategies/paypal.ts";
import { reddit } from "../../../strategies/reddit.ts";
import { spotify } from "../../../strategies/spotify.ts";
import { tiktok } from "../../../strategies/tiktok.ts";
import { twitch } from "../../../strategies/twitch.ts";
import { x } from "../../../strategies/x.ts";
import { zoom } from "../../../strategies/zoom.ts";
import { bearer, email, invalidGrant, type ProviderCase } from "./case.ts";

const image = "https://img.example.com/ada.png";

const discordUser = { id: "80351110224678912", username: "ada", global_name: "Ada L", avatar: "8342729096ea", email, verified: true };
const listener = { id: "ada", display_name: "Ada", email, images: [{ url: image, height: 64, width: 64 }] };
const naverUser = { id: "32742776", name: "Ada", nickname: "ada", email, profile_image: image };
const facebookUser = { id: "10224", name: "Ada", email, picture: { data: { height: 200, width: 200, is_silhouette: false, url: image } } };
const member = { sub: "782bbtaQ", name: "Ada", given_name: "Ada", locale: "en-US", picture: image, email, email_verified: true };
const streamer = { aud: "client", sub: "713936733", iss: "https://id.twitch.tv/oauth2", preferred_username: "ada", picture: image, email };
const zoomUser = { id: "z8dsdsdsdsdCfp8uQ", first_name: "Ada", last_name: "L", display_name: "Ada L", email, pic_url: image, verified: 1 };
const dropboxUser = {
  account_id: "dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc",
  name: { given_name: "Ada", surname: "L", familiar_name: "Ada", display_name: "Ada L", abbreviated_name: "AL" },
  email,
  email_verified: true,
  profile_photo_url: image,
};
const bitbucketUser = { type: "user", uuid: "{1234}", account_id: "557058:1", display_name: "Ada", links: { avatar: { href: image } } };
const bitbucketEmails = (is_confirmed: unknown) => ({
  "https://api.bitbucket.org/2.0/user/emails": {
    values: [
      { type: "email", email: "old@example.com", is_primary: false, is_confirmed: true },
      { type: "email", email, is_primary: true, is_confirmed },
    ],
  },
});
const kakaoUser = (is_email_valid: unknown, is_email_verified: unknown) => ({
  id: 123456789,
  connected_at: "2022-04-11T01:45:28Z",
  kakao_account: {
    email_needs_agreement: false,
    is_email_valid,
    is_email_verified,
    email,
    profile: { nickname: "Ada", profile_image_url: image },
  },
});
const paypalUser = (confirmed: unknown) => ({
  user_id: "https://www.paypal.com/webapps/auth/identity/user/mWq6_1sU85v5EG9yHdPxJRrhGHrnMJ-1PQKtX6pcsmA",
  payer_id: "WDJJHEBZ4X2LY",
  name: "Ada",
  verified_account: "true",
  emails: [
    { value: "old@example.com", confirmed: true },
    { value: email, primary: true, confirmed },
  ],
});
const notionUser = {
  object: "user",
  id: "16d84278-ab0e-484c-9bdd-b35da3bd8905",
  name: "pied piper",
  avatar_url: null,
  type: "bot",
  bot: {
    owner: { type: "user", user: { object: "user", id: "5389a034", name: "Ada", avatar_url: image, type: "person", person: { email } } },
  },
};
const xUser = { id: "2244994945", name: "Ada", username: "ada", profile_image_url: image };

/** Providers of plain OAuth 2. */
export const oauth2Cases: Readonly<Record<string, ProviderCase>> = {
  discord: {
    make: discord,
    authorizationEndpoint: "https://discord.com/api/oauth2/authorize",
    tokenEndpoint: "https://discord.com/api/oauth2/token",
    userinfoEndpoint: "https://discord.com/api/users/@me",
    clientAuthentication: "post",
    scope: "identify email",
    tokens: { ...bearer, scope: "identify email" },
    user: discordUser,
    ended: invalidGrant,
    identity: {
      subject: discordUser.id,
      name: "Ada L",
      email,
      emailVerified: true,
      image: "https://cdn.discordapp.com/avatars/80351110224678912/8342729096ea.png",
    },
    unverified: { ...discordUser, verified: "true" },
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
    ended: invalidGrant,
    identity: { subject: "ada", name: "Ada", email, emailVerified: false, image },
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
    ended: invalidGrant,
    identity: { subject: "32742776", name: "Ada", email, emailVerified: false, image },
    unverified: { resultcode: "00", message: "success", response: { ...naverUser, email_verified: true } },
  },
  facebook: {
    make: facebook,
    authorizationEndpoint: "https://www.facebook.com/v23.0/dialog/oauth",
    tokenEndpoint: "https://graph.facebook.com/v23.0/oauth/access_token",
    // The proof: HMAC-SHA-256 of "at" under "secret".
    userinfoEndpoint:
      "https://graph.facebook.com/v23.0/me?fields=id,name,email,picture.type(large)" +
      "&appsecret_proof=71d6183b3a7d28dab38dc8d16d1ece5a9b4d8ea9d6f1a13e2f3f703624fc324f",
    clientAuthentication: "post",
    pkce: "refused",
    scope: "public_profile email",
    tokens: { access_token: "at", token_type: "bearer", expires_in: 5183944 },
    user: facebookUser,
    identity: { subject: "10224", name: "Ada", email, emailVerified: false, image, tokens: { refreshToken: null } },
    unverified: { ...facebookUser, verified: true },
  },
  x: {
    make: x,
    authorizationEndpoint: "https://x.com/i/oauth2/authorize",
    tokenEndpoint: "https://api.x.com/2/oauth2/token",
    userinfoEndpoint: "https://api.x.com/2/users/me?user.fields=profile_image_url",
    clientAuthentication: "basic",
    scope: "users.read tweet.read",
    tokens: { token_type: "bearer", expires_in: 7200, access_token: "at", scope: "users.read tweet.read" },
    user: { data: xUser },
    identity: { subject: "2244994945", name: "Ada", email: null, emailVerified: false, image, tokens: { refreshToken: null } },
    unverified: undefined,
  },
  "x, with addresses": {
    make: (options) => x({ scope: ["users.read", "tweet.read", "users.email", "offline.access"], ...options }),
    authorizationEndpoint: "https://x.com/i/oauth2/authorize",
    tokenEndpoint: "https://api.x.com/2/oauth2/token",
    userinfoEndpoint: "https://api.x.com/2/users/me?user.fields=profile_image_url,confirmed_email",
    clientAuthentication: "basic",
    scope: "users.read tweet.read users.email offline.access",
    tokens: { ...bearer, token_type: "bearer" },
    user: { data: { ...xUser, confirmed_email: email } },
    ended: { status: 400, body: { error: "invalid_request", error_description: "Value passed for the token was invalid." } },
    identity: { subject: "2244994945", name: "Ada", email, emailVerified: true, image },
    unverified: undefined,
  },
  linkedin: {
    make: linkedin,
    authorizationEndpoint: "https://www.linkedin.com/oauth/v2/authorization",
    tokenEndpoint: "https://www.linkedin.com/oauth/v2/accessToken",
    userinfoEndpoint: "https://api.linkedin.com/v2/userinfo",
    clientAuthentication: "post",
    pkce: "refused",
    scope: "openid profile email",
    tokens: { access_token: "at", expires_in: 5184000, scope: "email,openid,profile", token_type: "Bearer", id_token: "a.b.c" },
    user: member,
    identity: {
      subject: "782bbtaQ",
      name: "Ada",
      email,
      emailVerified: true,
      image,
      tokens: { idToken: null, scope: "email openid profile" },
    },
    unverified: { ...member, email_verified: "true" },
  },
  twitch: {
    make: twitch,
    authorizationEndpoint: "https://id.twitch.tv/oauth2/authorize",
    tokenEndpoint: "https://id.twitch.tv/oauth2/token",
    userinfoEndpoint: "https://id.twitch.tv/oauth2/userinfo",
    clientAuthentication: "post",
    scope: "openid user:read:email",
    parameters: { claims: '{"userinfo":{"email":null,"email_verified":null,"picture":null,"preferred_username":null}}' },
    tokens: { ...bearer, token_type: "bearer", scope: ["openid", "user:read:email"], id_token: "a.b.c" },
    user: { ...streamer, email_verified: true },
    ended: { status: 400, body: { error: "Bad Request", status: 400, message: "Invalid refresh token" } },
    identity: {
      issuer: "https://id.twitch.tv/oauth2",
      subject: "713936733",
      name: "ada",
      email,
      emailVerified: true,
      image,
      tokens: { scope: "openid user:read:email" },
    },
    unverified: streamer,
  },
  reddit: {
    make: reddit,
    authorizationEndpoint: "https://www.reddit.com/api/v1/authorize",
    tokenEndpoint: "https://www.reddit.com/api/v1/access_token",
    userinfoEndpoint: "https://oauth.reddit.com/api/v1/me",
    clientAuthentication: "basic",
    scope: "identity",
    tokens: { access_token: "at", token_type: "bearer", expires_in: 86400, scope: "identity" },
    user: { id: "7a8b9c", name: "ada", icon_img: `${image}?width=256&amp;s=1`, has_verified_email: true },
    identity: { subject: "7a8b9c", name: "ada", email: null, emailVerified: false, image, tokens: { refreshToken: null } },
    unverified: undefined,
  },
  notion: {
    make: notion,
    authorizationEndpoint: "https://api.notion.com/v1/oauth/authorize",
    tokenEndpoint: "https://api.notion.com/v1/oauth/token",
    userinfoEndpoint: "https://api.notion.com/v1/users/me",
    headers: { "notion-version": "2022-06-28" },
    clientAuthentication: "basic",
    tokenRequest: "json",
    pkce: "refused",
    scope: undefined,
    parameters: { owner: "user" },
    tokens: {
      access_token: "at",
      token_type: "bearer",
      refresh_token: "rt",
      bot_id: "16d84278",
      workspace_id: "w1",
      owner: { type: "user" },
    },
    user: notionUser,
    ended: invalidGrant,
    identity: { subject: "5389a034", name: "Ada", email, emailVerified: false, image, tokens: { accessTokenExpiresAt: null } },
    unverified: notionUser,
  },
  zoom: {
    make: zoom,
    authorizationEndpoint: "https://zoom.us/oauth/authorize",
    tokenEndpoint: "https://zoom.us/oauth/token",
    userinfoEndpoint: "https://api.zoom.us/v2/users/me",
    clientAuthentication: "basic",
    scope: undefined,
    tokens: { ...bearer, token_type: "bearer", scope: "user:read:user", api_url: "https://api.zoom.us" },
    user: zoomUser,
    ended: { status: 400, body: { reason: "Invalid Token!", error: "invalid_request" } },
    identity: { subject: zoomUser.id, name: "Ada L", email, emailVerified: false, image },
    unverified: { ...zoomUser, email_verified: true },
  },
  dropbox: {
    make: dropbox,
    authorizationEndpoint: "https://www.dropbox.com/oauth2/authorize",
    tokenEndpoint: "https://api.dropboxapi.com/oauth2/token",
    userinfoEndpoint: "https://api.dropboxapi.com/2/users/get_current_account",
    userinfoMethod: "POST",
    clientAuthentication: "post",
    scope: "account_info.read",
    tokens: { access_token: "at", expires_in: 14400, token_type: "bearer", scope: "account_info.read", account_id: "dbid:1", uid: "12345" },
    user: dropboxUser,
    identity: { subject: dropboxUser.account_id, name: "Ada L", email, emailVerified: true, image, tokens: { refreshToken: null } },
    unverified: { ...dropboxUser, email_verified: false },
  },
  bitbucket: {
    make: bitbucket,
    authorizationEndpoint: "https://bitbucket.org/site/oauth2/authorize",
    tokenEndpoint: "https://bitbucket.org/site/oauth2/access_token",
    userinfoEndpoint: "https://api.bitbucket.org/2.0/user",
    more: bitbucketEmails(true),
    clientAuthentication: "basic",
    scope: "account email",
    tokens: { ...bearer, token_type: "bearer", expires_in: 7200, scopes: "account email", state: "authorization_code" },
    user: bitbucketUser,
    ended: { status: 400, body: { error: "invalid_request", error_description: "Invalid refresh_token" } },
    identity: { subject: "{1234}", name: "Ada", email, emailVerified: true, image },
    unverified: bitbucketUser,
    unverifiedMore: bitbucketEmails("true"),
  },
  atlassian: {
    make: atlassian,
    authorizationEndpoint: "https://auth.atlassian.com/authorize",
    tokenEndpoint: "https://auth.atlassian.com/oauth/token",
    userinfoEndpoint: "https://api.atlassian.com/me",
    clientAuthentication: "post",
    tokenRequest: "json",
    scope: "read:me",
    parameters: { audience: "api.atlassian.com", prompt: "consent" },
    tokens: { access_token: "at", expires_in: 3600, scope: "read:me" },
    user: { account_type: "atlassian", account_id: "112233aa", email, name: "Ada", picture: image, account_status: "active" },
    identity: { subject: "112233aa", name: "Ada", email, emailVerified: false, image, tokens: { refreshToken: null } },
    unverified: { account_id: "112233aa", email, name: "Ada", email_verified: true },
  },
  kakao: {
    make: kakao,
    authorizationEndpoint: "https://kauth.kakao.com/oauth/authorize",
    tokenEndpoint: "https://kauth.kakao.com/oauth/token",
    userinfoEndpoint: "https://kapi.kakao.com/v2/user/me",
    clientAuthentication: "post",
    scope: undefined,
    tokens: { ...bearer, token_type: "bearer", refresh_token_expires_in: 5184000, scope: "account_email profile" },
    user: kakaoUser(true, true),
    ended: { status: 400, body: { error: "invalid_grant", error_description: "expired_or_invalid_refresh_token", error_code: "KOE322" } },
    identity: { subject: "123456789", name: "Ada", email, emailVerified: true, image },
    unverified: kakaoUser(false, true),
  },
  figma: {
    make: figma,
    authorizationEndpoint: "https://www.figma.com/oauth",
    tokenEndpoint: "https://api.figma.com/v1/oauth/token",
    userinfoEndpoint: "https://api.figma.com/v1/me",
    clientAuthentication: "basic",
    scope: "current_user:read",
    tokens: { ...bearer, token_type: "bearer", expires_in: 7776000, user_id_string: "1234" },
    user: { id: "1234", handle: "Ada", img_url: image, email },
    ended: invalidGrant,
    identity: { subject: "1234", name: "Ada", email, emailVerified: false, image },
    unverified: { id: "1234", handle: "Ada", email, email_verified: true },
  },
  paypal: {
    make: paypal,
    authorizationEndpoint: "https://www.paypal.com/signin/authorize",
    tokenEndpoint: "https://api-m.paypal.com/v1/oauth2/token",
    userinfoEndpoint: "https://api-m.paypal.com/v1/identity/oauth2/userinfo?schema=paypalv1.1",
    clientAuthentication: "basic",
    scope: "openid profile email",
    tokens: { ...bearer, expires_in: "28800", nonce: "2022-01-01T00:00:00Z", scope: "openid profile email" },
    user: paypalUser(true),
    ended: { status: 400, body: { error: "invalid_refresh_token", error_description: "No consent were granted" } },
    identity: { subject: paypalUser(true).user_id, name: "Ada", email, emailVerified: true },
    unverified: paypalUser("true"),
  },
  "paypal, sandbox": {
    make: (options) => paypal({ environment: "sandbox", ...options }),
    authorizationEndpoint: "https://www.sandbox.paypal.com/signin/authorize",
    tokenEndpoint: "https://api-m.sandbox.paypal.com/v1/oauth2/token",
    userinfoEndpoint: "https://api-m.sandbox.paypal.com/v1/identity/oauth2/userinfo?schema=paypalv1.1",
    clientAuthentication: "basic",
    scope: "openid profile email",
    tokens: bearer,
    user: paypalUser(true),
    ended: { status: 400, body: { error: "invalid_refresh_token", error_description: "No consent were granted" } },
    identity: { email, emailVerified: true },
    unverified: paypalUser(false),
  },
  tiktok: {
    make: tiktok,
    authorizationEndpoint: "https://www.tiktok.com/v2/auth/authorize/",
    tokenEndpoint: "https://open.tiktokapis.com/v2/oauth/token/",
    userinfoEndpoint: "https://open.tiktokapis.com/v2/user/info/?fields=open_id,avatar_url,display_name",
    clientAuthentication: "post",
    clientIdParameter: "client_key",
    pkce: "refused",
    scope: "user.info.basic",
    tokens: { ...bearer, expires_in: 86400, refresh_expires_in: 31536000, open_id: "723f24d7", scope: "user.info.basic,video.list" },
    user: {
      data: { user: { open_id: "723f24d7", union_id: "c9c60f44", avatar_url: image, display_name: "Ada" } },
      error: { code: "ok", message: "", log_id: "20220829194722CBE87ED59D524E727021" },
    },
    ended: invalidGrant,
    identity: {
      subject: "723f24d7",
      name: "Ada",
      email: null,
      emailVerified: false,
      image,
      tokens: { scope: "user.info.basic video.list" },
    },
    unverified: undefined,
  },
};
