import { decodeJwt } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { github } from "../../strategies/github.ts";
import { oidc, type OidcOptions } from "../../strategies/oidc.ts";
import { loginAt, startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import { APP, briefly, CLIENT, locationOf, startProviderApp, userOf, type Person, type ProviderApp } from "../support/provider-app.ts";

const RETURN = `${APP}/auth/logout/oidc/return`;
let provider: OidcProvider;
let app: ProviderApp;
/** What the provider's logout tokens were answered with. */
const answers: number[] = [];

beforeAll(async () => {
  provider = await startOidcProvider({
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [`${APP}/auth/callback/oidc`],
        post_logout_redirect_uris: [RETURN],
        backchannel_logout_uri: `${APP}/auth/logout/oidc`,
        backchannel_logout_session_required: true,
      },
    ],
    configuration: {
      fetch: async (url, options) => {
        const headers = { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "cross-site" };
        const body = new URLSearchParams(options?.body as URLSearchParams).toString();
        const answer = await app.person().go(new URL(url).pathname, { method: "POST", headers, body });
        answers.push(answer.status);
        return answer;
      },
    },
  });
});
afterAll(() => provider.close());
afterEach(() => app.close());

async function start(options: Partial<OidcOptions> = {}): Promise<void> {
  app = await startProviderApp({
    strategies: [
      oidc({ issuer: provider.issuer, ...CLIENT, ...options }),
      github({ clientId: "gh-client", clientSecret: "gh-secret", baseUrl: "http://localhost:1" }),
    ],
  });
  answers.length = 0;
}

/** The provider's metadata with changes. */
const saying = (changes: object) => async (url: string, init: RequestInit) => {
  const response = await fetch(url, init);
  if (!url.endsWith("/openid-configuration")) return response;
  return Response.json({ ...((await response.json()) as object), ...changes });
};

/** Signs in with a browser that the provider remembers. */
async function signIn(login: string): Promise<Person> {
  const person = app.person();
  await person.go(await loginAt(provider, locationOf(await person.go("/auth/login/oidc")), login, { browser: person.browser }));
  return person;
}

async function signOut(person: Person, returnTo?: string): Promise<URL> {
  const answer = await person.send("POST", "/auth/sign-out/provider", returnTo === undefined ? {} : { return_to: returnTo });
  expect(answer.status).toBe(200);
  return new URL(((await answer.json()) as { url: string }).url);
}

/** The token of a session made this way. */
async function sessionBy(method: string): Promise<string> {
  const { id } = await app.auth.users.create({ email: `${method}@example.com`, emailVerified: true });
  return (await app.auth.sessions.create({ userId: id, methods: [method] })).token;
}

