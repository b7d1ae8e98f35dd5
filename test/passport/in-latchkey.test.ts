import type { Express as App } from "express";
import type { Strategy } from "passport";
import { afterEach, describe, expect, it, vi } from "vitest";
import { github } from "../../strategies/github.ts";
import { briefly, locationOf, PAGE, startProviderApp, userOf, type Person, type ProviderApp } from "../support/provider-app.ts";
import { CASES, type PassportCase, type StartedCase, type Verify } from "./cases.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

interface Started {
  readonly app: ProviderApp;
  readonly provider: StartedCase;
  /** From the start to where the provider sends the browser back to. */
  begin(person: Person): Promise<string>;
}

interface Own {
  verify?: Verify;
  passReqToCallback?: boolean;
  routes?: (app: App) => void;
}

/** Nothing of Passport but the strategy: no session middleware, no `passport.initialize()`. */
async function start({ name, start: startProvider, verify }: PassportCase, own: Own = {}) {
  const provider = await startProvider();
  closing.push(provider);
  const { verify: given = verify, routes, ...options } = own;
  const strategy: Strategy = provider.strategy(given, options);
  const app = await startProviderApp({ strategies: [strategy], ...(routes ? { routes } : {}) });
  closing.unshift(app);
  const begin = async (person: Person) => provider.authorize(locationOf(await person.go(`/auth/login/${name}?return_to=/welcome`)));
  return { app, provider, begin } satisfies Started;
}

/** As `/auth/me` and the page say: nobody. */
async function expectNobody(person: Person) {
  expect(person.cookie("__Host-sid")).toBeUndefined();
  expect(await userOf(person)).toBeNull();
}

const doneOf = (args: readonly unknown[]) => args.at(-1) as (error: unknown, user?: unknown, info?: unknown) => void;
const profileOf = (args: readonly unknown[]) => args.findLast((arg) => typeof arg === "object" && arg !== null && "id" in arg);

