import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** A provider as its documentation has it: addresses, what its token endpoint answers, and what it says of a person. */
export interface DocumentedProvider {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** Absent where the ID token says it all. */
  readonly userinfoEndpoint?: string;
  /** Of an OpenID provider. */
  readonly issuer?: string;
  readonly clientAuthentication: "basic" | "post";
  readonly tokens: Readonly<Record<string, unknown>>;
  /** The userinfo answer, or the claims of the ID token. */
  readonly user: object;
}

const CLIENT = { id: "client", secret: "secret" };

/** Speaks a provider's documented endpoints through `fetch`, in process: an address that it does not document throws. */
export async function fakeProvider(provider: DocumentedProvider) {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  let nonce: string | null = null;

  const answer = async (url: string, init: RequestInit): Promise<unknown> => {
    const headers = new Headers(init.headers);
    if (provider.issuer !== undefined && url === `${provider.issuer}/.well-known/openid-configuration`)
      return {
        issuer: provider.issuer,
        authorization_endpoint: provider.authorizationEndpoint,
        token_endpoint: provider.tokenEndpoint,
        jwks_uri: `${provider.issuer}/keys`,
        token_endpoint_auth_methods_supported: [`client_secret_${provider.clientAuthentication}`],
        id_token_signing_alg_values_supported: ["ES256"],
      };
    if (provider.issuer !== undefined && url === `${provider.issuer}/keys`)
      return { keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", kid: "1", use: "sig" }] };
    if (url === provider.tokenEndpoint && init.method === "POST") {
      const form = new URLSearchParams(await new Response(init.body ?? null).text());
      const basic = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64")}`;
      const known =
        provider.clientAuthentication === "basic"
          ? headers.get("authorization") === basic
          : form.get("client_id") === CLIENT.id && form.get("client_secret") === CLIENT.secret;
      if (!known || form.get("code") !== "the-code" || !form.get("code_verifier")) throw new Error("not a documented token request");
      if (provider.issuer === undefined) return provider.tokens;
      const idToken = new SignJWT({ ...provider.user, nonce })
        .setProtectedHeader({ alg: "ES256", kid: "1" })
        .setIssuer(provider.issuer)
        .setAudience(CLIENT.id)
        .setIssuedAt()
        .setExpirationTime("1h");
      return { ...provider.tokens, id_token: await idToken.sign(privateKey) };
    }
    if (url === provider.userinfoEndpoint && headers.get("authorization") === `Bearer ${String(provider.tokens["access_token"])}`)
      return provider.user;
    throw new Error(`not documented: ${url}`);
  };

  return {
    fetch: async (url: string, init: RequestInit) => Response.json(await answer(url, init)),
    /** Agrees at the provider: where the browser is sent back to. */
    authorize(url: string): string {
      const { searchParams } = new URL(url);
      nonce = searchParams.get("nonce");
      return `${searchParams.get("redirect_uri")}?${new URLSearchParams({ code: "the-code", state: searchParams.get("state") ?? "" })}`;
    },
  };
}
