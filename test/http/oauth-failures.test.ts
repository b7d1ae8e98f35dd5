import { afterEach, describe, expect, it } from "vitest";
import { fakeProvider, faults, type FakeProvider, type FakeProviderOptions } from "../../lib/testing/provider/index.ts";
import type { OidcOptions } from "../../strategies/oidc.ts";
import { transactionCollection } from "../../lib/core/transactions.ts";
import { relyingParty } from "../conformance-rp/relying-party.ts";
import { briefly, locationOf, startProviderApp, userOf, type Person } from "../support/provider-app.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

/** An application with two providers, and Ada signed in by the first, `one`. */
async function start(options: Partial<OidcOptions> = {}) {
  const open = async (options?: FakeProviderOptions) => {
    const provider = await fakeProvider(options);
    closing.push(provider);
    return provider;
  };
  const [one, two] = [await open(), await open({ user: { sub: "2", email: "other@example.com", email_verified: true } })];
  const app = await startProviderApp({ strategies: [relyingParty(one, { name: "one", ...options }), relyingParty(two, { name: "two" })] });
  closing.unshift(app);
  const ada = app.person();
  await ada.go(await one.authorize(locationOf(await ada.go("/auth/login/one"))));
  return { app, one, two, ada };
}

const linkUrl = async (person: Person, body: object = { return_to: "/settings?tab=2" }) =>
  ((await (await person.send("POST", "/auth/accounts/two/link", body)).json()) as { url: string }).url;

const stepUpUrl = async (person: Person) => {
  const asked = { method: "provider", provider: "one", return_to: "/billing" };
  return ((await (await person.send("POST", "/auth/reauthenticate", asked)).json()) as { url: string }).url;
};

const cancelAt = (provider: FakeProvider) =>
  provider.change({ authorization: ({ code: _, ...said }) => ({ ...said, error: "access_denied" }) });

/** What a page says, and where its links lead. */
async function read(response: Response) {
  const html = await response.text();
  return {
    status: response.status,
    title: /<title>([^<]*)</.exec(html)?.[1],
    says: /<p>([^<]*)<\/p>/.exec(html)?.[1],
    leadsTo: [...html.matchAll(/<a href="([^"]*)">/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&")),
  };
}

describe("the page of a link that failed", () => {
  it("leads back to where it began, never to a sign-in, which would make a second user", async () => {
    const { two, ada } = await start();
    cancelAt(two);

    const page = await read(await ada.go(await two.authorize(await linkUrl(ada))));

    expect(page).toEqual({
      status: 401,
      title: "Linking did not finish",
      says: "Signing in was cancelled.",
      leadsTo: ["/settings?tab=2", "/"],
    });
    expect(await userOf(ada)).not.toBeNull();
  });

  it("leads to the start page where nothing else was asked for", async () => {
    const { two, ada } = await start();
    cancelAt(two);
    expect(await read(await ada.go(await two.authorize(await linkUrl(ada, {}))))).toMatchObject({ leadsTo: ["/"] });
  });

  it("comes after ten minutes, too, for the half hour in which that is known", async () => {
    const { app, two, ada } = await start();
    const callback = await two.authorize(await linkUrl(ada));
    app.clock.advance(601);

    const page = await read(await ada.go(callback));

    expect(page).toMatchObject({ status: 401, title: "Linking did not finish", leadsTo: ["/settings?tab=2", "/"] });
    expect(page.says).toBe("That took longer than ten minutes.");
    expect(await app.auth.accounts.listForUser((await userOf(ada))?.id ?? "")).toHaveLength(1);
  });

  it("says so, and leads back, where the provider's account is somebody else's", async () => {
    const { app, two, ada } = await start();
    const eve = app.person();
    await eve.go(await two.authorize(locationOf(await eve.go("/auth/login/two"))));

    const page = await read(await ada.go(await two.authorize(await linkUrl(ada))));

    expect(page).toMatchObject({ status: 409, title: "Linking did not finish", leadsTo: ["/settings?tab=2", "/"] });
  });
});

describe("a link to an account that is linked already", () => {
  it("connects it again after its provider ended the grant, in the same session", async () => {
    const { app, one, ada } = await start({ scope: ["openid", "email", "offline_access"] });
    const { id = "" } = (await userOf(ada)) ?? {};
    const session = ada.cookie("__Host-sid");
    const stateOf = async () => (await app.auth.accounts.listForUser(id)).map(({ reconnectNeeded }) => reconnectNeeded);
    one.breakOnce("token", faults.answer(400, { error: "invalid_grant" }));
    const { accessToken } = await app.auth.accounts.freshToken(id, "one");
    await expect(app.auth.accounts.freshToken(id, "one", { refused: accessToken })).rejects.toMatchObject({ code: "reconnect_needed" });
    expect(await stateOf()).toEqual([true]);

    const begun = await ada.send("POST", "/auth/accounts/one/link", { return_to: "/music" });
    const { url } = (await begun.json()) as { url: string };
    expect(await briefly(await ada.go(await one.authorize(url)))).toEqual([303, "/music"]);

    expect(await stateOf()).toEqual([false]);
    expect(ada.cookie("__Host-sid")).toBe(session);
    expect((await app.auth.accounts.freshToken(id, "one")).accessToken).not.toBe(accessToken);
  });
});

