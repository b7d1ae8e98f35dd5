import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { oidc, type OidcOptions } from "../../strategies/oidc.ts";
import { loginAt, type OidcProvider } from "../support/oidc-provider.ts";
import {
  briefly, CLIENT, locationOf, signInAt, startKnownProvider, startProviderApp, userOf, type Person, type ProviderApp,
} from "../support/provider-app.ts"; // prettier-ignore
import { openTestStore } from "../support/test-store.ts";

const OFFLINE = { scope: ["openid", "email", "profile", "offline_access"], authorizationParameters: { prompt: "consent" } };

/** Everything ever written to a store, as text. */
function remembering(store: RecordStore): { store: RecordStore; texts: string[] } {
  const texts: string[] = [];
  const remembered: RecordStore = {
    ...store,
    commit(writes) {
      for (const write of writes)
        if ("record" in write) texts.push(Buffer.from(write.record.value).toString("latin1"), JSON.stringify(write));
      return store.commit(writes);
    },
  };
  return { store: remembered, texts };
}

let provider: OidcProvider;
const closing: ProviderApp[] = [];

beforeAll(async () => {
  provider = await startKnownProvider();
});
afterAll(() => provider.close());
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});

const strategies = (options: Partial<OidcOptions> = {}) => [
  oidc({ issuer: provider.issuer, ...CLIENT, ...options }),
  oidc({ issuer: provider.issuer, ...CLIENT, name: "company" }),
];

async function start(options: Parameters<typeof startProviderApp>[0] = {}): Promise<ProviderApp> {
  const app = await startProviderApp({ strategies: strategies(), ...options });
  closing.push(app);
  return app;
}

const companyWith = (fetching: OidcOptions["fetch"]) => oidc({ issuer: provider.issuer, ...CLIENT, name: "company", fetch: fetching });

const tokenRequests = () => provider.requests.filter((request) => request === "POST /token").length;
const eventsOf = (app: ProviderApp, type: string) => app.events.filter((event) => event.type === type);

/** Links another account: from the POST to the callback's answer. */
async function link(person: Person, login: string, name = "company"): Promise<Response> {
  const begun = await person.send("POST", `/auth/accounts/${name}/link`, { return_to: "/settings" });
  const { url } = (await begun.json()) as { url: string };
  return person.go(await loginAt(provider, url, login));
}

