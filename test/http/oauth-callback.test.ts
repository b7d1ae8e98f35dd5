import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Strategy as GitHubStrategy } from "passport-github2";
import { Strategy as BearerStrategy } from "passport-http-bearer";
import { Strategy as JwtStrategy } from "passport-jwt";
import { Strategy as LocalStrategy } from "passport-local";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import type { TestClock } from "../../lib/testing/clock.ts";
import { github } from "../../strategies/github.ts";
import { oidc } from "../../strategies/oidc.ts";
import { startFakeGitHub, TOKEN_PATH, type FakeGitHub } from "../support/fake-github.ts";
import { answerAt, loginAt, type OidcProvider } from "../support/oidc-provider.ts";
import {
  APP, briefly, CLIENT, locationOf, signInAt, startKnownProvider, startProviderApp, userOf, type ProviderApp,
} from "../support/provider-app.ts"; // prettier-ignore
import { openTestStore } from "../support/test-store.ts";

let provider: OidcProvider;
let hub: FakeGitHub;
const closing: ProviderApp[] = [];

beforeAll(async () => {
  provider = await startKnownProvider();
});
afterAll(() => provider.close());
beforeEach(async () => {
  hub = await startFakeGitHub();
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const app of closing.splice(0)) await app.close();
  await hub.close();
});

const octocat = () => github({ clientId: "gh-client", clientSecret: "gh-secret", baseUrl: hub.baseUrl });
const company = (options: Partial<Parameters<typeof oidc>[0]> = {}) => oidc({ issuer: provider.issuer, ...CLIENT, ...options });

async function start(options: Parameters<typeof startProviderApp>[0] = {}) {
  const app = await startProviderApp({ strategies: [company(), octocat()], ...options });
  closing.push(app);
  return app;
}

const JSON_ONLY = { headers: { accept: "application/json" } };

describe("GET /auth/providers", () => {
  it("lists the configured ways, by name, and where they begin", async () => {
    const app = await start();

    const list = await app.person().go("/auth/providers");

    expect(await list.json()).toEqual([
      { provider: "github", url: "/auth/login/github" },
      { provider: "oidc", url: "/auth/login/oidc" },
    ]);
    expect(list.headers.get("cache-control")).toBe("no-store");
  });

  it("lists none that a link does not begin: what reads a form or a token", async () => {
    const never = () => undefined;
    const app = await start({
      strategies: [
        new LocalStrategy(never),
        new JwtStrategy({ secretOrKey: "secret", jwtFromRequest: () => null }, never),
        new BearerStrategy(never),
        ...[company(), new GitHubStrategy({ clientID: "app", clientSecret: "secret", callbackURL: "https://a.example/" }, never)],
        Object.assign(new LocalStrategy(never), { name: "saml", _saml: {} }),
      ],
    });

    const list = (await (await app.person().go("/auth/providers")).json()) as { provider: string }[];

    expect(list.map(({ provider: name }) => name)).toEqual(["github", "oidc", "saml"]);
  });
});

describe("the cookies of a sign-in", () => {
  it("are __Host- cookies under https, and the answers that set them are not cached", async () => {
    const app = await start();
    const mona = app.person();
    const begun = await mona.go("/auth/login/github");
    const back = await mona.go(hub.authorize(locationOf(begun)));

    expect(begun.status).toBe(303);
    expect(begun.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-sid-oauth=[\w-]{43}; Max-Age=1800; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/),
    ]);
    expect(back.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-sid=[\w-]{107}; Max-Age=2592000; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/),
    ]);
    expect([begun, back].map((answer) => answer.headers.get("cache-control"))).toEqual(["no-store", "no-store"]);
  });

  it.each(["short", "a%0d%0aSet-Cookie:%20x=1", "%00", "j:{}", "x".repeat(44), "%E0%A4%A"])(
    "rule 40: are made anew where the browser has %j for one",
    async (value) => {
      const app = await start();
      const mona = app.person();
      const headers = { cookie: `__Host-sid-oauth=${value}` };

      const begun = await mona.go("/auth/login/github", { headers });

      expect(begun.headers.getSetCookie().join()).toMatch(/^__Host-sid-oauth=[\w-]{43};/);
      expect((await mona.go(hub.authorize(locationOf(begun)), { headers })).status).toBe(401);
      expect((await mona.go(hub.authorize(locationOf(await mona.go("/auth/login/github"))))).status).toBe(303);
    },
  );

  it("that are Strict let a sign-in come back, and a second step bring the session along", async () => {
    const app = await start({ cookie: { sameSite: "strict" } });
    const mona = app.person();
    const begun = await mona.go("/auth/login/github");
    expect(begun.headers.getSetCookie().join()).toMatch(/SameSite=Lax$/);
    const callback = hub.authorize(locationOf(begun));

    const arrived = await mona.go(callback, { headers: { "sec-fetch-site": "cross-site" } });
    expect([arrived.status, arrived.headers.getSetCookie(), hub.requests]).toEqual([200, [], []]);
    const next = /http-equiv="refresh" content="0;url=([^"]*)"/.exec(await arrived.text())?.[1]?.replaceAll("&amp;", "&") ?? "";
    expect(new URL(next, APP).href).toBe(callback);

    const back = await mona.go(next, { headers: { "sec-fetch-site": "same-origin" } });
    expect(await briefly(back)).toEqual([303, "/"]);
    expect(back.headers.getSetCookie().join()).toMatch(/^__Host-sid=.*SameSite=Strict$/);
  });
});