describe("a link that is under way", () => {
  it("is erased with its user, and not another's", async () => {
    const { app, ada, two } = await start();
    const eve = app.person();
    await eve.go(await two.authorize(locationOf(await eve.go("/auth/login/two"))));
    await linkUrl(ada);
    await linkUrl(eve);
    const count = async () => (await app.store.scan(transactionCollection)).records.length;
    expect(await count()).toBe(2);

    await app.auth.erase((await userOf(ada))?.id ?? "");

    expect(await count()).toBe(1);
  });
});

describe("the page of a step-up that failed", () => {
  it("has its own words, and leads back", async () => {
    const { one, ada } = await start();
    cancelAt(one);
    expect(await read(await ada.go(await one.authorize(await stepUpUrl(ada))))).toMatchObject({
      title: "Confirming that it is you did not finish",
      leadsTo: ["/billing", "/"],
    });
  });
});

describe("the page of a sign-in that failed", () => {
  it("begins it again to the same end", async () => {
    const { app, two } = await start();
    const eve = app.person();
    cancelAt(two);
    const page = await read(await eve.go(await two.authorize(locationOf(await eve.go("/auth/login/two?return_to=/deep/page?a=1%26b=2")))));
    expect(page).toMatchObject({
      title: "Sign-in did not finish",
      leadsTo: ["/auth/login/two?return_to=%2Fdeep%2Fpage%3Fa%3D1%26b%3D2", "/"],
    });

    two.change({ authorization: undefined });
    const [again = ""] = page.leadsTo;
    const back = await eve.go(await two.authorize(locationOf(await eve.go(again))));
    expect(await briefly(back)).toEqual([303, "/deep/page?a=1&b=2"]);
  });

  it("begins it again to the same end after ten minutes, and leads there who is signed in by then", async () => {
    const { app, two } = await start();
    const [eve, carol] = [app.person(), app.person()];
    const begin = async (person: Person) => two.authorize(locationOf(await person.go("/auth/login/two?return_to=/deep")));
    const [late, tab] = [await begin(eve), await begin(carol)];
    await carol.go(await begin(carol));
    app.clock.advance(601);

    expect(await read(await eve.go(late))).toMatchObject({ status: 401, leadsTo: ["/auth/login/two?return_to=%2Fdeep", "/"] });
    expect(await briefly(await carol.go(tab))).toEqual([303, "/deep"]);
  });

  it("rule 39: takes no address elsewhere along", async () => {
    const { app, two } = await start();
    const eve = app.person();
    cancelAt(two);
    const begun = await eve.go("/auth/login/two?return_to=https://evil.example/");
    expect(await read(await eve.go(await two.authorize(locationOf(begun))))).toMatchObject({ leadsTo: ["/auth/login/two", "/"] });
  });
});

describe("error_to", () => {
  const ERROR_TO = "/app/sign-in?step=2#form";
  const failAt = async ({ two }: Awaited<ReturnType<typeof start>>, person: Person, path: string) => {
    cancelAt(two);
    return briefly(await person.go(await two.authorize(locationOf(await person.go(path)))));
  };

  it("is where a sign-in leads that failed at the provider, with the code", async () => {
    const all = await start();
    const eve = all.app.person();
    const path = `/auth/login/two?${new URLSearchParams({ error_to: ERROR_TO, return_to: "/deep" })}`;
    expect(await failAt(all, eve, path)).toEqual([303, "/app/sign-in?step=2&error=access_denied#form"]);

    const late = await all.two.authorize(locationOf(await eve.go(path)));
    all.app.clock.advance(601);
    expect(await briefly(await eve.go(late))).toEqual([303, "/app/sign-in?step=2&error=transaction_not_found#form"]);
    const script = await all.two.authorize(locationOf(await eve.go(path)));
    expect(await briefly(await eve.go(script, { headers: { accept: "application/json" } }))).toEqual([401, "access_denied"]);
  });

  it("is where a sign-in leads that cannot begin", async () => {
    const { app, two } = await start();
    two.break("discovery", faults.answer(503));
    expect(await briefly(await app.person().go("/auth/login/two?error_to=/sign-in"))).toEqual([303, "/sign-in?error=provider_unavailable"]);
  });

  it("is where a link and a step-up lead that failed", async () => {
    const { one, two, ada } = await start();
    for (const provider of [one, two]) cancelAt(provider);
    const link = await two.authorize(await linkUrl(ada, { return_to: "/settings", error_to: "/settings?tab=2" }));
    expect(await briefly(await ada.go(link))).toEqual([303, "/settings?tab=2&error=access_denied"]);
    const asked = { method: "provider", provider: "one", error_to: "/billing" };
    const { url } = (await (await ada.send("POST", "/auth/reauthenticate", asked)).json()) as { url: string };
    expect(await briefly(await ada.go(await one.authorize(url)))).toEqual([303, "/billing?error=access_denied"]);
  });

  it("is where a form's sign-in leads, too", async () => {
    const { app, two } = await start();
    const eve = app.person();
    const begun = await eve.go("/auth/login/two", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" },
      body: new URLSearchParams({ error_to: "/sign-in" }).toString(),
    });
    cancelAt(two);
    expect(await briefly(await eve.go(await two.authorize(locationOf(begun))))).toEqual([303, "/sign-in?error=access_denied"]);
  });

  it.each(["https://evil.example/x", "//evil.example", "/\\evil.example", "javascript:alert(1)"])(
    "rule 39: leads nobody to %s",
    async (target) => {
      const all = await start();
      const path = `/auth/login/two?${new URLSearchParams({ error_to: target })}`;
      expect(await failAt(all, all.app.person(), path)).toEqual([303, "/?error=access_denied"]);
    },
  );
});
