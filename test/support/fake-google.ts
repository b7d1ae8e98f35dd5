import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** What {@link startFakeGoogle} says about the person who signs in. */
export interface FakeGoogleUser {
  sub: string;
  email: string;
  email_verified: unknown;
  name: string;
  picture: string;
  /** The Workspace domain; consumer accounts have none. */
  hd: string | undefined;
}

export interface FakeGoogle {
  /** Where all of Google's hosts are served. */
  readonly origin: string;
  /** Sends requests for Google's hosts here. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Who signs in next; change it at will. */
  readonly user: FakeGoogleUser;
  /** What it was asked, as `POST /token`. */
  readonly requests: string[];
  /** Chooses an account at the consent page: the URL the browser is sent back to. */
  authorize(authorizationUrl: string): string;
  close(): Promise<void>;
}

const ISSUER = "https://accounts.google.com";
const HOSTS = [ISSUER, "https://oauth2.googleapis.com", "https://openidconnect.googleapis.com", "https://www.googleapis.com"];

/** As Google publishes it, as far as signing in goes. @see https://accounts.google.com/.well-known/openid-configuration */
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/o/oauth2/v2/auth`,
  token_endpoint: "https://oauth2.googleapis.com/token",
  userinfo_endpoint: "https://openidconnect.googleapis.com/v1/userinfo",
  jwks_uri: "https://www.googleapis.com/oauth2/v3/certs",
  response_types_supported: ["code", "token", "id_token"],
  response_modes_supported: ["query", "fragment", "form_post"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
  scopes_supported: ["openid", "email", "profile"],
  token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic"],
  code_challenge_methods_supported: ["plain", "S256"],
  grant_types_supported: ["authorization_code", "refresh_token"],
};

interface Code {
  readonly parameters: URLSearchParams;
  readonly user: FakeGoogleUser;
}

/** One for all: making RSA keys takes a tenth of a second. */
let keyPair: ReturnType<typeof generateKeyPair> | undefined;

/**
 * Google's documented OpenID endpoints under their own names: metadata, keys, token and userinfo, reached through `fetch`. Codes work once,
 * `redirect_uri` and PKCE are checked, claims are in the ID token, and a refresh token comes only for `access_type=offline`.
 *
 * @see https://developers.google.com/identity/openid-connect/openid-connect
 */
export async function startFakeGoogle({ clientId = "g-client", clientSecret = "g-secret" } = {}): Promise<FakeGoogle> {
  const { publicKey, privateKey } = await (keyPair ??= generateKeyPair("RS256"));
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "fake", alg: "RS256", use: "sig" }] };
  const codes = new Map<string, Code>();
  const refreshTokens = new Map<string, FakeGoogleUser>();
  const accessTokens = new Map<string, FakeGoogleUser>();
  const requests: string[] = [];
  const user: FakeGoogleUser = {
    sub: "110169484474386276334",
    email: "ada@gmail.example",
    email_verified: true,
    name: "Ada Lovelace",
    picture: "https://lh3.example.com/a/ada",
    hd: undefined,
  };

  const tokensFor = async (person: FakeGoogleUser, nonce: string | null) => {
    const accessToken = `ya29.${randomUUID()}`;
    accessTokens.set(accessToken, person);
    const idToken = new SignJWT({ azp: clientId, ...person, ...(nonce === null ? {} : { nonce }) })
      .setProtectedHeader({ alg: "RS256", kid: "fake", typ: "JWT" })
      .setIssuer(ISSUER)
      .setAudience(clientId)
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(privateKey);
    const scope = "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile";
    return { access_token: accessToken, expires_in: 3599, scope, token_type: "Bearer", id_token: await idToken };
  };

  const tokenReply = async (form: URLSearchParams): Promise<[number, object]> => {
    if (form.get("client_id") !== clientId || form.get("client_secret") !== clientSecret)
      return [401, { error: "invalid_client", error_description: "Unauthorized" }];
    if (form.get("grant_type") === "refresh_token") {
      const person = refreshTokens.get(form.get("refresh_token") ?? "");
      if (!person) return [400, { error: "invalid_grant", error_description: "Token has been expired or revoked." }];
      return [200, await tokensFor(person, null)];
    }
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url"); // prettier-ignore
    const expected = code?.parameters.get("code_challenge") ?? challenge;
    if (!code || code.parameters.get("redirect_uri") !== form.get("redirect_uri") || expected !== challenge)
      return [400, { error: "invalid_grant", error_description: "Bad Request" }];
    const reply = await tokensFor(code.user, code.parameters.get("nonce"));
    if (code.parameters.get("access_type") !== "offline") return [200, reply];
    const refreshToken = `1//${randomUUID()}`;
    refreshTokens.set(refreshToken, code.user);
    return [200, { ...reply, refresh_token: refreshToken }];
  };

  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const { pathname, searchParams } = new URL(req.url ?? "/", "http://google.localhost");
    requests.push(`${req.method} ${pathname}`);
    const json = (status: number, body: unknown) =>
      res.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));
    let text = "";
    for await (const chunk of req) text += String(chunk);
    if (pathname === "/.well-known/openid-configuration") return json(200, METADATA);
    if (pathname === "/oauth2/v3/certs") return json(200, jwks);
    if (req.method === "POST" && pathname === "/token") return json(...(await tokenReply(new URLSearchParams(text))));
    const bearer = /^bearer (.+)$/i.exec(req.headers.authorization ?? "")?.[1] ?? searchParams.get("access_token");
    const person = accessTokens.get(bearer ?? "");
    if (pathname === "/v1/userinfo" && person) return json(200, person);
    return json(401, { error: "invalid_request", error_description: "Invalid Credentials" });
  };

  const server = createServer((req, res) => void answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    origin,
    user,
    requests,
    fetch(url, init) {
      const host = HOSTS.find((each) => url.startsWith(`${each}/`));
      if (!host) throw new Error(`not Google's: ${url}`);
      return fetch(url.replace(host, origin), init);
    },
    authorize(authorizationUrl) {
      const url = new URL(authorizationUrl);
      const parameters = url.searchParams;
      const ours = [origin, ISSUER].includes(url.origin) && url.pathname === "/o/oauth2/v2/auth";
      if (!ours || parameters.get("client_id") !== clientId || parameters.get("response_type") !== "code") throw new Error("not ours");
      const code = `4/${randomUUID()}`;
      codes.set(code, { parameters, user: { ...user } });
      const back = new URL(parameters.get("redirect_uri") ?? "");
      for (const [name, value] of Object.entries({ state: parameters.get("state"), code, authuser: "0", prompt: "consent" }))
        if (value !== null) back.searchParams.set(name, value);
      if (parameters.get("scope")) back.searchParams.set("scope", "email profile openid");
      return back.href;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
