import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type ErrorRequestHandler } from "express";
import session from "express-session";
import { Passport, type Strategy } from "passport";
import { afterEach, describe, expect, it } from "vitest";
import type { Identity } from "../../lib/core/strategy.ts";
import { github } from "../../strategies/github.ts";
import { google } from "../../strategies/google.ts";
import { oauth2 } from "../../strategies/oauth2.ts";
import { oidc } from "../../strategies/oidc.ts";
import { createBrowser, type Browser } from "../support/browser.ts";
import { startFakeGitHub, TOKEN_PATH } from "../support/fake-github.ts";
import { startFakeGoogle } from "../support/fake-google.ts";
import { answerAt, loginAt, startOidcProvider } from "../support/oidc-provider.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A server whose address is known before its application, because strategies and providers must be told it. */
async function reserveServer() {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { server, url };
}

/** An application as Passport's own guide builds it: express-session, passport.session(), and nothing of latchkey but the strategy. */
function serve(server: Server, strategy: Strategy) {
  const passport = new Passport();
  passport.use("provider", strategy);
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  const app = express();
  app.use(express.urlencoded({ extended: false }));
  app.use(session({ secret: "of the tests alone", resave: false, saveUninitialized: false, cookie: { sameSite: "lax" } }));
  app.use(passport.session());
  app.get("/login", passport.authenticate("provider"));
  app.all("/callback", passport.authenticate("provider", { successRedirect: "/me" }));
  app.get("/me", (req, res) => void res.json({ user: req.user ?? null, session: Object.keys(req.session) }));
  const answerWithCode: ErrorRequestHandler = (error: { status?: number; code?: string }, _req, res, _next) => {
    res.status(error.status ?? 500).json({ code: error.code ?? "unexpected" });
  };
  app.use(answerWithCode);
  server.on("request", app as unknown as (...args: unknown[]) => void);
}

const locationOf = (response: Response) => response.headers.get("location") ?? "";

/** From `/login` to whatever the callback answers. */
async function signIn(url: string, browser: Browser, atProvider: (authorizationUrl: string) => string | Promise<string>) {
  const begun = await browser.go(`${url}/login`);
  return browser.go(await atProvider(locationOf(begun)));
}

async function whoIs(url: string, browser: Browser) {
  return (await (await browser.go(`${url}/me`)).json()) as { user: Identity | null; session: string[] };
}

const CLIENT = { client_id: "app", client_secret: "a client secret of the tests alone" };

async function startOidcApp(options: Partial<Parameters<typeof oidc>[0]> = {}) {
  const { server, url } = await reserveServer();
  const provider = await startOidcProvider({ clients: [{ ...CLIENT, redirect_uris: [`${url}/callback`] }] });
  closing.push(() => provider.close());
  const client = { clientId: CLIENT.client_id, clientSecret: CLIENT.client_secret, callbackUrl: `${url}/callback` };
  serve(server, oidc({ issuer: provider.issuer, ...client, ...options }));
  return { url, provider };
}