function post(token: string): Promise<Response> {
  const sent = { cookie: `__Host-sid=${token}`, "content-type": "application/json" };
  const headers = { ...sent, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" };
  return app.person().go("/auth/sign-out/provider", { method: "POST", headers, body: "{}" });
}

/** Says yes at the provider; resolves to where it sends the browser back to. */
async function agree(person: Person, url: URL): Promise<string> {
  const page = await person.browser.go(url.href);
  return locationOf(await person.browser.submit({ url: url.href, html: await page.text() }, { logout: "yes" }));
}

describe("signing out at the provider", () => {
  it("ends our session, then the provider's and what else was made from it, and comes back to where it began", async () => {
    await start();
    const ada = await signIn("ada");
    const before = await app.auth.sessions.list((await userOf(ada))?.id ?? "");

    const url = await signOut(ada, "/bye");

    expect(await userOf(ada)).toBeNull();
    expect(ada.cookie("__Host-sid")).toBeUndefined();
    expect(url.href).toMatch(`${provider.issuer}/session/end?`);
    const { id_token_hint = "", ...parameters } = Object.fromEntries(url.searchParams);
    expect(parameters).toEqual({
      client_id: CLIENT.clientId,
      post_logout_redirect_uri: RETURN,
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(decodeJwt(id_token_hint)).toMatchObject({ sub: "ada", sid: before[0]?.idp?.sid });

    const back = await agree(ada, url);
    expect(back).toBe(`${RETURN}?state=${parameters["state"]}`);
    expect(answers).toEqual([200]);
    expect(await briefly(await ada.go(back))).toEqual([303, "/bye"]);
    // The provider asks who it is again.
    const again = await loginAt(provider, locationOf(await ada.go("/auth/login/oidc")), "grace", { browser: ada.browser });
    await ada.go(again);
    expect((await userOf(ada))?.name).toBe("grace");
  });

  it("ends, by the provider's word, the sessions of other browsers made from the same session there", async () => {
    await start();
    const ada = await signIn("ada");
    const [session] = await app.auth.sessions.list((await userOf(ada))?.id ?? "");
    const { session: other } = await app.auth.sessions.create({
      userId: session?.userId ?? "",
      methods: ["oidc"],
      idp: session?.idp ?? null,
    });

    await agree(ada, await signOut(ada));

    expect(answers).toEqual([200]);
    expect(await app.auth.sessions.get(other.id)).toBeNull();
  });

  it("rule 1: follows the way back once, in the browser that began it", async () => {
    await start();
    const ada = await signIn("ada");
    const back = await agree(ada, await signOut(ada, "/bye"));

    expect(await briefly(await app.person().go(back))).toEqual([303, "/"]);
    expect(await briefly(await ada.go(`${RETURN}?state=another`))).toEqual([303, "/"]);
    expect(await briefly(await ada.go(RETURN))).toEqual([303, "/"]);
    const both = await Promise.all([ada.go(back), ada.go(back)]);
    expect(both.map(locationOf).sort()).toEqual(["/", "/bye"]);
  });

  it("rule 23: takes no sign-in's state for a sign-out's, nor the other way round", async () => {
    await start();
    const ada = await signIn("ada");
    const signingOut = (await signOut(ada, "/bye")).searchParams.get("state");
    const begun = new URL(locationOf(await ada.go("/auth/login/oidc?return_to=/hello")));

    expect(await briefly(await ada.go(`/auth/callback/oidc?code=x&state=${signingOut}`))).toEqual([401, "Sign-in did not finish"]);
    expect(await briefly(await ada.go(`${RETURN}?state=${begun.searchParams.get("state")}`))).toEqual([303, "/"]);
    expect(await briefly(await ada.go(await loginAt(provider, begun.href, "ada")))).toEqual([303, "/hello"]);
    expect(await briefly(await ada.go(`${RETURN}?state=${signingOut}`))).toEqual([303, "/bye"]);
  });

  it("rule 39: leads nowhere else", async () => {
    await start();
    const ada = await signIn("ada");
    const back = await agree(ada, await signOut(ada, "https://evil.example/"));
    expect(await briefly(await ada.go(back))).toEqual([303, "/"]);
  });

  it("sends a browser that navigates there at once", async () => {
    await start();
    const ada = await signIn("ada");
    const headers = { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" };
    const answer = await ada.go("/auth/sign-out/provider", { method: "POST", headers, body: "return_to=%2Fbye" });
    expect([answer.status, locationOf(answer).startsWith(`${provider.issuer}/session/end?`)]).toEqual([303, true]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("keeps what ties a sign-in under way in another tab to this browser for as long as that is kept", async () => {
    await start();
    const ada = await signIn("ada");
    const bindingOf = (answer: Response) => answer.headers.getSetCookie().find((cookie) => /^[\w-]+-oauth=./.test(cookie));
    const begun = bindingOf(await ada.go("/auth/login/oidc"));
    expect(begun).toContain("; Max-Age=1800;");
    expect(bindingOf(await ada.send("POST", "/auth/sign-out/provider", {}))).toBe(begun);
  });

  it("is signing out here, when the provider offers no more", async () => {
    await start({ fetch: saying({ end_session_endpoint: undefined }) });
    const ada = await signIn("ada");
    const answer = await ada.send("POST", "/auth/sign-out/provider", {});
    expect(await answer.json()).toEqual({ success: true, url: null });
    expect(await userOf(ada)).toBeNull();
  });

  it("is signing out here, when no provider is behind the session", async () => {
    await start();
    const token = await sessionBy("magic_code");
    const answer = await post(token);
    expect(await answer.json()).toEqual({ success: true, url: null });
    expect((await app.auth.sessions.resolve(token)).session).toBeNull();
  });

  it("rule 43: is signing out here, when the provider is down", async () => {
    await start({ fetch: () => Promise.reject(new Error("down")) });
    const token = await sessionBy("oidc");
    const answer = await post(token);
    expect([answer.status, await answer.json()]).toEqual([200, { success: true, url: null }]);
    expect((await app.auth.sessions.resolve(token)).session).toBeNull();
  });

  it("rule 36: is asked for by our own pages, of who is signed in", async () => {
    await start();
    const ada = await signIn("ada");
    const headers = { "content-type": "application/json", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" };
    expect((await ada.go("/auth/sign-out/provider", { method: "POST", headers, body: "{}" })).status).toBe(403);
    expect((await app.person().send("POST", "/auth/sign-out/provider", {})).status).toBe(401);
    expect((await userOf(ada))?.name).toBe("ada");
  });
});

describe("front-channel logout", () => {
  const ONLY_FRAMES = { frontchannel_logout_supported: true, backchannel_logout_supported: false };
  const FRAME = {
    headers: { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site" },
  };
  const frame = (iss: string, sid: string) => `/auth/logout/oidc/frame?${new URLSearchParams({ iss, sid })}`;
  const sidOf = async (person: Person) => (await app.auth.sessions.list((await userOf(person))?.id ?? ""))[0]?.idp?.sid ?? "";

  it("ends the session that the provider names, without a cookie, in a frame that the provider alone may have", async () => {
    await start({ fetch: saying(ONLY_FRAMES) });
    const [ada, grace] = [await signIn("ada"), await signIn("grace")];

    const answer = await app.person().go(frame(provider.issuer, await sidOf(ada)), FRAME);

    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-security-policy")).toMatch(new RegExp(`frame-ancestors ${provider.issuer}$`));
    expect([answer.headers.get("x-frame-options"), answer.headers.get("cache-control")]).toEqual([null, "no-store"]);
    expect([await userOf(ada), (await userOf(grace))?.name]).toEqual([null, "grace"]);
  });

  it("ends nothing for another issuer, an unknown session, or who names none", async () => {
    await start({ fetch: saying(ONLY_FRAMES) });
    const ada = await signIn("ada");
    const sid = await sidOf(ada);

    expect((await ada.go(frame("https://evil.example", sid), FRAME)).status).toBe(400);
    expect((await ada.go(`/auth/logout/oidc/frame?iss=${provider.issuer}`, FRAME)).status).toBe(400);
    // Its issuers make their own names: another could have made the same.
    expect((await ada.go(`/auth/logout/oidc/frame?sid=${sid}`, FRAME)).status).toBe(400);
    expect((await ada.go(frame(provider.issuer, `${sid}x`), FRAME)).status).toBe(200);
    expect((await userOf(ada))?.name).toBe("ada");
  });

  it.each<[string, object]>([
    ["nothing of it", {}],
    ["that it has the back channel too", { ...ONLY_FRAMES, backchannel_logout_supported: true }],
    ["that it has no back channel either", { backchannel_logout_supported: false }],
  ])("is not there for a provider that says %s", async (_what, changes) => {
    await start({ fetch: saying(changes) });
    const ada = await signIn("ada");
    expect(await briefly(await ada.go(frame(provider.issuer, await sidOf(ada)), FRAME))).toEqual([404, "provider_not_found"]);
    expect((await userOf(ada))?.name).toBe("ada");
  });
});
