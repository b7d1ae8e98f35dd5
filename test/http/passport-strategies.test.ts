import type { Strategy } from "passport";
import { Strategy as GitHubStrategy } from "passport-github2";
import { Strategy as GoogleStrategy } from "passport-google-oauth20";
import { Strategy as LocalStrategy } from "passport-local";
import { afterEach, describe, expect, it } from "vitest";
import { identify } from "../../lib/index.ts";
import { startFakeGitHub, TOKEN_PATH, type FakeGitHub } from "../support/fake-github.ts";
import { startFakeGoogle, type FakeGoogle } from "../support/fake-google.ts";
import { APP, briefly, locationOf, PAGE, startProviderApp, userOf, type ProviderApp } from "../support/provider-app.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

async function start(...strategies: Strategy[]): Promise<ProviderApp> {
  const app = await startProviderApp({ strategies });
  closing.push(app);
  return app;
}

describe("passport-local in latchkey", () => {
  const form = (fields: Record<string, string>, headers: Record<string, string> = {}) => ({
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin", ...headers },
    body: new URLSearchParams(fields).toString(),
  });
  const local = () =>
    new LocalStrategy((username, password, done) => {
      if (username === "broken") throw new Error("database: password=s3cret");
      done(null, username === "ada" && password === "correct horse" ? { id: "user-1" } : false, { message: "no such luck" });
    });

  it("signs in by a form, and goes where the form says", async () => {
    const app = await start(local());
    await app.auth.users.create({ id: "user-1", email: "ada@example.com" });
    const ada = app.person();

    const answer = await ada.go("/auth/login/local", form({ username: "ada", password: "correct horse", return_to: "/welcome?x=1" }));

    expect(await briefly(answer)).toEqual([303, "/welcome?x=1"]);
    expect(await userOf(ada)).toMatchObject({ id: "user-1", email: "ada@example.com" });
    const [session] = await app.auth.sessions.list("user-1");
    expect(session).toMatchObject({ userId: "user-1", methods: ["local"] });
  });

  it("answers a script with JSON", async () => {
    const app = await start(local());
    const answer = await app.person().send("POST", "/auth/login/local", { username: "ada", password: "correct horse" });

    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ user: { id: "user-1" }, session: { methods: ["local"] } });
  });

  it.each([
    ["a wrong password", { username: "ada", password: "wrong" }],
    ["nobody known", { username: "eve", password: "x" }],
    ["no password", { username: "ada" }],
    ["nothing", {}],
  ])("rule 14: refuses %s with one answer, and says so to the log", async (_what, fields) => {
    const app = await start(local());
    const person = app.person();

    expect(await briefly(await person.send("POST", "/auth/login/local", fields))).toEqual([401, "sign_in_refused"]);

    expect(person.cookie("__Host-sid")).toBeUndefined();
    expect(app.events.map(({ type, details }) => [type, details])).toEqual([
      ["sign_in.failed", { method: "local", code: "sign_in_refused" }],
    ]);
  });

  it("rule 28: says nothing of what broke inside", async () => {
    const app = await start(local());
    const answer = await app.person().send("POST", "/auth/login/local", { username: "broken", password: "x" });

    expect(answer.status).toBe(502);
    expect(await answer.text()).not.toMatch(/s3cret|database/);
  });

  it("rule 30: takes no password from a URL", async () => {
    const app = await start(local());
    const person = app.person();
    const query = new URLSearchParams({ username: "ada", password: "correct horse" });

    expect((await person.go(`/auth/login/local?${query}`)).status).toBe(400);
    expect((await person.go(`/auth/login/local?${query}`, form({}))).status).toBe(401);
    expect(person.cookie("__Host-sid")).toBeUndefined();
  });

  it("rule 36: takes no form of another site", async () => {
    const app = await start(local());
    const cross = form({ username: "ada", password: "correct horse" }, { "sec-fetch-site": "cross-site", origin: "https://evil.example" });

    expect(await briefly(await app.person().go("/auth/login/local", cross))).toEqual([403, "cross_site_request"]);
  });
});