describe("in a plain Passport application", () => {
  it("oidc signs in", async () => {
    const { url, provider } = await startOidcApp();
    const browser = createBrowser();

    const back = await signIn(url, browser, (authorizationUrl) => loginAt(provider, authorizationUrl, "ada"));

    expect([back.status, locationOf(back)]).toEqual([302, "/me"]);
    const { user, session: kept } = await whoIs(url, browser);
    expect(user).toMatchObject({ provider: "oidc", issuer: provider.issuer, subject: "ada", email: "ada@example.com" });
    expect(kept).not.toContain("latchkey:oidc");
  });

  it("google signs in", async () => {
    const { server, url } = await reserveServer();
    const fake = await startFakeGoogle();
    closing.push(() => fake.close());
    serve(server, google({ clientId: "g-client", clientSecret: "g-secret", callbackUrl: `${url}/callback`, fetch: fake.fetch }));
    const browser = createBrowser();

    await signIn(url, browser, (authorizationUrl) => fake.authorize(authorizationUrl));

    expect((await whoIs(url, browser)).user).toMatchObject({ provider: "google", subject: "110169484474386276334", emailVerified: true });
  });

  it("github signs in", async () => {
    const { server, url } = await reserveServer();
    const hub = await startFakeGitHub();
    closing.push(() => hub.close());
    serve(server, github({ clientId: "gh-client", clientSecret: "gh-secret", callbackUrl: `${url}/callback`, baseUrl: hub.baseUrl }));
    const browser = createBrowser();

    await signIn(url, browser, (authorizationUrl) => hub.authorize(authorizationUrl));

    expect((await whoIs(url, browser)).user).toMatchObject({ provider: "github", subject: "583231", email: "octocat@example.com" });
  });

  it("a provider given as data signs in", async () => {
    const { server, url } = await reserveServer();
    const hub = await startFakeGitHub();
    closing.push(() => hub.close());
    const gitea = oauth2<{ id: number; login: string }>(
      {
        name: "gitea",
        authorizationEndpoint: `${hub.baseUrl}/login/oauth/authorize`,
        tokenEndpoint: hub.baseUrl + TOKEN_PATH,
        userinfoEndpoint: `${hub.baseUrl}/api/v3/user`,
        scope: ["read:user"],
        profile: ({ id, login }) => ({ subject: id, name: login }),
      },
      { clientId: "gh-client", clientSecret: "gh-secret", callbackUrl: `${url}/callback` },
    );
    serve(server, gitea);
    const browser = createBrowser();

    await signIn(url, browser, (authorizationUrl) => hub.authorize(authorizationUrl));

    expect((await whoIs(url, browser)).user).toMatchObject({ provider: "gitea", subject: "583231", name: "octocat" });
  });

  it("form_post is answered without a session, and goes on by GET", async () => {
    const { url, provider } = await startOidcApp({ responseMode: "form_post" });
    const browser = createBrowser();
    const begun = await browser.go(`${url}/login`);
    const { form } = await answerAt(provider, locationOf(begun), "ada");

    // As browsers post it from another site: without Lax cookies.
    const posted = await fetch(`${url}/callback`, { method: "POST", body: new URLSearchParams(form ?? {}), redirect: "manual" });

    expect(posted.status).toBe(303);
    expect(locationOf(posted).startsWith(`${url}/callback?`)).toBe(true);
    await browser.go(locationOf(posted));
    expect((await whoIs(url, browser)).user).toMatchObject({ subject: "ada" });
  });

  it("of two tabs the first to come back signs in, and the other has to begin again", async () => {
    const { url, provider } = await startOidcApp();
    const browser = createBrowser();
    const urls = [locationOf(await browser.go(`${url}/login`)), locationOf(await browser.go(`${url}/login`))];
    const callbacks = [await loginAt(provider, urls[0] ?? "", "ada"), await loginAt(provider, urls[1] ?? "", "grace")];

    expect(locationOf(await browser.go(callbacks[1] ?? ""))).toBe("/me");
    expect((await whoIs(url, browser)).user).toMatchObject({ subject: "grace" });
    // Passport begins a new session at sign-in, and what other tabs began goes with the old one.
    expect((await browser.go(callbacks[0] ?? "")).status).toBe(401);
    expect((await whoIs(url, browser)).user).toMatchObject({ subject: "grace" });
  });

  it("rule 12: signing in changes the session's id", async () => {
    const { url, provider } = await startOidcApp();
    const browser = createBrowser();
    const begun = await browser.go(`${url}/login`);
    const before = begun.headers.getSetCookie().join();
    const back = await browser.go(await loginAt(provider, locationOf(begun), "ada"));

    expect(before).toMatch(/^connect\.sid=/);
    expect(back.headers.getSetCookie().join()).toMatch(/^connect\.sid=/);
    expect(back.headers.getSetCookie().join().split(";")[0]).not.toBe(before.split(";")[0]);
  });

  it("rule 23: a callback of another browser is 401, also when that one began a sign-in itself", async () => {
    const { url, provider } = await startOidcApp();
    const [mallory, victim] = [createBrowser(), createBrowser()];
    const callback = await loginAt(provider, locationOf(await mallory.go(`${url}/login`)), "mallory");
    await victim.go(`${url}/login`);

    expect((await victim.go(callback)).status).toBe(401);
    expect((await createBrowser().go(callback)).status).toBe(401);
    expect((await whoIs(url, victim)).user).toBeNull();
    expect(provider.requests).not.toContain("POST /token");
  });

  it("rule 28: cancelling is 401, and a provider that is down an error of ours", async () => {
    const { url, provider } = await startOidcApp();
    const browser = createBrowser();
    const cancelled = await signIn(url, browser, (authorizationUrl) => loginAt(provider, authorizationUrl, "ada", { cancel: true }));
    expect(cancelled.status).toBe(401);

    const begun = await browser.go(`${url}/login`);
    const callback = await loginAt(provider, locationOf(begun), "ada");
    await provider.close();
    const down = await browser.go(callback);
    expect([down.status, await down.json()]).toEqual([502, { code: "provider_unavailable" }]);
  });

  it("what is missing is said: a session, a callback URL, a body parser", async () => {
    const passport = new Passport();
    const options = { issuer: "https://login.example.com", clientId: "a", clientSecret: "b" };
    passport.use("without-url", oidc(options));
    passport.use("without-session", oidc({ ...options, callbackUrl: "https://app.example.com/callback" }));
    const messageOf = (name: string, req: object) =>
      new Promise<string>((resolve) => {
        const handler = passport.authenticate(name, { session: false }) as (...args: unknown[]) => void;
        handler({ headers: {}, query: {}, ...req }, {}, (error?: Error) => resolve(error?.message ?? "no error"));
      });

    expect(await messageOf("without-url", { method: "GET", session: {} })).toMatch(/callbackUrl: is missing/);
    expect(await messageOf("without-session", { method: "GET", query: { code: "x", state: "y" } })).toMatch(/put express-session before/);
    const form = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, session: {} };
    expect(await messageOf("without-session", form)).toMatch(/put express\.urlencoded/);
  });
});
