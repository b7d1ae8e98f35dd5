import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { requireAuth } from "../../lib/index.ts";
import { github } from "../../strategies/github.ts";
import { google } from "../../strategies/google.ts";
import { startFakeGitHub, type FakeGitHub } from "../support/fake-github.ts";
import { startFakeGoogle, type FakeGoogle } from "../support/fake-google.ts";
import { briefly, locationOf, startProviderApp, userOf, type Person, type ProviderApp } from "../support/provider-app.ts";
import { openTestStore } from "../support/test-store.ts";

let hub: FakeGitHub;
let fake: FakeGoogle;
const closing: ProviderApp[] = [];

beforeAll(async () => {
  hub = await startFakeGitHub();
});
afterAll(() => hub.close());
beforeEach(async () => {
  fake = await startFakeGoogle();
});
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
  await fake.close();
});

async function start(options: Parameters<typeof startProviderApp>[0] = {}): Promise<ProviderApp> {
  const offline = { access_type: "offline", prompt: "consent" };
  const strategies = [
    google({ clientId: "g-client", clientSecret: "g-secret", fetch: fake.fetch, authorizationParameters: offline }),
    github({ clientId: "gh-client", clientSecret: "gh-secret", baseUrl: hub.baseUrl }),
  ];
  const app = await startProviderApp({ strategies, ...options });
  closing.push(app);
  return app;
}

async function signIn(app: ProviderApp, person = app.person()): Promise<Person> {
  await person.go(fake.authorize(locationOf(await person.go("/auth/login/google"))));
  return person;
}

type Account = { id: string; provider: string };
const accountsOf = async (person: Person) => (await (await person.send("GET", "/auth/accounts")).json()) as Account[];

async function linkGitHub(person: Person): Promise<Response> {
  const begun = await person.send("POST", "/auth/accounts/github/link", { return_to: "/settings" });
  return person.go(hub.authorize(((await begun.json()) as { url: string }).url));
}