describe("where a sign-in leads", () => {
  const followed = async (app: ProviderApp, target: string) => {
    const mona = app.person();
    const begun = await mona.go(`/auth/login/github?return_to=${encodeURIComponent(target)}`);
    if (begun.status !== 303) return begun.status;
    return locationOf(await mona.go(hub.authorize(locationOf(begun))));
  };

  it.each([
    ["/welcome?tab=1#top", "/welcome?tab=1#top"],
    [`${APP}/welcome`, "/welcome"],
    ["welcome", "/welcome"],
    ["https://other.example.com/welcome", "https://other.example.com/welcome"],
  ])("is what was asked for: %s", async (target, expected) => {
    expect(await followed(await start({ returnToOrigins: ["https://other.example.com"] }), target)).toBe(expected);
  });

  it.each([
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "https://evil.example",
    "https:evil.example/",
    "https:/evil.example",
    "HTTPS://EVIL.EXAMPLE",
    "http://app.example.com/",
    "https://app.example.com.evil.example/",
    "https://app.example.com@evil.example/",
    "https://evil.example#https://app.example.com/",
    "https://user:password@app.example.com/",
    "https://app.example.com:8443/",
    "https://other.example.com.evil.example/",
    "http://other.example.com/",
    "javascript:alert(1)",
    "data:text/html,x",
    "//%65vil.example",
    "https://app.example.com\\@evil.example/",
    " //evil.example",
    "x".repeat(2048),
  ])("rule 39: is never another origin: %s", async (target) => {
    const led = String(await followed(await start({ returnToOrigins: ["https://other.example.com"] }), target));

    expect(new URL(led, APP).origin).toBe(APP);
    expect(led).toMatch(/^\/(?![/\\])/);
  });

  it.each(["/\r\nSet-Cookie: x=1", "/\t/evil.example", "/a\u0000b", "/\u0085", "", "/".padEnd(2049, "x")])(
    "rule 40: is not asked for with control characters or beyond its length: %j",
    async (target) => {
      expect(await followed(await start(), target)).toBe(400);
    },
  );

  it("rule 39: stays in the application for what looks like a path, encoded as it is", async () => {
    for (const target of ["/%2f%2fevil.example", "/%5cevil.example", "/..//evil.example", "/.//evil.example"]) {
      const led = String(await followed(await start(), target));
      expect([target, new URL(led, APP).origin, led.startsWith("//")]).toEqual([target, APP, false]);
    }
  });

  it("rule 39: is checked again when it is used", async () => {
    let store: RecordStore | undefined;
    const shared = { makeStore: (clock: TestClock) => (store ??= openTestStore({ clock })) };
    const before = await start({ ...shared, returnToOrigins: ["https://old.example.com"] });
    const after = await start(shared);
    const mona = before.person();
    const begun = await mona.go("/auth/login/github?return_to=https://old.example.com/welcome");
    const cookie = `__Host-sid-oauth=${mona.cookie("__Host-sid-oauth")}`;

    const back = await after.person().go(hub.authorize(locationOf(begun)), { headers: { cookie } });

    expect(await briefly(back)).toEqual([303, "/"]);
  });
});

