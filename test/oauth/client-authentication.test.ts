import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { exportJWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeProvider, CLIENT } from "../support/fake-provider.ts";
import type { PrivateKeyAuthentication } from "../../lib/oauth/client-authentication.ts";
import { oauth2 } from "../../strategies/oauth2.ts";
import { oidc } from "../../strategies/oidc.ts";
import { tiktok } from "../../strategies/tiktok.ts";
import { loginAt, startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const keys = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  stranger: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
const pem = ({ privateKey }: { privateKey: KeyObject }) => privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const jwk = async (alg: "RS256" | "ES256") => ({ kty: "", ...(await exportJWK(keys[alg].publicKey)), kid: alg, alg, use: "sig" });

const METHODS = ["client_secret_basic", "client_secret_post"] as const;
/** With all that a form writes otherwise, or does not. */
const SECRET = "a-b_c.d*e~f g+h%i/j:k&l=";

let provider: OidcProvider;
beforeAll(async () => {
  provider = await startOidcProvider({
    clients: [
      {
        client_id: "keyed",
        token_endpoint_auth_method: "private_key_jwt",
        jwks: { keys: [await jwk("RS256"), await jwk("ES256")] },
        redirect_uris: [CALLBACK],
      },
      ...METHODS.map((method) => ({
        ...{ client_id: method, client_secret: SECRET, token_endpoint_auth_method: method, redirect_uris: [CALLBACK] },
      })),
    ],
  });
});
afterAll(() => provider.close());

const keyed = (clientAuthentication: PrivateKeyAuthentication) =>
  oidc({ issuer: provider.issuer, clientId: "keyed", clientAuthentication });

async function signIn(clientAuthentication: PrivateKeyAuthentication) {
  const strategy = keyed(clientAuthentication);
  const { url, session } = await beginWith(strategy);
  return completeWith(strategy, session, await loginAt(provider, url, "ada"));
}

describe("a client that signs who it is (private_key_jwt)", () => {
  it.each(["RS256", "ES256"] as const)("is known by its %s key, without any secret", async (alg) => {
    const identity = identityOf(await signIn({ privateKey: pem(keys[alg]), kid: alg }));

    expect(identity).toMatchObject({ subject: "ada", tokens: { accessToken: expect.any(String) as unknown } });
  });

  it("is refused with another key", async () => {
    expect(errorOf(await signIn({ privateKey: pem(keys.stranger), kid: "ES256" }))).toMatchObject({ code: "provider_error" });
  });

  it("is checked at start, and says nothing of the key", () => {
    const publicPem = keys.ES256.publicKey.export({ type: "spki", format: "pem" }).toString();
    const x25519 = pem(generateKeyPairSync("x25519"));
    expect(() => keyed({ privateKey: undefined, kid: "1" })).toThrow("oidc.clientAuthentication.privateKey: is missing");
    expect(() => keyed({ privateKey: publicPem, kid: "1" })).toThrow("oidc.clientAuthentication.privateKey: is no private key");
    expect(() => keyed({ privateKey: x25519, kid: "1" })).toThrow("oidc.clientAuthentication.privateKey: is of a kind that signs nothing");
    expect(() => keyed({ privateKey: pem(keys.RS256), kid: undefined })).toThrow("oidc.clientAuthentication.kid: is missing");
  });
});

describe("a client's secret", () => {
  /** A sign-in at the real provider, whose metadata says on the way that it takes `advertised`; and how the secret was shown. */
  async function signInBy(clientId: string, clientAuthentication: (typeof METHODS)[number] | undefined, advertised: unknown) {
    const shown: string[] = [];
    const strategy = oidc({
      ...{ issuer: provider.issuer, clientId, clientSecret: SECRET, clientAuthentication },
      async fetch(url, init) {
        if (url.endsWith("/token")) {
          const form = new URLSearchParams(await new Response(init.body ?? null).text());
          if (new Headers(init.headers).has("authorization")) shown.push("client_secret_basic");
          if (form.has("client_secret")) shown.push("client_secret_post");
        }
        const response = await fetch(url, init);
        if (!url.endsWith("/openid-configuration")) return response;
        return Response.json({ ...((await response.json()) as object), token_endpoint_auth_methods_supported: advertised });
      },
    });
    const { url, session } = await beginWith(strategy);
    const { subject } = identityOf(await completeWith(strategy, session, await loginAt(provider, url, "ada")));
    return { subject, shown };
  }

  it.each(
    METHODS.flatMap((method) => [METHODS.filter((other) => other !== method), undefined, METHODS, []].map((said) => ({ method, said }))),
  )("is shown by $method when that is asked for, though the metadata says $said", async ({ method, said }) => {
    expect(await signInBy(method, method, said)).toEqual({ subject: "ada", shown: [method] });
  });

  it.each([
    ["client_secret_post", METHODS],
    ["client_secret_post", ["client_secret_post"]],
    ["client_secret_basic", ["client_secret_basic"]],
    ["client_secret_basic", undefined],
    ["client_secret_basic", ["tls_client_auth"]],
  ])("is shown by %s where the metadata says %j", async (method, said) => {
    expect(await signInBy(method, undefined, said)).toEqual({ subject: "ada", shown: [method] });
  });

  it("reaches a provider that decodes nothing, in the Authorization header", async () => {
    const shown: (string | null)[] = [];
    const strategy = oauth2(
      {
        ...{ name: "plain", scope: [], clientAuthentication: "basic" },
        ...{ authorizationEndpoint: "https://plain.example/a", tokenEndpoint: "https://plain.example/t" },
        ...{ userinfoEndpoint: "https://plain.example/u", profile: () => ({ subject: "ada" }) },
      },
      {
        ...{ clientId: "M1-a_b.c", clientSecret: "s-e_c.r*t" },
        fetch: async (_url, init) => {
          shown.push(new Headers(init.headers).get("authorization"));
          return Response.json({ access_token: "at" });
        },
      },
    );
    const { url, session } = await beginWith(strategy);
    await completeWith(strategy, session, `${CALLBACK}?code=1&state=${new URL(url).searchParams.get("state")}`);

    expect(shown[0]).toBe(`Basic ${Buffer.from("M1-a_b.c:s-e_c.r*t").toString("base64")}`);
  });

  it.each(METHODS)("is shown by %s at a provider of plain OAuth 2 too", async (clientAuthentication) => {
    const fake = await fakeProvider({
      ...{ authorizationEndpoint: "https://plain.example/a", tokenEndpoint: "https://plain.example/t" },
      ...{ userinfoEndpoint: "https://plain.example/u", tokens: { access_token: "at" }, user: { id: "ada" } },
      clientAuthentication: clientAuthentication === "client_secret_basic" ? "basic" : "post",
    });
    for (const documented of ["basic", "post"] as const) {
      const strategy = oauth2<{ id: string }>(
        {
          ...{ name: "plain", scope: [], clientAuthentication: documented },
          ...{ authorizationEndpoint: "https://plain.example/a", tokenEndpoint: "https://plain.example/t" },
          ...{ userinfoEndpoint: "https://plain.example/u", profile: ({ id }) => ({ subject: id }) },
        },
        { clientId: CLIENT.id, clientSecret: CLIENT.secret, clientAuthentication, fetch: fake.fetch },
      );
      const { url, session } = await beginWith(strategy);
      expect(identityOf(await completeWith(strategy, session, fake.authorize(url))).subject).toBe("ada");
    }
  });

  it("is checked at start", () => {
    const client = { issuer: provider.issuer, clientId: "app" };
    for (const method of ["none", "private_key_jwt", "basic", ""])
      expect(() => oidc({ ...client, clientSecret: SECRET, clientAuthentication: method as "client_secret_basic" })).toThrow(
        'oidc.clientAuthentication: give "client_secret_basic", "client_secret_post", or { privateKey, kid }',
      );
    for (const clientAuthentication of METHODS) {
      expect(() => oidc({ ...client, clientSecret: null, clientAuthentication })).toThrow("oidc.clientSecret: set it");
      expect(() => oidc({ ...client, clientSecret: undefined, clientAuthentication })).toThrow("oidc.clientSecret: is missing");
    }
    expect(tiktok({ clientId: "key", clientSecret: SECRET, clientAuthentication: "client_secret_post" }).name).toBe("tiktok");
  });
});