const form = (fields: Record<string, string> = {}, headers: Record<string, string> = {}) => ({
  method: "POST",
  headers: { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin", ...headers },
  body: new URLSearchParams(fields).toString(),
});

describe("linking an account", () => {
  it("begins with a button, which needs no fields", async () => {
    const app = await start();
    const ada = await signIn(app);

    const begun = await ada.go("/auth/accounts/github/link", form());

    expect(begun.status).toBe(303);
    expect(await briefly(await ada.go(hub.authorize(locationOf(begun))))).toEqual([303, "/"]);
    expect((await accountsOf(ada)).map(({ provider }) => provider).sort()).toEqual(["github", "google"]);
  });

  it("rule 26: needs a sign-in of the last ten minutes", async () => {
    const app = await start();
    const ada = await signIn(app);
    app.clock.advance(601);

    expect(await briefly(await ada.send("POST", "/auth/accounts/github/link", {}))).toEqual([401, "insufficient_user_authentication"]);
    const [account] = await accountsOf(ada);
    expect(await briefly(await ada.send("DELETE", `/auth/accounts/${account?.id}`))).toEqual([401, "insufficient_user_authentication"]);
  });

  it("rule 25: begins by no GET and by no form of another site", async () => {
    const app = await start();
    const ada = await signIn(app);
    const cross = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };

    expect((await ada.go("/auth/accounts/github/link")).status).toBe(405);
    expect(await briefly(await ada.go("/auth/accounts/github/link", form({}, cross)))).toEqual([403, "cross_site_request"]);
    expect(ada.cookie("__Host-sid-oauth")).toBeDefined();
    // Going to sign in links nothing, whoever is signed in: it changes who is.
    hub.user.id = 1001;
    await ada.go(hub.authorize(locationOf(await ada.go("/auth/login/github"))));
    expect((await accountsOf(ada)).map(({ provider }) => provider)).toEqual(["github"]);
    hub.user.id = 583231;
  });

  it("rule 33: is not for an API key or a guest", async () => {
    const app = await start();
    const ada = await signIn(app);
    const { key } = await app.auth.apiKeys.create({ userId: (await userOf(ada))?.id ?? "", name: "ci" });
    const [account] = await accountsOf(ada);
    const bearer = { headers: { authorization: `Bearer ${key}`, accept: "application/json" } };

    expect(await briefly(await app.person().go("/auth/accounts", bearer))).toEqual([403, "credential_not_allowed"]);
    for (const [method, path] of [
      ["POST", "/auth/accounts/github/link"],
      ["DELETE", `/auth/accounts/${account?.id}`],
    ] as const)
      expect(await briefly(await app.person().go(path, { ...bearer, method }))).toEqual([403, "credential_not_allowed"]);
    const guest = app.person();
    await guest.send("POST", "/auth/guest", {});
    expect((await guest.send("POST", "/auth/accounts/github/link", {})).status).toBe(401);
    expect((await guest.send("GET", "/auth/accounts")).status).toBe(401);
  });

  it("twice is once, with the newer tokens", async () => {
    const app = await start();
    const ada = await signIn(app);
    await linkGitHub(ada);
    const before = await accountsOf(ada);

    expect(await briefly(await linkGitHub(ada))).toEqual([303, "/settings"]);

    expect(await accountsOf(ada)).toEqual(before);
    expect(app.events.filter(({ type }) => type === "account.linked")).toHaveLength(2);
  });

  it("with a provider there is none of is 404, and with one that signs in by a form is refused", async () => {
    const app = await start();
    const ada = await signIn(app);

    expect(await briefly(await ada.send("POST", "/auth/accounts/nobody/link", {}))).toEqual([404, "provider_not_found"]);
    expect(await briefly(await ada.send("POST", "/auth/reauthenticate", { method: "provider", provider: "github" }))).toEqual([
      400,
      "reauthentication_unsupported",
    ]);
    expect(await briefly(await ada.send("POST", "/auth/reauthenticate", { method: "provider" }))).toEqual([400, "invalid_request"]);
  });

  it("does not go on when the provider's answer is an error: nothing changes", async () => {
    const app = await start();
    const ada = await signIn(app);
    const begun = await ada.send("POST", "/auth/accounts/github/link", {});
    const state = new URL(((await begun.json()) as { url: string }).url).searchParams.get("state") ?? "";

    const back = await ada.go(`/auth/callback/github?error=access_denied&state=${state}`);

    expect(back.status).toBe(401);
    expect(await accountsOf(ada)).toHaveLength(1);
    expect((await userOf(ada))?.email).toBe("ada@gmail.example");
  });
});

describe("unlinking an account", () => {
  it("removes it, with its tokens, and the other way in stays", async () => {
    const app = await start();
    const ada = await signIn(app);
    await linkGitHub(ada);
    const [gone] = (await accountsOf(ada)).filter(({ provider }) => provider === "google");

    expect((await ada.send("DELETE", `/auth/accounts/${gone?.id}`)).status).toBe(200);

    expect((await accountsOf(ada)).map(({ provider }) => provider)).toEqual(["github"]);
    expect(await app.auth.accounts.getTokens(gone?.id ?? "")).toBeNull();
    expect((await ada.send("DELETE", `/auth/accounts/${gone?.id}`)).status).toBe(404);
  });

  it("rule 34: is not done to somebody else's", async () => {
    const app = await start();
    const ada = await signIn(app);
    fake.user.sub = "another";
    fake.user.email = "grace@gmail.example";
    const grace = await signIn(app);
    const [theirs] = await accountsOf(ada);

    expect(await briefly(await grace.send("DELETE", `/auth/accounts/${theirs?.id}`))).toEqual([404, "account_not_found"]);
    expect(await accountsOf(ada)).toHaveLength(1);
  });

  it("rule 26: of the last one is refused where no code can be mailed, and allowed to who has a proven address where it can", async () => {
    const mailing = await start();
    const reachable = await signIn(mailing);
    const [first] = await accountsOf(reachable);
    expect((await reachable.send("DELETE", `/auth/accounts/${first?.id}`)).status).toBe(200);

    fake.user.email_verified = false;
    const unreachable = await signIn(mailing);
    const [only] = await accountsOf(unreachable);
    expect(await briefly(await unreachable.send("DELETE", `/auth/accounts/${only?.id}`))).toEqual([409, "last_way_in"]);
  });

  it("rule 26: of the last one is refused in production without mail, where an address opens nothing", async () => {
    const before = process.env["NODE_ENV"];
    process.env["NODE_ENV"] = "production";
    try {
      const app = await start({ email: undefined, makeStore: (clock) => ({ ...openTestStore({ clock }), persistent: true }) });
      const ada = await signIn(app);
      const [account] = await accountsOf(ada);

      expect((await userOf(ada))?.email).toBe("ada@gmail.example");
      expect(await briefly(await ada.send("DELETE", `/auth/accounts/${account?.id}`))).toEqual([409, "last_way_in"]);
    } finally {
      process.env["NODE_ENV"] = before;
    }
  });
});