describe("whom a sign-in finds", () => {
  it("rule 25: the same user for the same subject, whatever address they have now", async () => {
    const app = await start();
    const [before, after] = [app.person(), app.person()];
    await before.go(hub.authorize(locationOf(await before.go("/auth/login/github"))));
    hub.user.emails = [{ email: "new@example.com", primary: true, verified: true, visibility: null }];
    hub.user.login = "renamed";
    await after.go(hub.authorize(locationOf(await after.go("/auth/login/github"))));

    expect((await userOf(after))?.id).toBe((await userOf(before))?.id);
  });

  it("rule 25: another user for the same subject at another provider", async () => {
    const app = await start();
    const [mona, other] = [app.person(), app.person()];
    await mona.go(hub.authorize(locationOf(await mona.go("/auth/login/github"))));
    await signInAt(provider, other, "583231");

    expect((await userOf(other))?.id).not.toBe((await userOf(mona))?.id);
  });

  it("rule 26: nobody by an address that was not verified: a user of their own, without it", async () => {
    const app = await start({ linkByEmail: ["oidc"] });
    const [ada, mallory] = [app.person(), app.person()];
    await signInAt(provider, ada, "ada");

    await signInAt(provider, mallory, "ada+unverified");

    expect(await userOf(mallory)).toMatchObject({ email: null, name: "ada+unverified" });
    expect((await userOf(mallory))?.id).not.toBe((await userOf(ada))?.id);
  });

  it("rule 26: nobody by a verified address either, unless the provider is trusted with that", async () => {
    const app = await start();
    const [ada, other] = [app.person(), app.person()];
    await signInAt(provider, ada, "ada");
    const refused = await other.go(await loginAt(provider, locationOf(await other.go("/auth/login/oidc")), "ada+2"), JSON_ONLY);

    expect(await refused.json()).toMatchObject({ status: 409, code: "account_not_linked" });
    expect(other.cookie("__Host-sid")).toBeUndefined();

    const trusting = await start({ linkByEmail: ["oidc"], makeStore: () => app.store });
    const again = trusting.person();
    expect(await briefly(await signInAt(provider, again, "ada+2"))).toEqual([303, "/"]);
    expect((await userOf(again))?.id).toBe((await userOf(ada))?.id);
  });

  it("rule 26: not the user of an address that nobody confirmed here, not even for a trusted provider", async () => {
    const app = await start({ linkByEmail: ["oidc"] });
    await app.auth.users.create({ id: "planted", email: "ada@example.com", emailVerified: false });
    const ada = app.person();

    const refused = await ada.go(await loginAt(provider, locationOf(await ada.go("/auth/login/oidc")), "ada"), JSON_ONLY);

    expect(await briefly(refused)).toEqual([409, "account_not_linked"]);
    expect(await app.auth.accounts.listForUser("planted")).toEqual([]);
  });
});

describe("a sign-in that does not work out", () => {
  it("rule 28: shows a page in our words to who looks at one, and a problem document to a script", async () => {
    const app = await start();
    const ada = app.person();
    const cancelled = () => ada.go("/auth/login/oidc").then((begun) => loginAt(provider, locationOf(begun), "ada", { cancel: true }));

    const shown = await ada.go(await cancelled());
    const html = await shown.text();
    expect([shown.status, shown.headers.get("content-type")]).toEqual([401, "text/html; charset=utf-8"]);
    expect(html).toContain("Signing in was cancelled");
    expect(html).toContain('href="/auth/login/oidc"');
    expect(html).not.toMatch(/End-User|aborted|<script/i);
    expect(shown.headers.get("referrer-policy")).toBe("strict-origin");

    const told = await ada.go(await cancelled(), JSON_ONLY);
    expect(told.headers.get("content-type")).toContain("application/problem+json");
    expect(await told.json()).toEqual({
      type: "about:blank",
      title: "Unauthorized",
      status: 401,
      code: "access_denied",
      detail: "Signing in was cancelled",
    });
    expect(app.events.map(({ type, details }) => ({ type, ...details }))).toEqual(
      [1, 2].map(() => ({ type: "sign_in.failed", method: "oidc", code: "access_denied" })),
    );
  });

  it.each(["<script>alert(1)</script>", "server_error", "x".repeat(4000), "\u202Eevil"])(
    "rule 28: reflects nothing of an error %j",
    async (error) => {
      const app = await start();
      const ada = app.person();
      const begun = new URL(locationOf(await ada.go("/auth/login/oidc")));
      const query = new URLSearchParams({ error, error_description: "call 555-0100", error_uri: "https://evil.example/" });
      query.set("state", begun.searchParams.get("state") ?? "");
      query.set("iss", provider.issuer);

      const answer = await ada.go(`/auth/callback/oidc?${query}`);

      expect(answer.status).toBe(502);
      expect(await answer.text()).not.toMatch(/555|evil|<script>|xxxx|server_error/);
    },
  );

  it("rule 43: says that the provider is down when it cannot be begun, and recovers with it", async () => {
    let down = true;
    const flaky = (url: string, init: RequestInit) => (down ? Promise.reject(new TypeError("fetch failed")) : fetch(url, init));
    const app = await start({ strategies: [company({ fetch: flaky })] });
    const ada = app.person();

    expect(await briefly(await ada.go("/auth/login/oidc", JSON_ONLY))).toEqual([502, "provider_unavailable"]);
    expect(await briefly(await ada.go("/auth/login/oidc"))).toEqual([502, "Sign-in did not finish"]);
    expect(ada.cookie("__Host-sid-oauth")).toBeUndefined();
    down = false;
    expect((await signInAt(provider, ada, "ada")).status).toBe(303);
    expect(app.events.filter(({ type }) => type === "sign_in.failed")).toHaveLength(2);
  });

  it("rule 43: is answered in time when the provider stays silent", async () => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    const app = await start();
    const mona = app.person();
    const callback = hub.authorize(locationOf(await mona.go("/auth/login/github")));
    hub.answerOnce(TOKEN_PATH, { body: "", silent: true });
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => timeout(ms / 50));

    expect(await briefly(await mona.go(callback, JSON_ONLY))).toEqual([502, "provider_unavailable"]);
    expect(mona.cookie("__Host-sid")).toBeUndefined();
  });

  it.each([
    ["/auth/login/nobody", 404],
    ["/auth/callback/nobody?code=x&state=y", 404],
    ["/auth/login/__proto__", 404],
    ["/auth/callback/constructor?code=x&state=y", 404],
    ["/auth/login/..%2f..%2fetc", 400],
    ["/auth/callback/oidc", 401],
    ["/auth/callback/oidc?code=x", 401],
    ["/auth/callback/oidc?state=x&state=y&code=z", 400],
    ["/auth/callback/oidc?state[a]=x", 401],
    [`/auth/callback/oidc?state=${"x".repeat(5000)}`, 400],
    ["/auth/login/oidc?redirect_uri=https://evil.example", 400],
    ["/auth/login/oidc?link=true", 400],
  ])("rule 40: is never a 500: GET %s", async (path, status) => {
    const app = await start();
    const somebody = app.person();
    await somebody.go("/auth/login/oidc");

    expect((await somebody.go(path)).status).toBe(status);
  });
});

