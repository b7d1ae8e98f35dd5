import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type ErrorRequestHandler, type Express } from "express";
import session from "express-session";
import { Passport, type Strategy } from "passport";
import { afterEach, describe, expect, it } from "vitest";
import type { Identity } from "../../lib/core/strategy.ts";
import { discord } from "../../strategies/discord.ts";
import { github } from "../../strategies/github.ts";
import { google } from "../../strategies/google.ts";
import { oidc } from "../../strategies/oidc.ts";
import { spotify } from "../../strategies/spotify.ts";
import { createBrowser, type Browser } from "../support/browser.ts";
import { startFakeGitHub } from "../support/fake-github.ts";
import { startFakeGoogle } from "../support/fake-google.ts";
import { loginAt, startOidcProvider } from "../support/oidc-provider.ts";
import { CLIENT } from "../support/provider-app.ts";
import { startFakeOAuth2 } from "./fake-oauth2.ts";

type Authenticator = InstanceType<typeof Passport>;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A strategy of ours, and somebody at its provider. */
interface OwnCase {
  readonly name: string;
  readonly person: Partial<Identity>;
  start(callbackUrl: string): Promise<{ strategy: Strategy; authorize(url: string): string | Promise<string> }>;
}

const CASES: readonly OwnCase[] = [
  {
    name: "google",
    person: { provider: "google", subject: "110169484474386276334", emailVerified: true },
    async start(callbackUrl) {
      const fake = await startFakeGoogle();
      closing.push(() => fake.close());
      const strategy = google({ clientId: "g-client", clientSecret: "g-secret", callbackUrl, fetch: fake.fetch });
      return { strategy, authorize: fake.authorize };
    },
  },
  {
    name: "github",
    person: { provider: "github", subject: "583231", email: "octocat@example.com" },
    async start(callbackUrl) {
      const hub = await startFakeGitHub();
      closing.push(() => hub.close());
      const strategy = github({ clientId: "gh-client", clientSecret: "gh-secret", callbackUrl, baseUrl: hub.baseUrl });
      return { strategy, authorize: hub.authorize };
    },
  },
  {
    name: "oidc",
    person: { provider: "oidc", subject: "ada", email: "ada@example.com", emailVerified: true },
    async start(callbackUrl) {
      const clients = [{ client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret, redirect_uris: [callbackUrl] }];
      const provider = await startOidcProvider({ clients });
      closing.push(() => provider.close());
      const strategy = oidc({ issuer: provider.issuer, ...CLIENT, callbackUrl });
      return { strategy, authorize: (url) => loginAt(provider, url, "ada") };
    },
  },
  {
    name: "discord",
    person: { provider: "discord", subject: "80351110224678912", email: "ada@example.com", emailVerified: true },
    start: (callbackUrl) =>
      startOwn(discord, callbackUrl, "/api/users/@me", {
        id: "80351110224678912",
        username: "ada",
        email: "ada@example.com",
        verified: true,
      }),
  },
  {
    name: "spotify",
    person: { provider: "spotify", subject: "ada1815", name: "Ada" },
    start: (callbackUrl) => startOwn(spotify, callbackUrl, "/v1/me", { id: "ada1815", display_name: "Ada", images: [] }),
  },
];

/** One that is data, its provider's hosts all led to a fake. */
async function startOwn(make: typeof discord | typeof spotify, callbackUrl: string, path: string, profile: object) {
  const fake = await startFakeOAuth2({ tokens: { expires_in: 3600 }, profiles: { [path]: profile } });
  closing.push(() => fake.close());
  const strategy = make({ ...CLIENT, callbackUrl, fetch: (url, init) => fetch(fake.origin + new URL(url).pathname, init) });
  return { strategy, authorize: fake.authorize };
}

/** An application as Passport's own guide builds it, with nothing of latchkey but a strategy. */
async function serve({ start }: OwnCase, routes: (app: Express, passport: Authenticator, strategy: Strategy) => void) {
  const app = express();
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { strategy, authorize } = await start(`${url}/callback`);
  const passport = new Passport();
  passport.use(strategy);
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  app.use(session({ secret: "of the tests alone", resave: false, saveUninitialized: false, cookie: { sameSite: "lax" } }));
  app.use(passport.session());
  routes(app, passport, strategy);
  app.get("/me", (req, res) => void res.json({ user: req.user ?? null, in: req.isAuthenticated(), session: req.session }));
  const answerWithCode: ErrorRequestHandler = (error: { status?: number; code?: string }, _req, res, _next) => {
    res.status(error.status ?? 500).json({ code: error.code ?? "unexpected" });
  };
  app.use(answerWithCode);

  return {
    begin: async (browser: Browser) => new URL((await browser.go(`${url}/login`)).headers.get("location") ?? ""),
    authorize: async (begun: URL) => authorize(begun.href),
    go: (browser: Browser, path: string) => browser.go(url + path),
    me: async (browser: Browser) =>
      (await (await browser.go(`${url}/me`)).json()) as { user: Identity | null; in: boolean; session: Record<string, unknown> },
  };
}

const text = async (response: Response) => [response.status, response.headers.get("location") ?? (await response.text())];

