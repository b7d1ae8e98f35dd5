import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { exportJWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PrivateKeyAuthentication } from "../../lib/oauth/client-authentication.ts";
import { oidc } from "../../strategies/oidc.ts";
import { loginAt, startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const keys = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  stranger: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
const pem = ({ privateKey }: { privateKey: KeyObject }) => privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const jwk = async (alg: "RS256" | "ES256") => ({ kty: "", ...(await exportJWK(keys[alg].publicKey)), kid: alg, alg, use: "sig" });

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