describe("a provider's tokens", () => {
  it("rule 27: are fresh for code that asks, and their state for a browser that does", async () => {
    let freshToken: (userId: string) => Promise<unknown> = () => Promise.reject(new Error("not yet"));
    const app = await start({
      routes: (server, auth) => {
        freshToken = (userId) => auth.accounts.freshToken(userId, "google");
        server.get("/id", requireAuth(), (req, res) => void res.json(req.auth.userId));
      },
    });
    const ada = await signIn(app);
    const id = (await userOf(ada))?.id ?? "";
    const [account] = await app.auth.accounts.listForUser(id);
    const first = await app.auth.accounts.getTokens(account?.id ?? "");
    expect(await freshToken(id)).toMatchObject({ accessToken: first?.accessToken });
    app.clock.advance(3590);

    const told = await ada.send("POST", "/auth/accounts/google/refresh", {});

    const second = await app.auth.accounts.getTokens(account?.id ?? "");
    expect(second?.accessToken).not.toBe(first?.accessToken);
    expect(second?.refreshToken).toBe(first?.refreshToken);
    const text = await told.text();
    expect([told.status, text.includes("ya29."), text.includes("1//")]).toEqual([200, false, false]);
    expect(JSON.parse(text)).toEqual({
      id: account?.id,
      provider: "google",
      scope: expect.stringContaining("openid"),
      access_token_expires_at: new Date(second?.accessTokenExpiresAt ?? 0).toISOString(),
    });
    expect(fake.requests.filter((request) => request === "POST /token")).toHaveLength(2);
  });

  it("rule 33: are renewed for their owner's session alone", async () => {
    const app = await start();
    const ada = await signIn(app);
    const id = (await userOf(ada))?.id ?? "";
    const { key } = await app.auth.apiKeys.create({ userId: id, name: "ci", scopes: [] });
    const before = fake.requests.length;
    const guest = app.person();
    await guest.send("POST", "/auth/guest", {});
    const anonymous = app.person();
    const refresh = "/auth/accounts/google/refresh";

    expect(await briefly(await anonymous.send("POST", refresh, {}))).toEqual([401, "authentication_required"]);
    expect(await briefly(await guest.send("POST", refresh, {}))).toEqual([401, "authentication_required"]);
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    expect(await briefly(await anonymous.go(refresh, { method: "POST", headers, body: "{}" }))).toEqual([403, "credential_not_allowed"]);
    expect(fake.requests.length).toBe(before);
  });

  it("say when only signing in there again helps, and who cannot be asked", async () => {
    const app = await start();
    const ada = await signIn(app);
    const [account] = await accountsOf(ada);
    const tokens = await app.auth.accounts.getTokens(account?.id ?? "");
    await app.auth.accounts.saveTokens(account?.id ?? "", { ...tokens!, refreshToken: "1//revoked", accessTokenExpiresAt: 1 });

    expect(await briefly(await ada.send("POST", "/auth/accounts/google/refresh", {}))).toEqual([409, "reconnect_needed"]);
    expect(await accountsOf(ada)).toMatchObject([{ reconnect_needed: true }]);
    await signIn(app, ada);
    expect(await accountsOf(ada)).toMatchObject([{ reconnect_needed: false }]);
    expect(await briefly(await ada.send("POST", "/auth/accounts/github/refresh", {}))).toEqual([404, "account_not_found"]);
  });
});
