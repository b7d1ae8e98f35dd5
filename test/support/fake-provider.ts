import { createHash } from "node:crypto";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** A provider as its documentation has it: addresses, what its token endpoint answers, and what it says of a person. */
export interface DocumentedProvider {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** With its query. Absent where the ID token says it all. */
  readonly userinfoEndpoint?: string;
  /** Default: GET. */
  readonly userinfoMethod?: "GET" | "POST";
  /** Further pages about the person, by address. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** Headers that its API wants beside the access token. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of an OpenID provider: what its ID tokens say. */
  readonly issuer?: string;
  /** Where its metadata is, and what that says. Default: `issuer`. */
  readonly discovery?: { readonly at: string; readonly issuer: string };
  /** What else its metadata says. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Default: by a published key. */
  readonly idTokenAlgorithm?: "HS256";
  readonly clientAuthentication: "basic" | "post" | "signed";
  /** Default: `client_id`. */
  readonly clientIdParameter?: string;
  /** Default: `form`. */
  readonly tokenRequest?: "form" | "json";
  /** Default: `used`. */
  readonly pkce?: "used" | "refused";
  readonly tokens: Readonly<Record<string, unknown>>;
  /** The userinfo answer, or the claims of the ID token. */
  readonly user: object;
}

export const CLIENT = { id: "client", secret: "secret" };

/** Speaks a provider's documented endpoints through `fetch`, in process: an address that it does not document throws. */
export async function fakeProvider(provider: DocumentedProvider) {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const { issuer, discovery = { at: issuer ?? "", issuer: issuer ?? "" } } = provider;
  const tokenRequests: Record<string, string>[] = [];
  let nonce: string | null = null;
  let challenge: string | null = null;

  const metadata = () => ({
    issuer: discovery.issuer,
    authorization_endpoint: provider.authorizationEndpoint,
    token_endpoint: provider.tokenEndpoint,
    ...(provider.userinfoEndpoint === undefined ? {} : { userinfo_endpoint: provider.userinfoEndpoint }),
    jwks_uri: `${discovery.at}/keys`,
    token_endpoint_auth_methods_supported: [provider.clientAuthentication === "basic" ? "client_secret_basic" : "client_secret_post"],
    id_token_signing_alg_values_supported: ["ES256"],
    ...provider.metadata,
  });

  const idToken = () => {
    const { idTokenAlgorithm: alg = "ES256" } = provider;
    const claims = new SignJWT({ iss: issuer ?? "", aud: CLIENT.id, ...(nonce === null ? {} : { nonce }), ...provider.user })
      .setProtectedHeader({ alg, ...(alg === "ES256" ? { kid: "1" } : {}) })
      .setIssuedAt()
      .setExpirationTime("1h");
    return claims.sign(alg === "ES256" ? privateKey : Buffer.from(CLIENT.secret));
  };

  const tokenReply = async (init: RequestInit) => {
    const headers = new Headers(init.headers);
    const body = await new Response(init.body ?? null).text();
    const json = provider.tokenRequest === "json";
    if ((headers.get("content-type") === "application/json") !== json) throw new Error("not the documented kind of body");
    const form = new Map(
      Object.entries(json ? (JSON.parse(body) as Record<string, string>) : Object.fromEntries(new URLSearchParams(body))),
    );
    tokenRequests.push(Object.fromEntries(form));
    const basic = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64")}`;
    const named = form.get(provider.clientIdParameter ?? "client_id") === CLIENT.id;
    const known = {
      basic: headers.get("authorization") === basic,
      post: named && form.get("client_secret") === CLIENT.secret,
      signed: named && form.get("client_secret")?.split(".").length === 3,
    };
    if (!known[provider.clientAuthentication]) throw new Error("not the documented client authentication");
    if (form.get("grant_type") === "refresh_token" && form.get("refresh_token") === provider.tokens["refresh_token"])
      return { ...provider.tokens, access_token: "at2", ...(issuer === undefined ? {} : { id_token: await idToken() }) };
    const verifier = form.get("code_verifier");
    const proven = verifier === undefined ? null : createHash("sha256").update(verifier).digest("base64url");
    const documented = form.get("grant_type") === "authorization_code" && form.get("code") === "the-code";
    if (!documented || !form.get("redirect_uri")) throw new Error("not a documented token request");
    if (proven !== challenge || (challenge === null) !== (provider.pkce === "refused")) throw new Error("not the documented PKCE");
    return issuer === undefined ? provider.tokens : { ...provider.tokens, id_token: await idToken() };
  };

  const answer = async (url: string, init: RequestInit): Promise<unknown> => {
    const headers = new Headers(init.headers);
    const { method = "GET" } = init;
    if (issuer !== undefined && url === `${discovery.at.replace(/\/$/, "")}/.well-known/openid-configuration`) return metadata();
    if (issuer !== undefined && url === `${discovery.at}/keys`)
      return { keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", kid: "1", use: "sig" }] };
    if (url === provider.tokenEndpoint && method === "POST") return await tokenReply(init);
    if (headers.get("authorization") !== `Bearer ${String(provider.tokens["access_token"])}`) throw new Error(`not documented: ${url}`);
    for (const [name, value] of Object.entries(provider.headers ?? {}))
      if (headers.get(name) !== value) throw new Error(`${name} is missing`);
    if (
      provider.userinfoEndpoint !== undefined &&
      decodeURIComponent(url) === provider.userinfoEndpoint &&
      method === (provider.userinfoMethod ?? "GET")
    )
      return provider.user;
    const more = provider.more?.[url];
    if (more === undefined || method !== "GET") throw new Error(`not documented: ${method} ${url}`);
    return more;
  };

  return {
    /** The fields of the token requests that came. */
    tokenRequests,
    fetch: async (url: string, init: RequestInit) => Response.json(await answer(url, init)),
    /** A logout token of these claims. */
    logoutToken: (claims: Readonly<Record<string, unknown>>) =>
      new SignJWT({ aud: CLIENT.id, jti: "1", events: { "http://schemas.openid.net/event/backchannel-logout": {} }, ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "1", typ: "logout+jwt" })
        .setIssuedAt()
        .sign(privateKey),
    /** Agrees at the provider: where the browser is sent back to. */
    authorize(url: string, answered: Readonly<Record<string, string>> = {}): string {
      const { searchParams } = new URL(url);
      nonce = searchParams.get("nonce");
      challenge = searchParams.get("code_challenge");
      const state = searchParams.get("state") ?? "";
      return `${searchParams.get("redirect_uri")}?${new URLSearchParams({ code: "the-code", state, ...answered })}`;
    },
  };
}