describe.each([
  { given: "state and PKCE", state: true, pkce: true },
  { given: "neither state nor PKCE of its own", state: false, pkce: false },
])("OAuth strategies of others, with $given", ({ state, pkce }) => {
  async function startHub(options: { allRawEmails?: boolean } = {}): Promise<{ hub: FakeGitHub; app: ProviderApp }> {
    const hub = await startFakeGitHub();
    closing.push(hub);
    const strategy = new GitHubStrategy(
      {
        clientID: "gh-client",
        clientSecret: "gh-secret",
        callbackURL: "http://replaced.example/",
        authorizationURL: `${hub.baseUrl}/login/oauth/authorize`,
        tokenURL: hub.baseUrl + TOKEN_PATH,
        userProfileURL: `${hub.baseUrl}/api/v3/user`,
        userEmailURL: `${hub.baseUrl}/api/v3/user/emails`,
        scope: ["user:email"],
        state,
        pkce,
        ...options,
      },
      identify("github"),
    );
    return { hub, app: await start(strategy) };
  }

  async function startGoogle(): Promise<{ fake: FakeGoogle; app: ProviderApp }> {
    const fake = await startFakeGoogle();
    closing.push(fake);
    const strategy = new GoogleStrategy(
      {
        clientID: "g-client",
        clientSecret: "g-secret",
        callbackURL: "http://replaced.example/",
        authorizationURL: `${fake.origin}/o/oauth2/v2/auth`,
        tokenURL: `${fake.origin}/token`,
        userProfileURL: `${fake.origin}/v1/userinfo`,
        scope: ["openid", "email", "profile"],
        state,
        pkce,
      },
      identify("google", { issuer: "https://accounts.google.com" }),
    );
    return { fake, app: await start(strategy) };
  }

  it("passport-google-oauth20 signs in, and its account is the one that google() would find", async () => {
    const { fake, app } = await startGoogle();
    const ada = app.person();
    const begun = await ada.go("/auth/login/google?return_to=/welcome");
    expect(new URL(locationOf(begun)).searchParams.get("redirect_uri")).toBe(`${APP}/auth/callback/google`);

    const back = await ada.go(fake.authorize(locationOf(begun)));

    expect(await briefly(back)).toEqual([303, "/welcome"]);
    const user = await userOf(ada);
    expect(user).toMatchObject({ email: "ada@gmail.example", name: "Ada Lovelace" });
    const [account] = await app.auth.accounts.listForUser(user?.id ?? "");
    expect(account).toMatchObject({ providerId: "google", issuer: "https://accounts.google.com", accountId: "110169484474386276334" });
    const tokens = await app.auth.accounts.getTokens(account?.id ?? "");
    expect(tokens).toMatchObject({ accessToken: expect.stringMatching(/^ya29\./), idToken: expect.stringContaining(".") });
    expect(tokens?.accessTokenExpiresAt).toBeGreaterThan(Date.now());
  });

  it("passport-github2 signs in; its address is verified only if the strategy passes on that it is", async () => {
    for (const [options, email] of [
      [{}, null],
      [{ allRawEmails: true }, "octocat@example.com"],
    ] as const) {
      const { hub, app } = await startHub(options);
      const mona = app.person();
      const begun = await mona.go("/auth/login/github");

      expect(await briefly(await mona.go(hub.authorize(locationOf(begun))))).toEqual([303, "/"]);
      expect(await userOf(mona)).toMatchObject({ name: "Mona Lisa", email });
    }
  });

  it("rule 23: a callback works once, in the browser that began it, at its own provider", async () => {
    const { hub, app } = await startHub();
    const [mona, victim] = [app.person(), app.person()];
    const callback = hub.authorize(locationOf(await mona.go("/auth/login/github")));
    await victim.go("/auth/login/github");

    expect((await victim.go(callback)).status).toBe(401);
    expect((await mona.go(callback.replace("/callback/github", "/callback/google"))).status).toBe(404);
    expect(hub.requests).toEqual([]);
    expect(await briefly(await mona.go(callback))).toEqual([303, "/"]);
    const asked = hub.requests.length;
    const again = await mona.go(callback);
    expect(hub.requests).toHaveLength(asked);
    // Who is signed in already is led on instead of being told off.
    expect(await briefly(again)).toEqual([303, "/"]);
    expect(await app.auth.sessions.list((await userOf(mona))?.id ?? "")).toHaveLength(1);
  });

  it("rule 28: a cancelled sign-in is said in our words", async () => {
    const { app, fake } = await startGoogle();
    const ada = app.person();
    const begun = new URL(locationOf(await ada.go("/auth/login/google")));
    const query = new URLSearchParams({
      error: "access_denied",
      error_description: "<b>call 555-0100</b>",
      state: begun.searchParams.get("state") ?? "",
    });
    const answer = await ada.go(`/auth/callback/google?${query}`, { headers: { accept: "application/json" } });

    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: "access_denied", detail: "Signing in was cancelled" });
    expect(fake.requests).toEqual([]);
  });

  it.each([
    ["an error under status 200", { body: '{"error":"bad_verification_code","error_description":"client_secret=gh-secret"}' }],
    ["HTML", { type: "text/html", body: "<html>Unicorn</html>" }],
    ["an outage", { status: 503, body: "{}" }],
  ])("a token endpoint that answers with %s signs nobody in", async (_what, told) => {
    const { hub, app } = await startHub();
    const mona = app.person();
    const begun = await mona.go("/auth/login/github");
    hub.answerOnce(TOKEN_PATH, told);
    const answer = await mona.go(hub.authorize(locationOf(begun)), { headers: PAGE });

    expect(answer.status).toBe(502);
    expect(await answer.text()).not.toContain("gh-secret");
    expect(mona.cookie("__Host-sid")).toBeUndefined();
  });
});

describe("a verify function that hands the profile over as the user", () => {
  it("rule 25: signs nobody in: one provider's ids are another's too", async () => {
    const hub = await startFakeGitHub();
    closing.push(hub);
    const strategy = new GitHubStrategy(
      {
        clientID: "gh-client",
        clientSecret: "gh-secret",
        callbackURL: "http://replaced.example/",
        authorizationURL: `${hub.baseUrl}/login/oauth/authorize`,
        tokenURL: hub.baseUrl + TOKEN_PATH,
        userProfileURL: `${hub.baseUrl}/api/v3/user`,
      },
      (_accessToken: string, _refreshToken: string, _params: unknown, profile: unknown, done: (error: unknown, user: unknown) => void) =>
        done(null, profile),
    );
    const app = await start(strategy);
    await app.auth.users.create({ id: "583231", email: "admin@example.com" });
    const mona = app.person();

    const answer = await mona.go(hub.authorize(locationOf(await mona.go("/auth/login/github"))));

    expect(answer.status).toBe(500);
    expect(mona.cookie("__Host-sid")).toBeUndefined();
    expect(app.events.find(({ type }) => type === "request.failed")?.details).toMatchObject({
      message: expect.stringContaining("identify("),
    });
  });
});
