import passport from "passport";
import { afterEach, describe, expect, it } from "vitest";
import { fakeProvider } from "../../lib/testing/provider/index.ts";
import { discord } from "../../strategies/discord.ts";
import { github } from "../../strategies/github.ts";
import { zoom } from "../../strategies/zoom.ts";
import { relyingParty } from "../conformance-rp/relying-party.ts";
import { CASES, type Verify } from "../passport/cases.ts";
import { briefly, locationOf, startProviderApp } from "../support/provider-app.ts";
import { beginWith } from "../support/strategy-run.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close();
});

const CLIENT = { clientId: "app", clientSecret: "secret" };
const ASKED = new URLSearchParams({ login_hint: "ada@example.com", prompt: "select_account" });

/** An application with one provider under two names, the second with a hint and a prompt of its own; and some that are not there. */
async function start() {
  const provider = await fakeProvider();
  const google = await CASES.find(({ name }) => name === "google")?.start();
  if (!google) throw new Error("The case of passport-google-oauth20 is missing");
  const app = await startProviderApp({
    strategies: [
      relyingParty(provider),
      relyingParty(provider, { name: "set", prompt: "consent", loginHint: "grace@example.com" }),
      ...[github(CLIENT), discord(CLIENT), zoom(CLIENT)],
      google.strategy(CASES.find(({ name }) => name === "google")?.verify as Verify, {}),
    ],
  });
  closing.push(app, provider, google);
  const sent = async (path: string) => new URL(locationOf(await app.person().go(path))).searchParams;
  return { app, provider, sent };
}

describe("a hint and a prompt for one sign-in", () => {
  it("reach an OpenID provider, before those of the strategy, and no other sign-in", async () => {
    const { sent } = await start();
    for (const name of ["oidc", "set"]) {
      const asked = await sent(`/auth/login/${name}?${ASKED}`);
      expect([asked.get("login_hint"), asked.get("prompt")]).toEqual(["ada@example.com", "select_account"]);
    }
    const plain = await sent("/auth/login/oidc");
    expect([plain.has("login_hint"), plain.has("prompt")]).toEqual([false, false]);
    const set = await sent("/auth/login/set");
    expect([set.get("login_hint"), set.get("prompt")]).toEqual(["grace@example.com", "consent"]);
  });

  it("reach a provider of plain OAuth 2 under its own names, as far as it knows them", async () => {
    const { sent } = await start();
    const [hub, chat, meetings] = [
      await sent(`/auth/login/github?${ASKED}`),
      await sent(`/auth/login/discord?${ASKED}`),
      await sent(`/auth/login/zoom?${ASKED}`),
    ];
    expect([hub.get("login"), hub.get("prompt"), hub.has("login_hint")]).toEqual(["ada@example.com", "select_account", false]);
    expect([chat.get("prompt"), chat.has("login_hint")]).toEqual(["select_account", false]);
    expect([meetings.has("prompt"), meetings.has("login_hint")]).toEqual([false, false]);
  });

  it("reach a strategy of Passport that reads them", async () => {
    const { sent } = await start();
    const asked = await sent(`/auth/login/google?${ASKED}`);
    expect([asked.get("login_hint"), asked.get("prompt")]).toEqual(["ada@example.com", "select_account"]);
  });

  it("are taken by a link, too", async () => {
    const { app, provider } = await start();
    const ada = app.person();
    await ada.go(await provider.authorize(locationOf(await ada.go("/auth/login/oidc"))));
    const begun = await ada.send("POST", "/auth/accounts/set/link", { prompt: "login", login_hint: "ada@work.example" });
    const { searchParams } = new URL(((await begun.json()) as { url: string }).url);
    expect([searchParams.get("login_hint"), searchParams.get("prompt")]).toEqual(["ada@work.example", "login"]);
  });

  it("do not get between a step-up and the password that it asks for", async () => {
    const { provider } = await start();
    const { url } = await beginWith(relyingParty(provider), {}, { reauthenticate: true, prompt: "none" });
    expect(new URL(url).searchParams.get("prompt")).toBe("login");
  });

  it("with prompt=none end in login_required where the provider would have to ask", async () => {
    const { app, provider } = await start();
    const eve = app.person();
    provider.change({ authorization: ({ code: _, ...said }) => ({ ...said, error: "interaction_required" }) });
    const silent = await provider.authorize(locationOf(await eve.go("/auth/login/oidc?prompt=none&error_to=/sign-in")));
    expect(await briefly(await eve.go(silent))).toEqual([303, "/sign-in?error=login_required"]);
  });

  it.each([
    "prompt=create",
    "prompt=login%20consent",
    "prompt=",
    `login_hint=${"a".repeat(255)}`,
    "login_hint=a%0d%0ab",
    "prompt=login&prompt=none",
  ])("rule 40: are refused as %s", async (query) => {
    const { app } = await start();
    expect(await briefly(await app.person().go(`/auth/login/oidc?${query}`))).toEqual([400, "invalid_request"]);
  });

  it("may be given to authenticate in an application of Passport", async () => {
    const provider = await fakeProvider();
    closing.push(provider);
    const own = new passport.Passport();
    own.use(relyingParty(provider, { callbackUrl: "https://app.example.com/callback", loginHint: "grace@example.com" }));
    const led = await new Promise<string>((resolve, reject) => {
      const res = { statusCode: 0, setHeader: (_name: string, value: string) => resolve(value), end: () => undefined };
      const req = { method: "GET", url: "/", query: {}, headers: {}, session: {} };
      const run = own.authenticate("oidc", { loginHint: "ada@example.com", prompt: "consent" } as passport.AuthenticateOptions) as (
        ...args: unknown[]
      ) => void;
      run(req, res, reject);
    });
    const { searchParams } = new URL(led);
    expect([searchParams.get("login_hint"), searchParams.get("prompt")]).toEqual(["ada@example.com", "consent"]);
  });
});
