import { afterEach, describe, expect, it } from "vitest";
import { microsoft } from "../../strategies/microsoft.ts";
import { CLIENT, fakeProvider } from "../support/fake-provider.ts";
import { briefly, locationOf, startProviderApp, userOf, type ProviderApp } from "../support/provider-app.ts";

const closing: ProviderApp[] = [];
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

const HOST = "https://login.microsoftonline.com";
const ACME = "9122040d-6c67-4c5b-b112-36a304b66dad";
const SID = "00c9a5e6-3f1b-4a0e-9d1c-6b8d3b1f2a77";
const FRAME = { headers: { "sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site" } };

/** An application of `tenant`, and Ada signed in through it, in a session of Entra's. */
async function start(tenant: string, claims: object = { sid: SID }) {
  const fake = await fakeProvider({
    issuer: `${HOST}/${ACME}/v2.0`,
    discovery: {
      at: `${HOST}/${tenant}/v2.0`,
      issuer: tenant === "common" || tenant === "organizations" ? `${HOST}/{tenantid}/v2.0` : `${HOST}/${ACME}/v2.0`,
    },
    metadata: { frontchannel_logout_supported: true, end_session_endpoint: `${HOST}/${tenant}/oauth2/v2.0/logout` },
    authorizationEndpoint: `${HOST}/${tenant}/oauth2/v2.0/authorize`,
    tokenEndpoint: `${HOST}/${tenant}/oauth2/v2.0/token`,
    clientAuthentication: "post",
    tokens: { access_token: "at", token_type: "Bearer", expires_in: 3599 },
    user: { sub: "AAAA", name: "Ada", tid: ACME, ...claims },
  });
  const app = await startProviderApp({
    strategies: [microsoft({ clientId: CLIENT.id, clientSecret: CLIENT.secret, fetch: fake.fetch, tenant })],
  });
  closing.push(app);
  const ada = app.person();
  expect(await briefly(await ada.go(fake.authorize(locationOf(await ada.go("/auth/login/microsoft")))))).toEqual([303, "/"]);
  expect(await userOf(ada)).toMatchObject({ name: "Ada" });
  const frame = (query: Record<string, string>) => app.person().go(`/auth/logout/microsoft/frame?${new URLSearchParams(query)}`, FRAME);
  return { ada, frame };
}

describe("a sign-out that Entra shows in a frame", () => {
  it.each(["common", "organizations", "acme.example", ACME])("ends the session of %s by its name alone", async (tenant) => {
    const { ada, frame } = await start(tenant);

    const page = await frame({ sid: SID });

    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toMatch(new RegExp(`frame-ancestors ${HOST}$`));
    expect(await userOf(ada)).toBeNull();
  });

  it.each(["common", ACME])("ends the session of %s with the issuer of the person's directory beside, too", async (tenant) => {
    const { ada, frame } = await start(tenant);
    expect((await frame({ iss: `${HOST}/${ACME}/v2.0`, sid: SID })).status).toBe(200);
    expect(await userOf(ada)).toBeNull();
  });

  it("ends nobody's session by another name, without one, or with an issuer that is none of Entra's", async () => {
    const { ada, frame } = await start("common");
    expect((await frame({ sid: SID.replace("7", "8") })).status).toBe(200);
    expect((await frame({ iss: `${HOST}/${ACME}/v2.0` })).status).toBe(400);
    expect((await frame({ iss: "https://evil.example/v2.0", sid: SID })).status).toBe(400);
    expect((await frame({ iss: HOST, sid: SID })).status).toBe(400);
    expect(await userOf(ada)).toMatchObject({ name: "Ada" });
  });
});

describe("a sign-out that begins here", () => {
  it.each(["common", "organizations", "acme.example", ACME])("tells Entra of %s whose session to end", async (tenant) => {
    const { ada } = await start(tenant);

    const { url } = (await (await ada.send("POST", "/auth/sign-out/provider", {})).json()) as { url: string };

    const { pathname, searchParams } = new URL(url);
    expect(pathname).toBe(`/${tenant}/oauth2/v2.0/logout`);
    const [, claims = ""] = searchParams.get("id_token_hint")?.split(".") ?? [];
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({ iss: `${HOST}/${ACME}/v2.0`, sid: SID });
  });
});