describe.each(CASES.map((each) => [each.name, each] as const))("%s in a plain Passport application", (name, each) => {
  const usual = (app: Express, passport: Authenticator) => {
    app.get("/login", passport.authenticate(name));
    const options = { successRedirect: "/me", failureRedirect: "/login-failed", failureMessage: true };
    app.get("/callback", passport.authenticate(name, options));
  };

  it("signs in, and what it must remember lies in the session until then", async () => {
    const app = await serve(each, usual);
    const browser = createBrowser();

    const begun = await app.begin(browser);
    const before = JSON.stringify((await app.me(browser)).session[`latchkey:${name}`]);
    expect(begun.searchParams.get("code_challenge_method")).toBe("S256");
    expect(before).toContain(begun.searchParams.get("state"));
    expect(before).not.toContain(begun.searchParams.get("code_challenge"));

    expect(await text(await browser.go(await app.authorize(begun)))).toEqual([302, "/me"]);
    const { user, in: isIn, session: kept } = await app.me(browser);
    expect(user).toMatchObject(each.person);
    expect(user?.tokens?.accessToken).toBeTruthy();
    expect(isIn).toBe(true);
    expect(kept).toHaveProperty("passport");
    expect(kept).not.toHaveProperty(`latchkey:${name}`);
  });

  it("leads who cancelled, or comes from nowhere, to failureRedirect, in our words", async () => {
    const app = await serve(each, usual);
    const browser = createBrowser();
    const begun = await app.begin(browser);

    const cancelled = `/callback?${new URLSearchParams({ error: "access_denied", error_description: "<b>call us</b>", state: begun.searchParams.get("state") ?? "", iss: each.name === "oidc" ? begun.origin : "" })}`;
    expect(await text(await app.go(browser, cancelled.replace("&iss=&", "&").replace(/&iss=$/, "")))).toEqual([302, "/login-failed"]);
    expect(await text(await app.go(browser, "/callback?code=x&state=unknown"))).toEqual([302, "/login-failed"]);

    const { user, session: kept } = await app.me(browser);
    expect(user).toBeNull();
    expect(kept["messages"]).toEqual(["Signing in was cancelled", expect.stringMatching(/expired|began/)]);
  });

  it("rule 23: a callback works once, and in its own browser", async () => {
    const app = await serve(each, usual);
    const [mallory, victim] = [createBrowser(), createBrowser()];
    const callback = await app.authorize(await app.begin(mallory));
    await app.begin(victim);

    expect(await text(await victim.go(callback))).toEqual([302, "/login-failed"]);
    expect((await app.me(victim)).user).toBeNull();
    expect(await text(await mallory.go(callback))).toEqual([302, "/me"]);
    expect(await text(await mallory.go(callback))).toEqual([302, "/login-failed"]);
  });

  it("with { session: false } gives req.user to one request, and keeps nobody signed in", async () => {
    const app = await serve(each, (server, passport) => {
      server.get("/login", passport.authenticate(name, { session: false }));
      server.get("/callback", passport.authenticate(name, { session: false }), (req, res) => void res.json(req.user));
    });
    const browser = createBrowser();

    const back = await browser.go(await app.authorize(await app.begin(browser)));

    expect(await back.json()).toMatchObject(each.person);
    const { user, session: kept } = await app.me(browser);
    expect(user).toBeNull();
    expect(kept).not.toHaveProperty("passport");
  });

  it("tells a callback of the application's own", async () => {
    const app = await serve(each, (server, passport) => {
      server.get("/login", passport.authenticate(name));
      server.get("/callback", (req, res, next) => {
        const done = (error: unknown, user?: unknown, info?: unknown, status?: unknown) =>
          void res.json({ error: error === null ? null : "some", user, info: (info as { code?: string } | undefined)?.code, status });
        (passport.authenticate(name, done) as express.RequestHandler)(req, res, next);
      });
    });
    const browser = createBrowser();

    expect(await (await browser.go(await app.authorize(await app.begin(browser)))).json()).toMatchObject({
      error: null,
      user: each.person,
    });
    const refused = await app.go(browser, "/callback?code=x&state=unknown");
    expect(await refused.json()).toEqual({ error: null, user: false, info: "transaction_not_found", status: 401 });
  });

  it("rule 12: never mixes up who comes at once, also where Passport is given the strategy instead of its name", async () => {
    const app = await serve(each, (server, passport, strategy) => {
      server.get("/login", passport.authenticate(strategy));
      server.get("/callback", passport.authenticate(strategy, { session: false }), (req, res) => {
        const { provider, subject } = req.user as unknown as Identity;
        res.json({ provider, subject, state: req.query["state"] });
      });
    });
    const browsers = Array.from({ length: 4 }, createBrowser);

    const begun = await Promise.all(browsers.map((browser) => app.begin(browser)));
    const callbacks = await Promise.all(begun.map((url) => app.authorize(url)));
    const answers = await Promise.all(callbacks.map(async (callback, i) => (await browsers[i]?.go(callback))?.json()));

    const { provider, subject } = each.person;
    expect(answers).toEqual(begun.map((url) => ({ provider, subject, state: url.searchParams.get("state") })));
    expect(new Set(begun.map((url) => url.searchParams.get("state"))).size).toBe(4);
  });
});
