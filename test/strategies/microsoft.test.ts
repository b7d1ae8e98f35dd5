import { describe, expect, it } from "vitest";
import { microsoft, type MicrosoftOptions } from "../../strategies/microsoft.ts";
import { CLIENT, fakeProvider, type DocumentedProvider } from "../support/fake-provider.ts";
import { beginWith, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const HOST = "https://login.microsoftonline.com";
const ACME = "9122040d-6c67-4c5b-b112-36a304b66dad";
const OTHER = "11111111-2222-3333-4444-555555555555";

function entra(tenant: string, issuer: string, claims: object): DocumentedProvider {
  return {
    issuer: `${HOST}/${ACME}/v2.0`,
    discovery: { at: `${HOST}/${tenant}/v2.0`, issuer },
    authorizationEndpoint: `${HOST}/${tenant}/oauth2/v2.0/authorize`,
    tokenEndpoint: `${HOST}/${tenant}/oauth2/v2.0/token`,
    clientAuthentication: "post",
    tokens: { access_token: "at", token_type: "Bearer", expires_in: 3599, ext_expires_in: 3599 },
    user: { sub: "AAAA", name: "Ada", email: "ada@acme.example", ...claims },
  };
}

async function signIn(provider: DocumentedProvider, options: Partial<MicrosoftOptions> = {}) {
  const fake = await fakeProvider(provider);
  const strategy = microsoft({ clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: fake.fetch, ...options });
  const { url, session } = await beginWith(strategy);
  return completeWith(strategy, session, fake.authorize(url));
}

describe("a Microsoft tenant", () => {
  it.each([
    ["common", `${HOST}/{tenantid}/v2.0`],
    ["organizations", `${HOST}/{tenantid}/v2.0`],
    ["acme.example", `${HOST}/${ACME}/v2.0`],
    [ACME, `${HOST}/${ACME}/v2.0`],
  ])("of %s keeps accounts under the issuer of the person's directory", async (tenant, issuer) => {
    const identity = identityOf(await signIn(entra(tenant, issuer, { tid: ACME }), { tenant }));

    expect(identity).toMatchObject({ provider: "microsoft", issuer: `${HOST}/${ACME}/v2.0`, subject: "AAAA", emailVerified: false });
  });

  it.each([
    ["common", `${HOST}/{tenantid}/v2.0`, { tid: OTHER }],
    ["common", `${HOST}/{tenantid}/v2.0`, {}],
    [OTHER, `${HOST}/${OTHER}/v2.0`, { tid: ACME }],
    [OTHER, `${HOST}/${OTHER}/v2.0`, { tid: OTHER }],
  ])(
    "rule 24: of %s takes no ID token whose issuer is of another directory than its metadata and tid say",
    async (tenant, issuer, claims) => {
      expect(errorOf(await signIn(entra(tenant, issuer, claims), { tenant }))).toMatchObject({ code: "invalid_provider_response" });
    },
  );

  it.each(["https://evil.example/{tenantid}/v2.0", `${HOST}/{tenantid}/v2.0/../evil`])("rule 24: has no metadata of %s", async (issuer) => {
    await expect(signIn(entra("common", issuer, { tid: ACME }))).rejects.toMatchObject({ cause: { code: "invalid_provider_response" } });
  });

  it.each([true, "true", "1", 1, undefined])("rule 26: proves an address by xms_edov %j only if that is true", async (xms_edov) => {
    const provider = entra("common", `${HOST}/{tenantid}/v2.0`, { tid: ACME, email_verified: true, xms_edov });

    expect(identityOf(await signIn(provider)).emailVerified).toBe(xms_edov === true);
  });

  it("is checked at start", () => {
    for (const tenant of ["", "a/b", "https://login.microsoftonline.com", ".."])
      expect(() => microsoft({ clientId: "c", clientSecret: "s", tenant })).toThrow(/microsoft\.tenant/);
  });
});