describe("the form_post response mode", () => {
  it("rule 36: takes the provider's cross-site form without any cookie, and goes on by a GET that has them", async () => {
    const app = await start({ strategies: [company({ name: "form", responseMode: "form_post" })] });
    const ada = app.person();
    const begun = await ada.go("/auth/login/form?return_to=/welcome");
    expect(new URL(locationOf(begun)).searchParams.get("response_mode")).toBe("form_post");
    const { url, form } = await answerAt(provider, locationOf(begun), "ada");

    const posted = await app.person().go(url, {
      method: "POST",
      headers: { "sec-fetch-site": "cross-site", origin: "null" },
      body: new URLSearchParams({ ...form, return_to: "https://evil.example", user: "{}", more: "1" }),
    });

    expect(posted.status).toBe(303);
    expect(posted.headers.getSetCookie()).toEqual([]);
    const target = new URL(locationOf(posted), APP);
    expect([target.origin, target.pathname]).toEqual([APP, "/auth/callback/form"]);
    expect([...target.searchParams.keys()].sort()).toEqual(["code", "iss", "state", "user"]);
    expect(await briefly(await ada.go(locationOf(posted)))).toEqual([303, "/welcome"]);
    expect((await userOf(ada))?.email).toBe("ada@example.com");
  });

  it("rule 23: signs nobody in by the form alone", async () => {
    const app = await start({ strategies: [company({ name: "form", responseMode: "form_post" })] });
    const [ada, victim] = [app.person(), app.person()];
    const { url, form } = await answerAt(provider, locationOf(await ada.go("/auth/login/form")), "ada");
    const posted = await victim.go(url, { method: "POST", body: new URLSearchParams(form ?? {}) });

    expect((await victim.go(locationOf(posted))).status).toBe(401);
    expect(victim.cookie("__Host-sid")).toBeUndefined();
  });
});

describe("a script that begins a sign-in", () => {
  it("is told where to send the browser", async () => {
    const app = await start();
    const mona = app.person();

    for (const method of ["GET", "POST"]) {
      const begun = await mona.send(method, "/auth/login/github", method === "POST" ? { return_to: "/welcome" } : undefined);
      const { url } = (await begun.json()) as { url: string };
      expect([begun.status, url.startsWith(`${hub.baseUrl}/login/oauth/authorize?`)]).toEqual([200, true]);
      expect((await mona.go(hub.authorize(url))).status).toBe(303);
    }
  });
});