describe("signing in through a provider", () => {
  it("makes a user, an account and a session, and leads back to where it began", async () => {
    const app = await start();
    const ada = app.person();

    const back = await signInAt(provider, ada, "ada", "/auth/login/oidc?return_to=/welcome");

    expect(await briefly(back)).toEqual([303, "/welcome"]);
    const user = await userOf(ada);
    expect(user).toMatchObject({ email: "ada@example.com", name: "ada" });
    const [session] = await app.auth.sessions.list(user?.id ?? "");
    expect(session).toMatchObject({ methods: ["oidc"], idp: { provider: "oidc", issuer: provider.issuer } });
    expect(await app.auth.accounts.listForUser(user?.id ?? "")).toMatchObject([
      { issuer: provider.issuer, accountId: "ada", pending: false },
    ]);
    expect(app.events.map(({ type }) => type)).toEqual(["account.linked", "user.created", "session.created", "sign_in.succeeded"]);
  });

  it("rule 1: takes one of 20 copies of a callback, and asks the provider once", async () => {
    const app = await start();
    const ada = app.person();
    const callback = await loginAt(provider, locationOf(await ada.go("/auth/login/oidc?return_to=/welcome")), "ada");
    const before = tokenRequests();

    const answers = await Promise.all(Array.from({ length: 20 }, () => ada.go(callback)));

    const brief = await Promise.all(answers.map(briefly));
    expect(brief.filter(([status]) => status === 303)).toEqual([[303, "/welcome"]]);
    expect(brief.filter(([status]) => status === 401)).toHaveLength(19);
    expect(tokenRequests() - before).toBe(1);
    expect(eventsOf(app, "session.created")).toHaveLength(1);
    expect(await app.auth.sessions.list((await userOf(ada))?.id ?? "")).toHaveLength(1);
  });

  it("rule 10: makes one user of 20 first sign-ins of one person at once", async () => {
    const app = await start();
    const tries = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const person = app.person();
        return { person, callback: await loginAt(provider, locationOf(await person.go("/auth/login/oidc")), "grace") };
      }),
    );

    const answers = await Promise.all(tries.map(({ person, callback }) => person.go(callback)));

    expect((await Promise.all(answers.map(briefly))).filter(([status]) => status !== 303)).toEqual([]);
    const users = new Set(await Promise.all(tries.map(async ({ person }) => (await userOf(person))?.id)));
    expect(users.size).toBe(1);
    const [id = ""] = users;
    expect(await app.auth.accounts.listForUser(id)).toHaveLength(1);
    expect(await app.auth.sessions.list(id)).toHaveLength(20);
    expect(eventsOf(app, "user.created")).toHaveLength(1);
  });

  it("rule 23: finishes ten tabs of one browser, in whatever order they come back", async () => {
    const app = await start();
    const ada = app.person();
    const callbacks: string[] = [];
    for (let tab = 0; tab < 10; tab += 1) {
      const begun = await ada.go(`/auth/login/oidc?return_to=/tab-${tab}`);
      callbacks.push(await loginAt(provider, locationOf(begun), "ada"));
    }

    const led: string[] = [];
    for (const callback of callbacks.reverse()) led.push(locationOf(await ada.go(callback)));

    expect(led).toEqual(Array.from({ length: 10 }, (_, tab) => `/tab-${9 - tab}`));
    expect(await app.auth.sessions.list((await userOf(ada))?.id ?? "")).toHaveLength(1);
  });

  it("rule 23: finishes ten tabs of one browser that come back shuffled, and all at once", async () => {
    const app = await start();
    const ada = app.person();
    const tabs = Array.from({ length: 10 }, (_, tab) => tab);
    const begin = async (tab: number) => loginAt(provider, locationOf(await ada.go(`/auth/login/oidc?return_to=/tab-${tab}`)), "ada");
    const callbacks: string[] = [];
    for (const tab of tabs) callbacks.push(await begin(tab));
    for (const tab of [3, 7, 0, 9, 1, 5, 8, 2, 6, 4]) {
      expect(await briefly(await ada.go(callbacks[tab] ?? ""))).toEqual([303, `/tab-${tab}`]);
    }
    const { id = "" } = (await userOf(ada)) ?? {};
    expect(await app.auth.sessions.list(id)).toHaveLength(1);

    const again: string[] = [];
    for (const tab of tabs) again.push(await begin(tab));
    const led = await Promise.all(again.map(async (callback) => locationOf(await ada.go(callback))));
    expect(led).toEqual(tabs.map((tab) => `/tab-${tab}`));
    expect(await userOf(ada)).toMatchObject({ id });
    expect(await app.auth.accounts.listForUser(id)).toHaveLength(1);
  });

  it("rule 23: refuses a callback in another browser, at another provider and with another state, and leaves it to whom it belongs", async () => {
    const app = await start();
    const [ada, victim] = [app.person(), app.person()];
    const callback = await loginAt(provider, locationOf(await ada.go("/auth/login/oidc")), "ada");
    const theirs = new URL(locationOf(await victim.go("/auth/login/oidc")));
    const before = tokenRequests();
    const forged = new URL(await loginAt(provider, locationOf(await ada.go("/auth/login/oidc")), "ada"));
    forged.searchParams.set("state", theirs.searchParams.get("state") ?? "");
    const elsewhere = callback.replace("/callback/oidc", "/callback/company");

    expect(await briefly(await app.person().go(callback))).toEqual([401, "Sign-in did not finish"]);
    expect(await briefly(await victim.go(callback))).toEqual([401, "Sign-in did not finish"]);
    expect(await briefly(await ada.go(elsewhere))).toEqual([401, "Sign-in did not finish"]);
    expect(tokenRequests()).toBe(before);
    // Login CSRF with the victim's own state: Ada's code was begun with another verifier and nonce.
    expect((await victim.go(forged.href)).status).toBe(502);
    expect(victim.cookie("__Host-sid")).toBeUndefined();
    expect(eventsOf(app, "session.created")).toEqual([]);
    expect(await briefly(await ada.go(callback))).toEqual([303, "/"]);
  });

  it("rule 7: knows no transaction that is ten minutes old", async () => {
    const app = await start();
    const ada = app.person();
    const callback = await loginAt(provider, locationOf(await ada.go("/auth/login/oidc")), "ada");
    app.clock.advance(600);
    const before = tokenRequests();

    expect(await briefly(await ada.go(callback, { headers: { accept: "application/json" } }))).toEqual([401, "transaction_not_found"]);
    expect(tokenRequests()).toBe(before);
  });

  it("rule 3: has spent a transaction whose sign-in failed", async () => {
    let down = false;
    const flaky = (url: string, init: RequestInit) =>
      down && url.endsWith("/token") ? Promise.reject(new Error("down")) : fetch(url, init);
    const app = await start({ strategies: strategies({ fetch: flaky }) });
    const ada = app.person();
    const callback = await loginAt(provider, locationOf(await ada.go("/auth/login/oidc")), "ada");
    down = true;
    expect((await ada.go(callback)).status).toBe(502);
    down = false;

    expect((await ada.go(callback)).status).toBe(401);
    expect((await signInAt(provider, ada, "ada")).status).toBe(303);
  });

  it("rule 12: ends the session that the browser had, under a new id and secret", async () => {
    const app = await start();
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const token = ada.cookie("__Host-sid") ?? "";
    const id = (await userOf(ada))?.id ?? "";
    const [before] = await app.auth.sessions.list(id);
    await signInAt(provider, ada, "ada");
    const [after, ...others] = await app.auth.sessions.list(id);

    expect(others).toEqual([]);
    expect(after?.id).not.toBe(before?.id);
    expect(ada.cookie("__Host-sid")).not.toBe(token);
    expect(await app.auth.sessions.resolve(token)).toMatchObject({ session: null });
  });

  it("rule 12: takes a guest's data along, and leaves no guest", async () => {
    const app = await start();
    const ada = app.person();
    const guest = (await (await ada.send("POST", "/auth/guest", {})).json()) as { user_id: string };
    const [session] = await app.auth.sessions.list(guest.user_id);
    await app.auth.sessions.updateData(session?.id ?? "", { cart: [7] });

    await signInAt(provider, ada, "ada");

    expect(await app.auth.sessions.list((await userOf(ada))?.id ?? "")).toMatchObject([{ kind: "user", data: { cart: [7] } }]);
    expect(await app.auth.sessions.list(guest.user_id)).toEqual([]);
  });

  it("rule 27: keeps tokens sealed, and neither they nor what binds a browser rest in the open", async () => {
    let texts: string[] = [];
    const app = await start({
      strategies: strategies(OFFLINE),
      makeStore: async (clock) => {
        const remembered = remembering(openTestStore({ clock }));
        texts = remembered.texts;
        return remembered.store;
      },
    });
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const [account] = await app.auth.accounts.listForUser((await userOf(ada))?.id ?? "");
    const tokens = await app.auth.accounts.getTokens(account?.id ?? "");

    const secrets = [tokens?.accessToken, tokens?.refreshToken, tokens?.idToken, ada.cookie("__Host-sid"), ada.cookie("__Host-sid-oauth")];
    expect(secrets.map((secret) => (secret ?? "").length > 40)).toEqual([true, true, true, true, true]);
    expect(texts.length).toBeGreaterThan(5);
    expect(secrets.filter((secret) => texts.some((text) => text.includes(secret ?? "")))).toEqual([]);
    const listed = await (await ada.send("GET", "/auth/accounts")).text();
    expect(secrets.filter((secret) => listed.includes(secret ?? ""))).toEqual([]);
    expect(JSON.parse(listed)).toEqual([
      {
        id: account?.id,
        provider: "oidc",
        account_id: "ada",
        scope: "openid email profile offline_access",
        reconnect_needed: false,
        created_at: expect.stringMatching(/Z$/),
      },
    ]);
  });

  it("rule 9: refuses a disabled user, before anything is issued", async () => {
    const app = await start();
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const id = (await userOf(ada))?.id ?? "";
    await app.auth.principals.setStatus(id, "disabled");
    const another = app.person();

    expect((await signInAt(provider, another, "ada")).status).toBe(401);
    expect(another.cookie("__Host-sid")).toBeUndefined();
  });
});

