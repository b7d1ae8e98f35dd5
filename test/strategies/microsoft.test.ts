import { describe, expect, it } from "vitest";
import { createAccounts } from "../../lib/core/accounts.ts";
import { createProviderLogout } from "../../lib/core/provider-logout.ts";
import { createProviderSessions } from "../../lib/core/provider-sessions.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { createTestKit } from "../support/kit.ts";
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

const TEMPLATE = `${HOST}/{tenantid}/v2.0`;
const OF = (tenant: string) => `${HOST}/${tenant}/v2.0`;

async function strategyOf(provider: DocumentedProvider, options: Partial<MicrosoftOptions> = {}) {
  const fake = await fakeProvider(provider);
  return { fake, strategy: microsoft({ clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: fake.fetch, ...options }) };
}

async function signIn(provider: DocumentedProvider, options: Partial<MicrosoftOptions> = {}) {
  const { fake, strategy } = await strategyOf(provider, options);
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

  it.each([
    ["common", TEMPLATE, { iss: OF(ACME), tid: ACME }, OF(ACME)],
    ["organizations", TEMPLATE, { iss: OF(OTHER), tid: OTHER }, OF(OTHER)],
    ["acme.example", OF(ACME), { iss: OF(ACME), tid: ACME }, OF(ACME)],
    [ACME, OF(ACME), { iss: OF(ACME) }, OF(ACME)],
  ])("of %s reads logout tokens of the person's directory", async (tenant, issuer, claims, expected) => {
    const { strategy, fake } = await strategyOf(entra(tenant, issuer, {}), { tenant });

    const read = await strategy.readLogoutToken(await fake.logoutToken({ sub: "AAAA", ...claims }));

    expect(read).toMatchObject({ issuer: expected, subject: "AAAA" });
    expect(strategy.speaksFor(expected)).toBe(true);
  });

  it.each<[string, string, object]>([
    ["common", TEMPLATE, { iss: OF(ACME), tid: OTHER }],
    ["common", TEMPLATE, { iss: OF(ACME) }],
    ["common", TEMPLATE, { iss: OF(ACME), tid: [ACME] }],
    ["common", TEMPLATE, { iss: TEMPLATE }],
    ["common", TEMPLATE, { iss: TEMPLATE, tid: "{tenantid}" }],
    ["common", TEMPLATE, { iss: `${HOST}/common/v2.0`, tid: "common" }],
    ["common", TEMPLATE, { iss: OF(`${ACME}/v2.0/../evil`), tid: `${ACME}/v2.0/../evil` }],
    ["common", TEMPLATE, { tid: ACME }],
    [ACME, OF(ACME), { iss: OF(OTHER), tid: OTHER }],
    ["acme.example", OF(ACME), { iss: OF(OTHER), tid: OTHER }],
    ["acme.example", OF(ACME), { iss: `${HOST}/acme.example/v2.0`, tid: ACME }],
  ])("rule 29: of %s, whose metadata says %s, takes no logout token of %j", async (tenant, issuer, claims) => {
    const { strategy, fake } = await strategyOf(entra(tenant, issuer, {}), { tenant });

    const token = await fake.logoutToken({ sub: "AAAA", ...claims });

    await expect(strategy.readLogoutToken(token)).rejects.toMatchObject({ code: "invalid_logout_token" });
  });

  it.each([
    `${HOST}/{tenantid}/v2.0`,
    `${HOST}/common/v1.0`,
    `https://evil.example/${ACME}/v2.0`,
    `${HOST}/${ACME}/v2.0/x`,
    `${HOST}/${ACME}${OTHER}/v2.0`,
    "",
  ])("does not speak for %j", async (issuer) => {
    expect((await strategyOf(entra("common", TEMPLATE, {}))).strategy.speaksFor(issuer)).toBe(false);
  });

  it("ends the person's session at Microsoft too, with their own directory's ID token for a hint, and is told when it ends", async () => {
    const clock = createTestClock(Date.now());
    const end = `${HOST}/common/oauth2/v2.0/logout`;
    const documented = { ...entra("common", TEMPLATE, { tid: ACME }), metadata: { end_session_endpoint: end } };
    const { strategy, fake } = await strategyOf(documented, { clock });
    const kit = createTestKit({ clock });
    const { store, keys, events, sessions } = kit;
    const strategies = new Map([["microsoft", strategy]]);
    const accounts = createAccounts({ store, keys, clock, events, strategies });
    const providerSessions = createProviderSessions({ store, clock });
    const logout = createProviderLogout({ store, accounts, sessions, providerSessions, strategies });
    const { url, session } = await beginWith(strategy);
    const identity = identityOf(await completeWith(strategy, session, fake.authorize(url)));
    await accounts.link({ userId: "ada", identity });
    const { session: ours } = await sessions.create({ userId: "ada", methods: ["microsoft"] });

    const behind = await logout.behind(ours);
    expect(behind).toEqual({ provider: "microsoft", idToken: identity.tokens?.idToken });
    const out = new URL((await strategy.endSessionUrl({ idToken: behind?.idToken ?? null, returnTo: "https://app.example.com/" })) ?? "");
    expect(`${out.origin}${out.pathname}`).toBe(end);
    expect(out.searchParams.get("id_token_hint")).toBe(identity.tokens?.idToken);

    const told = async (tid: string) =>
      logout.withToken(await strategy.readLogoutToken(await fake.logoutToken({ sub: "AAAA", iss: OF(tid), tid, jti: tid })), {
        provider: "microsoft",
      });
    expect(await told(OTHER)).toEqual({ ended: 0 });
    expect(await told(ACME)).toEqual({ ended: 1 });
  });

  it("is checked at start", () => {
    for (const tenant of ["", "a/b", "https://login.microsoftonline.com", ".."])
      expect(() => microsoft({ clientId: "c", clientSecret: "s", tenant })).toThrow(/microsoft\.tenant/);
  });
});
