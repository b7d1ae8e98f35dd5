import { generateKeyPairSync } from "node:crypto";
import { CompactEncrypt, decodeJwt, exportJWK, importJWK, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuthError } from "../../lib/errors.ts";
import { oidc } from "../../strategies/oidc.ts";
import { loginAt, startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const SECRET = "a client secret of the tests alone";
const key = async (alg: "RS256" | "ES256") => {
  const { privateKey } =
    alg === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...(await exportJWK(privateKey)), kid: alg, use: "sig", alg };
};

let provider: OidcProvider;
let keys: Record<"RS256" | "ES256" | "stranger", Awaited<ReturnType<typeof key>>>;
beforeAll(async () => {
  keys = { RS256: await key("RS256"), ES256: await key("ES256"), stranger: await key("RS256") };
  provider = await startOidcProvider({
    clients: [
      ...(["RS256", "ES256"] as const).map((alg) => ({
        ...{ client_id: alg, client_secret: SECRET, redirect_uris: [CALLBACK], userinfo_signed_response_alg: alg },
      })),
      { client_id: "plain", client_secret: SECRET, redirect_uris: [CALLBACK] },
    ],
    configuration: { jwks: { keys: [keys.RS256, keys.ES256] }, features: { jwtUserinfo: { enabled: true } } },
  });
});
afterAll(() => provider.close());

/** What the provider answers, or what is made of it. */
type Change = (answer: string) => Promise<{ body: string; type?: string }>;

/** Signs in, with what the userinfo endpoint answers changed on the way. */
async function signIn(clientId: string, change: Change | null = null) {
  const types: (string | null)[] = [];
  const strategy = oidc({
    ...{ issuer: provider.issuer, clientId, clientSecret: SECRET },
    async fetch(url, init) {
      const response = await fetch(url, init);
      if (!url.endsWith("/me")) return response;
      types.push(response.headers.get("content-type"));
      if (!change) return response;
      const { body, type = "application/jwt" } = await change(await response.text());
      return new Response(body, { headers: { "content-type": type } });
    },
  });
  const { url, session } = await beginWith(strategy);
  return { types, outcome: await completeWith(strategy, session, await loginAt(provider, url, "ada")) };
}

/** The same claims but for `changes`, signed anew as the provider does. */
function resigned(
  changes: Record<string, unknown>,
  { by = "RS256", alg = "RS256" }: { by?: keyof typeof keys; alg?: string } = {},
): Change {
  return async (answer) => {
    const signer = alg === "HS256" ? Buffer.from(SECRET) : await importJWK(keys[by], alg);
    const header = { alg, kid: "RS256" };
    return { body: await new SignJWT({ ...decodeJwt(answer), ...changes }).setProtectedHeader(header).sign(signer) };
  };
}

describe("the userinfo of a real provider", () => {
  it.each([
    ["RS256", "application/jwt; charset=utf-8"],
    ["ES256", "application/jwt; charset=utf-8"],
    ["plain", "application/json; charset=utf-8"],
  ])("is read when the client is registered for %s", async (clientId, type) => {
    const { outcome, types } = await signIn(clientId);

    expect(identityOf(outcome)).toMatchObject({ subject: "ada", email: "ada@example.com", emailVerified: true, name: "ada" });
    expect(types).toEqual([type]);
  });

  it("is taken without issuer, audience and times, which are not required", async () => {
    const { outcome } = await signIn("RS256", resigned({ iss: undefined, aud: undefined, exp: undefined, iat: undefined }));

    expect(identityOf(outcome).email).toBe("ada@example.com");
  });

  it.each<[string, Change, string]>([
    ["signed by a stranger who calls the key the provider's", resigned({}, { by: "stranger" }), "signature verification failed"],
    ["signed by the client's secret", resigned({}, { alg: "HS256" }), "alg"],
    ["not signed", async (answer) => ({ body: new UnsecuredJWT(decodeJwt(answer)).encode() }), "not allowed"],
    ["of another issuer", resigned({ iss: "https://another.example" }), "of another issuer"],
    ["for another client", resigned({ aud: "another" }), "for another client"],
    ["for nobody", resigned({ aud: [] }), "for another client"],
    ["about somebody else", resigned({ sub: "grace" }), "about somebody else"],
    ["about nobody", resigned({ sub: undefined }), "about somebody else"],
    ["that has expired", resigned({ exp: Math.floor(Date.now() / 1000) - 60 }), "exp"],
    ["that is not valid yet", resigned({ nbf: Math.floor(Date.now() / 1000) + 60 }), "nbf"],
    ["that is no JWT", async () => ({ body: "hello" }), "Invalid Compact JWS"],
    ["under the name of JSON", async (answer) => ({ body: answer, type: "application/json" }), "JSON"],
    ["as a page", async () => ({ body: '{"sub":"ada"}', type: "text/html" }), "answers text/html"],
  ])("rule 24: %s, is refused", async (_, change, why) => {
    const error = errorOf((await signIn("RS256", change)).outcome);

    expect(error).toMatchObject({ code: "invalid_provider_response", status: 502 });
    expect((error.cause as Error).message).toContain(why);
  });

  it("says that it is encrypted, which is not supported", async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const encrypted: Change = async (answer) => {
      const jwe = new CompactEncrypt(Buffer.from(answer)).setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM", cty: "JWT" });
      return { body: await jwe.encrypt(publicKey) };
    };

    const error: AuthError = errorOf((await signIn("RS256", encrypted)).outcome);

    expect(error.code).toBe("invalid_provider_response");
    expect((error.cause as Error).message).toContain("is encrypted: register for a signed one");
  });
});