describe("linking accounts", () => {
  it("adds a way in, and that one leads to the same user", async () => {
    const app = await start();
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const id = (await userOf(ada))?.id;

    expect(await briefly(await link(ada, "ada+work"))).toEqual([303, "/settings"]);

    const elsewhere = app.person();
    await signInAt(provider, elsewhere, "ada+work", "/auth/login/company");
    expect((await userOf(elsewhere))?.id).toBe(id);
  });

  it("rule 25: refuses an identity that is another user's", async () => {
    const app = await start();
    const [ada, grace] = [app.person(), app.person()];
    await signInAt(provider, grace, "grace", "/auth/login/company");
    await signInAt(provider, ada, "ada");

    const answer = await link(ada, "grace");

    expect(answer.status).toBe(409);
    expect(await app.auth.accounts.listForUser((await userOf(ada))?.id ?? "")).toHaveLength(1);
    expect((await userOf(grace))?.email).toBe("grace@example.com");
  });

  it("rule 25: ends in the session that began it, or not at all", async () => {
    const app = await start();
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const id = (await userOf(ada))?.id ?? "";
    const begin = async () => {
      const { url } = (await (await ada.send("POST", "/auth/accounts/company/link", {})).json()) as { url: string };
      return loginAt(provider, url, "ada+work");
    };

    // Signed in again meanwhile, as the same: that is another session.
    const before = await begin();
    await signInAt(provider, ada, "ada");
    expect((await ada.go(before)).status).toBe(403);
    // As somebody else.
    const first = await begin();
    await signInAt(provider, ada, "grace");
    expect((await ada.go(first)).status).toBe(403);
    // Signed out meanwhile.
    const second = await begin();
    await ada.send("POST", "/auth/sign-out", {});
    expect((await ada.go(second)).status).toBe(403);

    for (const user of [id, (await app.auth.users.findByEmail("grace@example.com"))?.id ?? ""])
      expect(await app.auth.accounts.listForUser(user)).toHaveLength(1);
  });

  it("rule 25: links nothing to a victim who is sent an attacker's callback", async () => {
    const app = await start();
    const [mallory, victim] = [app.person(), app.person()];
    await signInAt(provider, mallory, "mallory");
    await signInAt(provider, victim, "ada");
    const { url } = (await (await mallory.send("POST", "/auth/accounts/company/link", {})).json()) as { url: string };
    const callback = await loginAt(provider, url, "mallory+work");

    expect(await briefly(await victim.go(callback))).toEqual([303, "/"]);
    const signedOut = locationOf(await mallory.go("/auth/login/company"));
    await victim.go(await loginAt(provider, signedOut, "mallory+work"));

    expect((await userOf(victim))?.email).toBe("ada@example.com");
    expect(await app.auth.accounts.listForUser((await userOf(victim))?.id ?? "")).toHaveLength(1);
  });

  it("rule 9: links nothing for a session that was ended meanwhile", async () => {
    const app = await start();
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const id = (await userOf(ada))?.id ?? "";
    const { url } = (await (await ada.send("POST", "/auth/accounts/company/link", {})).json()) as { url: string };
    const callback = await loginAt(provider, url, "ada+work");
    await app.auth.sessions.revokeAll(id);

    expect((await ada.go(callback)).status).toBe(403);
    expect(await app.auth.accounts.listForUser(id)).toHaveLength(1);
  });

  it("rule 9: links nothing when all of the user's sessions end while the provider is asked", async () => {
    let meanwhile: () => Promise<unknown> = async () => undefined;
    const fetching = async (url: string, init: RequestInit) => {
      if (url.endsWith("/token")) await meanwhile();
      return fetch(url, init);
    };
    const app = await start({ strategies: strategies().map((each) => (each.name === "company" ? companyWith(fetching) : each)) });
    const ada = app.person();
    await signInAt(provider, ada, "ada");
    const { id = "" } = (await userOf(ada)) ?? {};
    meanwhile = () => app.auth.sessions.revokeAll(id);

    const refused = await link(ada, "ada-at-work");

    expect(await briefly(refused)).toEqual([401, "Linking did not finish"]);
    expect(await app.auth.accounts.listForUser(id)).toHaveLength(1);
    expect(eventsOf(app, "sign_in.failed")).toMatchObject([{ details: { code: "session_revoked" } }]);
  });

  it("rule 26: leaves one way in when two are unlinked at once", async () => {
    const app = await start();
    const ada = app.person();
    await signInAt(provider, ada, "ada+unverified");
    await link(ada, "ada+work+unverified");
    const accounts = (await (await ada.send("GET", "/auth/accounts")).json()) as { id: string }[];
    expect(accounts).toHaveLength(2);

    const answers = await Promise.all(accounts.map(({ id }) => ada.send("DELETE", `/auth/accounts/${id}`)));

    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    const left = (await (await ada.send("GET", "/auth/accounts")).json()) as { id: string }[];
    expect(left).toHaveLength(1);
    expect(await briefly(await ada.send("DELETE", `/auth/accounts/${left[0]?.id}`))).toEqual([409, "last_way_in"]);
  });
});

