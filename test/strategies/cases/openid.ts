import { auth0 } from "../../../strategies/auth0.ts";
import { cognito } from "../../../strategies/cognito.ts";
import { gitlab } from "../../../strategies/gitlab.ts";
import { keycloak } from "../../../strategies/keycloak.ts";
import { line } from "../../../strategies/line.ts";
import { microsoft } from "../../../strategies/microsoft.ts";
import { okta } from "../../../strategies/okta.ts";
import { salesforce } from "../../../strategies/salesforce.ts";
import { slack } from "../../../strategies/slack.ts";
import { vercel } from "../../../strategies/vercel.ts";
import { yahoo } from "../../../strategies/yahoo.ts";
import { bearer, email, invalidGrant, type ProviderCase } from "./case.ts";

const claims = { sub: "U1", email, email_verified: true, name: "Ada", picture: "https://img.example.com/ada.png" };
const claimed = { subject: "U1", email, emailVerified: true, name: "Ada", image: "https://img.example.com/ada.png" };
const standard = {
  clientAuthentication: "post",
  scope: "openid email profile",
  tokens: bearer,
  ended: invalidGrant,
  user: claims,
  identity: claimed,
  unverified: { ...claims, email_verified: "true" },
} as const;

const directory = "9122040d-6c67-4c5b-b112-36a304b66dad";
const entra = "https://login.microsoftonline.com";
const worker = { sub: "AAAA-bbb", tid: directory, oid: "1", name: "Ada", preferred_username: "ada@acme.example", email };

/** Providers of OpenID Connect. */
export const openidCases: Readonly<Record<string, ProviderCase>> = {
  slack: {
    ...standard,
    make: slack,
    issuer: "https://slack.com",
    authorizationEndpoint: "https://slack.com/openid/connect/authorize",
    tokenEndpoint: "https://slack.com/api/openid.connect.token",
    tokens: { ok: true, ...bearer },
    ended: { status: 200, body: { ok: false, error: "invalid_refresh_token" } },
  },
  yahoo: {
    ...standard,
    make: yahoo,
    issuer: "https://api.login.yahoo.com",
    authorizationEndpoint: "https://api.login.yahoo.com/oauth2/request_auth",
    tokenEndpoint: "https://api.login.yahoo.com/oauth2/get_token",
    clientAuthentication: "basic",
  },
  gitlab: {
    ...standard,
    make: gitlab,
    issuer: "https://gitlab.com",
    authorizationEndpoint: "https://gitlab.com/oauth/authorize",
    tokenEndpoint: "https://gitlab.com/oauth/token",
  },
  "gitlab, self-hosted": {
    ...standard,
    make: (options) => gitlab({ baseUrl: "https://git.example.com/", ...options }),
    issuer: "https://git.example.com",
    authorizationEndpoint: "https://git.example.com/oauth/authorize",
    tokenEndpoint: "https://git.example.com/oauth/token",
  },
  microsoft: {
    ...standard,
    make: microsoft,
    issuer: `${entra}/${directory}/v2.0`,
    discovery: { at: `${entra}/common/v2.0`, issuer: `${entra}/{tenantid}/v2.0` },
    authorizationEndpoint: `${entra}/common/oauth2/v2.0/authorize`,
    tokenEndpoint: `${entra}/common/oauth2/v2.0/token`,
    // Named by the metadata, and not asked: it says nothing of an address's worth.
    userinfoEndpoint: "https://graph.microsoft.com/oidc/userinfo",
    user: { ...worker, xms_edov: true },
    identity: { issuer: `${entra}/${directory}/v2.0`, subject: "AAAA-bbb", email, emailVerified: true, name: "Ada" },
    unverified: { ...worker, email_verified: true },
  },
  salesforce: {
    ...standard,
    make: salesforce,
    issuer: "https://login.salesforce.com",
    authorizationEndpoint: "https://login.salesforce.com/services/oauth2/authorize",
    tokenEndpoint: "https://login.salesforce.com/services/oauth2/token",
    tokens: {
      access_token: "at",
      refresh_token: "rt",
      token_type: "Bearer",
      issued_at: "1278448384422",
      instance_url: "https://a.example",
    },
    user: { ...claims, sub: "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P" },
    identity: { ...claimed, subject: "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P" },
  },
  okta: {
    ...standard,
    make: (options) => okta({ issuer: "https://acme.okta.com/oauth2/default", ...options }),
    issuer: "https://acme.okta.com/oauth2/default",
    authorizationEndpoint: "https://acme.okta.com/oauth2/default/v1/authorize",
    tokenEndpoint: "https://acme.okta.com/oauth2/default/v1/token",
  },
  auth0: {
    ...standard,
    make: (options) => auth0({ domain: "acme.eu.auth0.com", ...options }),
    issuer: "https://acme.eu.auth0.com/",
    authorizationEndpoint: "https://acme.eu.auth0.com/authorize",
    tokenEndpoint: "https://acme.eu.auth0.com/oauth/token",
  },
  keycloak: {
    ...standard,
    make: (options) => keycloak({ issuer: "https://id.example.com/realms/acme", ...options }),
    issuer: "https://id.example.com/realms/acme",
    authorizationEndpoint: "https://id.example.com/realms/acme/protocol/openid-connect/auth",
    tokenEndpoint: "https://id.example.com/realms/acme/protocol/openid-connect/token",
    tokens: {
      ...bearer,
      expires_in: 300,
      refresh_expires_in: 1800,
      "not-before-policy": 0,
      session_state: "s1",
      scope: "openid email profile",
    },
  },
  cognito: {
    ...standard,
    make: (options) => cognito({ userPoolId: "eu-central-1_Ab12Cd34E", ...options }),
    issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab12Cd34E",
    authorizationEndpoint: "https://acme.auth.eu-central-1.amazoncognito.com/oauth2/authorize",
    tokenEndpoint: "https://acme.auth.eu-central-1.amazoncognito.com/oauth2/token",
    clientAuthentication: "basic",
  },
  line: {
    ...standard,
    make: line,
    issuer: "https://access.line.me",
    idTokenAlgorithm: "HS256",
    authorizationEndpoint: "https://access.line.me/oauth2/v2.1/authorize",
    tokenEndpoint: "https://api.line.me/oauth2/v2.1/token",
    userinfoEndpoint: "https://api.line.me/oauth2/v2.1/userinfo",
    user: { sub: "U4af4980629", name: "Ada", picture: "https://img.example.com/ada.png", email, amr: ["pwd"] },
    identity: { ...claimed, subject: "U4af4980629", emailVerified: false },
    unverified: { ...claims },
  },
  vercel: {
    ...standard,
    make: vercel,
    issuer: "https://vercel.com",
    authorizationEndpoint: "https://vercel.com/oauth/authorize",
    tokenEndpoint: "https://api.vercel.com/login/oauth/token",
  },
};