describe.each(CASES.map((each) => [each.package, each] as const))("%s in latchkey", (_package, each) => {
  const { name } = each;

  it("signs in, with the profile and the tokens on the account", async () => {
    const { app, begin } = await start(each);
    const ada = app.person();

    const back = await ada.go(await begin(ada));

    expect(await briefly(back)).toEqual([303, "/welcome"]);
    const user = await userOf(ada);
    expect(user).toMatchObject(each.user);
    const [account, ...others] = await app.auth.accounts.listForUser(user?.id ?? "");
    expect(others).toEqual([]);
    expect(account).toMatchObject({ providerId: name, accountId: each.account.accountId });
    expectLike(account, { issuer: each.account.issuer });
    const tokens = await app.auth.accounts.getTokens(account?.id ?? "");
    expectLike(tokens, each.tokens);
    if (each.expires) expect(tokens?.accessTokenExpiresAt).toBeGreaterThan(Date.now());
    else expect(tokens?.accessTokenExpiresAt).toBeNull();
    const [session] = await app.auth.sessions.list(user?.id ?? "");
    expect(session).toMatchObject({ methods: [name] });
  });

  it("knows the person again, and takes passReqToCallback", async () => {
    const { app, provider, begin } = await start(each);
    const [ada, again] = [app.person(), app.person()];
    await ada.go(await begin(ada));
    await again.go(await begin(again));
    expect((await userOf(again))?.id).toBe((await userOf(ada))?.id);

    const withRequest = await startProviderApp({ strategies: [provider.strategy(each.verify, { passReqToCallback: true })] });
    closing.unshift(withRequest);
    if (name === "discord") return;
    const bob = withRequest.person();
    const back = await bob.go(await provider.authorize(locationOf(await bob.go(`/auth/login/${name}`))));
    expect(await briefly(back)).toEqual([303, "/"]);
    expect(await userOf(bob)).toMatchObject({ name: each.user.name });
  });

  it("gives a verify function with passReqToCallback the request, whose user it may give", async () => {
    const seen: unknown[] = [];
    const { app, begin } = await start(each, {
      passReqToCallback: true,
      verify: (...args: unknown[]) => {
        const req = args[0] as { method: string; auth: { kind: string }; get(name: string): string; originalUrl: string };
        seen.push(req.method, req.auth.kind, req.get("accept"), req.originalUrl.split("?")[0]);
        doneOf(args)(null, { id: "user-1" });
      },
    });
    await app.auth.users.create({ id: "user-1", email: "ada@example.com" });
    const ada = app.person();

    expect(await briefly(await ada.go(await begin(ada)))).toEqual([303, "/welcome"]);
    expect(await userOf(ada)).toMatchObject({ id: "user-1" });
    expect(seen).toEqual(["GET", "anonymous", PAGE.accept, `/auth/callback/${name}`]);
  });

  it("rule 23: refuses a state that is wrong, missing or spent, before it asks the provider", async () => {
    const { app, provider, begin } = await start(each);
    const ada = app.person();
    const callback = new URL(await begin(ada));
    const asked = provider.requests.length;
    const key = callback.searchParams.has("state") ? "state" : "oauth_token";
    const wrong = new URL(callback);
    wrong.searchParams.set(key, "x".repeat(24));
    const missing = new URL(callback);
    missing.searchParams.delete(key);

    for (const { href } of [wrong, missing]) expect((await ada.go(href)).status).toBe(401);
    expect(provider.requests).toHaveLength(asked);
    await expectNobody(ada);

    expect(await briefly(await ada.go(callback.href))).toEqual([303, "/welcome"]);
    const afterwards = provider.requests.length;
    await ada.go(callback.href);
    expect(provider.requests).toHaveLength(afterwards);
    expect(await app.auth.sessions.list((await userOf(ada))?.id ?? "")).toHaveLength(1);
  });

  it("rule 23: what one browser began another cannot finish, also when it began something itself", async () => {
    const { app, provider, begin } = await start(each);
    const [mallory, victim] = [app.person(), app.person()];
    const callback = await begin(mallory);
    const own = await begin(victim);
    const asked = provider.requests.length;

    expect((await victim.go(callback)).status).toBe(401);
    expect((await app.person().go(callback)).status).toBe(401);
    expect(provider.requests).toHaveLength(asked);
    await expectNobody(victim);
    expect(await briefly(await victim.go(own))).toEqual([303, "/welcome"]);
  });

  it("rule 23: takes no answer of the provider where sign-ins begin", async () => {
    const { app, provider, begin } = await start(each);
    const ada = app.person();
    const answer = Object.fromEntries(new URL(await begin(ada)).searchParams);
    const asked = provider.requests.length;

    for (const fields of [answer, { ...answer, state: undefined }]) {
      const posted = await ada.send("POST", `/auth/login/${name}`, fields);
      // A new round trip begins.
      expect(posted.status).toBe(200);
      expect(await posted.json()).toEqual({ url: expect.any(String) });
    }
    expect(provider.requests.slice(asked).filter((request) => !request.endsWith("/request_token"))).toEqual([]);
    await expectNobody(ada);
  });

  it("finishes two tabs, in whatever order they come back", async () => {
    const { app, begin } = await start(each);
    const ada = app.person();
    const callbacks = [await begin(ada), await begin(ada), await begin(ada)];

    const [first, second] = await Promise.all([ada.go(callbacks[2] ?? ""), ada.go(callbacks[0] ?? "")]);
    expect(await briefly(first)).toEqual([303, "/welcome"]);
    expect(await briefly(second)).toEqual([303, "/welcome"]);
    expect(await briefly(await ada.go(callbacks[1] ?? ""))).toEqual([303, "/welcome"]);
    expect(await userOf(ada)).toMatchObject({ name: each.user.name });
  });

  it("rule 28: says in our words that the person cancelled", async () => {
    const { app, provider } = await start(each);
    const ada = app.person();
    const begun = locationOf(await ada.go(`/auth/login/${name}`));

    const answer = await ada.go(await provider.authorize(begun, { cancel: true }), { headers: { accept: "application/json" } });

    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: "access_denied", detail: "Signing in was cancelled" });
    await expectNobody(ada);
  });

  it("rule 23: what one browser began another cannot cancel", async () => {
    const { app, provider } = await start(each);
    const [ada, mallory] = [app.person(), app.person()];
    const begun = locationOf(await ada.go(`/auth/login/${name}`));
    const cancelled = await provider.authorize(begun, { cancel: true });
    await mallory.go(`/auth/login/${name}`);

    const refused = await mallory.go(cancelled, { headers: { accept: "application/json" } });

    expect(await briefly(refused)).toEqual([401, "transaction_not_found"]);
    expect(await briefly(await ada.go(await provider.authorize(begun)))).toEqual([303, "/"]);
  });

  it("links its account to who is signed in, in the session that began it", async () => {
    const { app, provider } = await start(each, {
      routes: (server) =>
        server.post("/in", (req, res, next) => req.login({ id: "user-1" } as Express.User, (error) => (error ? next(error) : res.end()))),
    });
    await app.auth.users.create({ id: "user-1", email: "ada@example.com" });
    const ada = app.person();
    await ada.send("POST", "/in");
    const { url } = (await (await ada.send("POST", `/auth/accounts/${name}/link`, {})).json()) as { url: string };

    const callback = await provider.authorize(url);
    expect((await app.person().go(callback)).status).toBe(401);
    expect((await ada.go(callback)).status).toBe(303);

    expect(await app.auth.accounts.listForUser("user-1")).toMatchObject([{ providerId: name, accountId: each.account.accountId }]);
    expect(await userOf(ada)).toMatchObject({ id: "user-1" });
  });

  it("rule 28: says that the provider failed, when it is down", async () => {
    const { app, provider, begin } = await start(each);
    const ada = app.person();
    const callback = await begin(ada);
    closing.splice(closing.indexOf(provider), 1);
    await provider.close();

    const answer = await ada.go(callback, { headers: { accept: "application/json" } });

    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({ code: "provider_error" });
    await expectNobody(ada);
  });

  it("rule 14: refuses whom the verify function refuses, with a page that says how to go on", async () => {
    const { app, begin } = await start(each, {
      verify: (...args: unknown[]) => doneOf(args)(null, false, { message: "not in <b>our</b> club" }),
    });
    const ada = app.person();

    const page = await ada.go(await begin(ada));

    expect(page.status).toBe(401);
    const html = await page.text();
    expect(html).toContain(`href="/auth/login/${name}?return_to=%2Fwelcome"`);
    expect(html).not.toContain("club");
    await expectNobody(ada);
    expect(app.events.filter(({ type }) => type === "sign_in.failed").map(({ details }) => details)).toEqual([
      { method: name, code: "sign_in_refused" },
    ]);
  });

  it.each<[string, Verify]>([
    ["rejects", async () => Promise.reject(new Error("database: password=s3cret"))],
    ["throws", () => { throw new Error("database: password=s3cret"); }], // prettier-ignore
    ["calls back with an error", (...args: unknown[]) => doneOf(args)(new Error("database: password=s3cret"))],
    [
      "gives two answers",
      (...args: unknown[]) => {
        doneOf(args)(new Error("database: password=s3cret"));
        doneOf(args)(null, { id: "user-1" });
      },
    ],
  ])("rule 48: a verify function that %s makes an error, and nobody is signed in", async (_how, verify) => {
    const { app, begin } = await start(each, { verify });
    const ada = app.person();

    const answer = await ada.go(await begin(ada), { headers: { accept: "application/json" } });

    expect([answer.status, /s3cret|database/.test(await answer.text())]).toEqual([502, false]);
    await expectNobody(ada);
  });

  it.each<[string, (args: readonly unknown[]) => unknown]>([
    ["the profile", profileOf],
    ["what the provider said", (args) => (profileOf(args) as { _json?: unknown })._json ?? profileOf(args)],
    ["a copy of the profile", (args) => ({ ...(profileOf(args) as object) })],
  ])("rule 25: signs nobody in as %s: its id is the provider's", async (what, userIn) => {
    // A copy of its profile has nothing but what users of applications have, too.
    if (name === "openidconnect" && what === "a copy of the profile") return;
    const { app, begin } = await start(each, { verify: (...args: unknown[]) => doneOf(args)(null, userIn(args)) });
    await app.auth.users.create({ id: each.account.accountId, email: "admin@example.com" });
    const ada = app.person();

    const answer = await ada.go(await begin(ada), { headers: { accept: "application/json" } });

    expect(answer.status).toBe(500);
    await expectNobody(ada);
    const failed = app.events.find(({ type }) => type === "request.failed");
    expect(failed?.details).toMatchObject({ message: expect.stringContaining("identify(") });
  });

  it.each(
    (["tokens", "profile"] as const).flatMap((what) => [
      { what, kind: "500 and HTML", told: { status: 500, type: "text/html", body: "<html>client_secret=s3cret</html>" } },
      { what, kind: "no JSON", told: { body: "<html>client_secret=s3cret</html>" } },
      { what, kind: "an error under 200", told: { body: '{"error":{"message":"client_secret=s3cret"}}' } },
      { what, kind: "null", told: { body: "null" } },
      { what, kind: "a list of numbers", told: { body: '[{"id_token":7,"id":{}}]' } },
      { what, kind: "nothing", told: { body: "" } },
    ]),
  )("rule 48: signs nobody in, and goes on, when the provider answers $kind for $what", async ({ what, told }) => {
    const crashes = vi.fn();
    process.on("uncaughtException", crashes);
    try {
      const { app, provider, begin } = await start(each);
      const ada = app.person();
      const callback = await begin(ada);
      provider.answerOnce(what, told);

      const answer = await ada.go(callback, { headers: { accept: "application/json" } });

      expect(crashes.mock.calls).toEqual([]);
      expect(answer.status).toBe(502);
      const problem = await answer.text();
      expect(problem).toMatch(/"code":"(provider_error|invalid_provider_response)"/);
      expect(problem).not.toContain("s3cret");
      await expectNobody(ada);
      expect(await briefly(await ada.go(await begin(ada)))).toEqual([303, "/welcome"]);
    } finally {
      process.off("uncaughtException", crashes);
    }
  });
});

describe("github() in latchkey", () => {
  it("rule 23: takes no answer of the provider where sign-ins begin", async () => {
    const app = await startProviderApp({ strategies: [github({ clientId: "gh-client", clientSecret: "gh-secret" })] });
    closing.push(app);

    const posted = await app.person().send("POST", "/auth/login/github", { code: "x", state: "y" });

    expect(await posted.json()).toEqual({ url: expect.stringMatching(/^https:\/\/github\.com\/.*[?&]state=(?!y&)/) });
  });
});

/** `toMatchObject`, with patterns for what is made anew each time. */
function expectLike(value: unknown, pattern: object): void {
  const like = Object.entries(pattern).map(([name, part]) => [
    name,
    part instanceof RegExp ? expect.stringMatching(part) : (part as unknown),
  ]);
  expect(value).toMatchObject(Object.fromEntries(like) as object);
}
