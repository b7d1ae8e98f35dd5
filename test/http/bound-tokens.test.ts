import { generateKeyPairSync } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { FreshToken } from "../../lib/index.ts";
import type { DPoPOptions } from "../../lib/oauth/dpop.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { oidc } from "../../strategies/oidc.ts";
import { startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import { APP, CLIENT, signInAt, startProviderApp, userOf, type ProviderApp } from "../support/provider-app.ts";
import { openTestStore } from "../support/test-store.ts";

const [KEY, OTHER_KEY] = [generateKeyPairSync("ec", { namedCurve: "P-256" }), generateKeyPairSync("ec", { namedCurve: "P-256" })];

let provider: OidcProvider;
const closing: ProviderApp[] = [];
beforeAll(async () => {
  provider = await startOidcProvider({
    clients: [{ client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret, redirect_uris: [`${APP}/auth/callback/oidc`] }],
    configuration: {
      rotateRefreshToken: true,
      features: { dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true } },
    },
  });
});
afterAll(() => provider.close());
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

/** An application whose tokens are bound to a key, unless told otherwise; with `over` another process of it. */
async function start(dpop: DPoPOptions | undefined = { privateKey: KEY.privateKey }, over?: RecordStore): Promise<ProviderApp> {
  const scope = ["openid", "email", "profile", "offline_access"];
  const app = await startProviderApp({
    strategies: [oidc({ issuer: provider.issuer, ...CLIENT, scope, prompt: "consent", dpop })],
    makeStore: (clock) => over ?? openTestStore({ clock }),
  });
  closing.push(app);
  return app;
}

/** Somebody who signed in, by id. */
async function signedIn(app: ProviderApp): Promise<string> {
  const ada = app.person();
  await signInAt(provider, ada, "ada");
  return (await userOf(ada))?.id ?? "";
}

/** Calls the provider's API as its documentation has it: with a proof where there is one, and again with the nonce that is wanted. */
async function call({ tokenType, accessToken, proof }: FreshToken, nonce: string | null = null): Promise<number> {
  const url = `${provider.issuer}/me`;
  const headers = new Headers({ authorization: `${tokenType} ${accessToken}` });
  if (proof) headers.set("dpop", await proof({ method: "GET", url, nonce }));
  const answer = await fetch(url, { headers });
  const wanted = answer.headers.get("dpop-nonce");
  return answer.status === 401 && wanted !== null && nonce === null
    ? call({ tokenType, accessToken, proof } as FreshToken, wanted)
    : answer.status;
}

const revoked = async (app: ProviderApp, id: string) => {
  const [account] = await app.auth.accounts.listForUser(id);
  return (await app.auth.accounts.getTokens(account?.id ?? ""))?.accessToken;
};

describe("bound tokens (DPoP) of an account", () => {
  it("call the provider's API with proofs, which they are refused without", async () => {
    const app = await start();
    const token = await app.auth.accounts.freshToken(await signedIn(app), "oidc");

    expect([token.tokenType, typeof token.proof]).toEqual(["DPoP", "function"]);
    expect(await call(token)).toBe(200);
    expect(await call({ ...token, tokenType: "Bearer", proof: null })).toBe(401);
  });

  it("rule 27: are renewed by any process that has the key, and by one of all at once", async () => {
    const app = await start();
    const id = await signedIn(app);
    const elsewhere = await start(undefined, app.store);
    const refused = await revoked(app, id);
    const before = provider.requests.filter((request) => request === "POST /token").length;

    const given = await Promise.all([app, elsewhere, app, elsewhere].map(({ auth }) => auth.accounts.freshToken(id, "oidc", { refused })));

    expect(new Set(given.map(({ accessToken }) => accessToken)).size).toBe(1);
    expect(given[0]?.accessToken).not.toBe(refused);
    for (const token of given) expect(await call(token)).toBe(200);
    // One process had asked for no nonce yet, so its first request may be made twice.
    expect(provider.requests.filter((request) => request === "POST /token").length - before).toBeLessThanOrEqual(2);
  });

  it("are replaced at once when the application has another key, and by bearer tokens when it has none", async () => {
    const app = await start();
    const id = await signedIn(app);
    const first = await app.auth.accounts.freshToken(id, "oidc");
    const changed = await (await start({ privateKey: OTHER_KEY.privateKey }, app.store)).auth.accounts.freshToken(id, "oidc");
    expect(changed.accessToken).not.toBe(first.accessToken);
    expect([changed.tokenType, await call(changed)]).toEqual(["DPoP", 200]);

    const plain = await startProviderApp({
      strategies: [oidc({ issuer: provider.issuer, ...CLIENT })],
      makeStore: () => app.store,
    });
    closing.push(plain);
    const bearer = await plain.auth.accounts.freshToken(id, "oidc");
    expect([bearer.tokenType, bearer.proof, await call(bearer)]).toEqual(["Bearer", null, 200]);

    // What is good as a bearer token stays so until it is due, and is bound from then on.
    expect(await app.auth.accounts.freshToken(id, "oidc")).toMatchObject({ tokenType: "Bearer", accessToken: bearer.accessToken });
    const bound = await app.auth.accounts.freshToken(id, "oidc", { refused: bearer.accessToken });
    expect([bound.tokenType, await call(bound)]).toEqual(["DPoP", 200]);
  });
});
