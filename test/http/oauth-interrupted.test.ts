import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Strategy } from "passport";
import { kitCollections } from "../../lib/adapters/sql/collections.ts";
import { transactionCollection } from "../../lib/core/transactions.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { oidc } from "../../strategies/oidc.ts";
import { identify } from "../../lib/index.ts";
import { CASES, type Verify } from "../passport/cases.ts";
import { loginAt, type OidcProvider } from "../support/oidc-provider.ts";
import {
  briefly, CLIENT, locationOf, PAGE, signInAt, startKnownProvider, startProviderApp, userOf, type Person, type ProviderApp,
} from "../support/provider-app.ts"; // prettier-ignore
import { openTestStore } from "../support/test-store.ts";

let provider: OidcProvider;
const closing: ProviderApp[] = [];

beforeAll(async () => {
  provider = await startKnownProvider();
});
afterAll(() => provider.close());
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

/** An application; with `over` another process of it, over the same store. */
async function start(over?: RecordStore): Promise<ProviderApp> {
  const scope = ["openid", "email", "profile", "offline_access"];
  const app = await startProviderApp({
    strategies: [oidc({ issuer: provider.issuer, ...CLIENT, scope, authorizationParameters: { prompt: "consent" } })],
    makeStore: (clock) => over ?? openTestStore({ clock }),
  });
  closing.push(app);
  return app;
}

const begin = async (person: Person) => locationOf(await person.go("/auth/login/oidc?return_to=/welcome"));
const bindingOf = (person: Person) => ({ headers: { ...PAGE, cookie: `__Host-sid-oauth=${person.cookie("__Host-sid-oauth")}` } });

describe("a sign-in that is interrupted", () => {
  it("is finished by another process than began it, as after a restart", async () => {
    const before = await start();
    const ada = before.person();
    const callback = await loginAt(provider, await begin(ada), "ada");
    const after = await start(before.store);

    const back = await after.person().go(callback, bindingOf(ada));

    expect(await briefly(back)).toEqual([303, "/welcome"]);
  });

  it("rule 2: is refused by a page that says how to begin again, when the store lost it", async () => {
    const app = await start();
    const ada = app.person();
    const callback = await loginAt(provider, await begin(ada), "ada");
    const { records } = await app.store.scan(transactionCollection);
    for (const { partition, id } of records) {
      await app.store.commit([{ op: "delete", in: transactionCollection, key: { partition, id } }]);
    }

    const page = await ada.go(callback);
    expect(page.status).toBe(401);
    expect(await page.text()).toMatch(/This sign-in has expired.*<a href="\/auth\/login\/oidc">Try again<\/a>/s);
    const problem = await ada.go(callback, { headers: { accept: "application/json" } });
    expect(await briefly(problem)).toEqual([401, "transaction_not_found"]);
    expect((await signInAt(provider, ada, "ada")).status).toBe(303);
  });

  it("rule 23: is refused the same way without the cookie it began with, and is not spent", async () => {
    const app = await start();
    const ada = app.person();
    const callback = await loginAt(provider, await begin(ada), "ada");

    const page = await app.person().go(callback);
    expect([page.status, (await page.text()).includes("Try again")]).toEqual([401, true]);
    expect(await app.auth.sessions.count()).toBe(0);
    expect(await briefly(await ada.go(callback))).toEqual([303, "/welcome"]);
  });

  it("leads to the start page by the back button, once it was finished", async () => {
    const app = await start();
    const ada = app.person();
    const callback = await loginAt(provider, await begin(ada), "ada");
    await ada.go(callback);
    const user = await userOf(ada);

    expect(await briefly(await ada.go(callback))).toEqual([303, "/"]);
    expect(await userOf(ada)).toEqual(user);
  });
});

describe("what a dump of the store shows", () => {
  it("rule 27: is none of a provider's tokens, neither of a sign-in nor of a refresh", async () => {
    const app = await start();
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const { id = "" } = (await userOf(ada)) ?? {};
    const [account] = await app.auth.accounts.listForUser(id);
    const first = await app.auth.accounts.getTokens(account?.id ?? "");
    const { accessToken } = await app.auth.accounts.freshToken(id, "oidc", { refused: first?.accessToken });
    const second = await app.auth.accounts.getTokens(account?.id ?? "");
    expect(accessToken).not.toBe(first?.accessToken);

    const dump = await dumpOf(app.store);

    const secrets = [first, second].flatMap((tokens) => [tokens?.accessToken, tokens?.refreshToken, tokens?.idToken]);
    expect(secrets.every((secret) => (secret ?? "").length > 40)).toBe(true);
    expect(dump).toContain("providerId");
    expect(secrets.filter((secret) => dump.includes(secret ?? ""))).toEqual([]);
  });

  it("rule 27: is nothing that finishes a sign-in under way, of OpenID Connect or of OAuth 1.0a", async () => {
    const twitter = await CASES.find(({ name }) => name === "twitter")?.start();
    if (!twitter) throw new Error("There is no case of OAuth 1.0a");
    let kept: Record<string, unknown>[] = [];
    const app = await startProviderApp({
      strategies: [oidc({ issuer: provider.issuer, ...CLIENT }), twitter.strategy(identify("twitter") as Verify, {})].map((strategy) =>
        seeing(strategy as Strategy, (session) => (kept = [...kept, session])),
      ),
    });
    closing.push(app);
    const ada = app.person();

    const [here, there] = [await begin(ada), locationOf(await ada.go("/auth/login/twitter"))].map((url) => new URL(url).searchParams);
    const dump = await dumpOf(app.store);

    // All texts of some length that a strategy remembers: state, nonce, verifier, and the token and its secret.
    const secrets = textsIn(kept).filter((text) => text.length > 15 && !text.startsWith("http"));
    expect(secrets).toEqual(expect.arrayContaining([here?.get("state"), here?.get("nonce"), there?.get("oauth_token")]));
    expect(JSON.stringify(kept)).toMatch(/codeVerifier.*oauth_token_secret/s);
    expect(dump).toContain('"provider":"twitter"');
    expect(secrets.filter((secret) => dump.includes(secret))).toEqual([]);
    await twitter.close();
  });
});

/** A strategy, and what it left in its session when it sent the browser on. */
function seeing(strategy: Strategy, saw: (session: Record<string, unknown>) => void): Strategy {
  const authenticate = strategy.authenticate as (this: Strategy, req: object, options: object) => unknown;
  strategy.authenticate = function (this: Strategy, req, options) {
    saw((req as unknown as { session: Record<string, unknown> }).session);
    return authenticate.call(this, req, options);
  };
  return strategy;
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

async function dumpOf(store: RecordStore): Promise<string> {
  let dump = "";
  for (const collection of kitCollections) {
    for (const { value, ...rest } of (await store.scan(collection)).records) {
      dump += `${Buffer.from(value).toString("latin1")}${JSON.stringify(rest)}\n`;
    }
  }
  return dump;
}