describe("stepping up through a provider", () => {
  /** Signs in more than ten minutes before the present, which is the provider's. */
  async function longAgo(app: ProviderApp, login: string): Promise<Person> {
    const person = app.person();
    app.clock.set(Date.now() - 700_000);
    await signInAt(provider, person, login);
    app.clock.set(Date.now() + 1000);
    return person;
  }

  async function stepUp(person: Person, login: string): Promise<Response> {
    const begun = await person.send("POST", "/auth/reauthenticate", { method: "provider", provider: "oidc", return_to: "/settings" });
    const { url } = (await begun.json()) as { url: string };
    expect(new URL(url).searchParams.get("max_age")).toBe("0");
    return person.go(await loginAt(provider, url, login));
  }

  it("rule 12: makes the session fresh under a new secret, and keeps its id", async () => {
    const app = await start();
    const ada = await longAgo(app, "ada");
    const [before] = await app.auth.sessions.list((await userOf(ada))?.id ?? "");
    const token = ada.cookie("__Host-sid") ?? "";
    expect(await briefly(await ada.send("POST", "/auth/accounts/company/link", {}))).toEqual([401, "insufficient_user_authentication"]);

    expect(await briefly(await stepUp(ada, "ada"))).toEqual([303, "/settings"]);

    const [after] = await app.auth.sessions.list((await userOf(ada))?.id ?? "");
    expect(after?.id).toBe(before?.id);
    expect(after?.authenticatedAt).toBeGreaterThan((before?.authenticatedAt ?? 0) + 690_000);
    expect(ada.cookie("__Host-sid")).not.toBe(token);
    expect(await app.auth.sessions.resolve(token)).toMatchObject({ session: null });
    expect((await ada.send("POST", "/auth/accounts/company/link", {})).status).toBe(200);
  });

  it("makes no session fresh for longer when the provider's clock is ahead", async () => {
    const app = await start();
    const ada = await longAgo(app, "ada");
    app.clock.set(Date.now() - 120_000);

    expect(await briefly(await stepUp(ada, "ada"))).toEqual([303, "/settings"]);

    const [session] = await app.auth.sessions.list((await userOf(ada))?.id ?? "");
    expect(Math.abs((session?.authenticatedAt ?? 0) - app.clock.now())).toBeLessThan(1000);
  });

  it("rule 25: is not done by another account, not even one of nobody's", async () => {
    const app = await start();
    await signInAt(provider, app.person(), "grace");
    const ada = await longAgo(app, "ada");

    for (const login of ["grace", "nobody"]) {
      expect((await stepUp(ada, login)).status).toBe(403);
      expect((await ada.send("POST", "/auth/accounts/company/link", {})).status).toBe(401);
    }
    expect((await userOf(ada))?.email).toBe("ada@example.com");
    expect(eventsOf(app, "user.created")).toHaveLength(2);
  });

  it("rule 25: is done in the session that began it alone", async () => {
    const app = await start();
    const ada = await longAgo(app, "ada");
    const begun = await ada.send("POST", "/auth/reauthenticate", { method: "provider", provider: "oidc" });
    const callback = await loginAt(provider, ((await begun.json()) as { url: string }).url, "ada");
    await ada.send("POST", "/auth/sign-out", {});

    expect((await ada.go(callback)).status).toBe(403);
    expect(await userOf(ada)).toBeNull();
  });
});
