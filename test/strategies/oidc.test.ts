import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { withState } from "../../lib/core/run-strategy.ts";
import type { Attempt } from "../../lib/oauth/attempts.ts";
import type { Fetch } from "../../lib/oauth/http.ts";
import { createTestClock } from "../../lib/testing/index.ts";
import { oidc, type OidcOptions } from "../../strategies/oidc.ts";
import { createBrowser } from "../support/browser.ts";
import { answerAt, loginAt, startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const SECRET = "a client secret of the tests alone";
const REDIRECT = { redirect_uris: [CALLBACK], post_logout_redirect_uris: ["http://app.localhost:3000/"] };
let provider: OidcProvider;

beforeAll(async () => {
  provider = await startOidcProvider({
    clients: [
      { client_id: "app", client_secret: SECRET, ...REDIRECT },
      { client_id: "basic", client_secret: SECRET, token_endpoint_auth_method: "client_secret_basic", ...REDIRECT },
      { client_id: "public", ...REDIRECT },
      { client_id: "post", client_secret: SECRET, token_endpoint_auth_method: "client_secret_post", backchannel_logout_uri: "http://app.localhost/logout", backchannel_logout_session_required: true, ...REDIRECT }, // prettier-ignore
    ],
  });
});

afterAll(() => provider.close());
afterEach(() => {
  vi.useRealTimers();
});

function strategy(options: Partial<OidcOptions> = {}) {
  return oidc({ issuer: provider.issuer, clientId: "post", clientSecret: SECRET, ...options });
}

/** A `fetch` whose answers from URLs ending in `path` go through `change`. */
function tampered(path: string, change: (body: Record<string, unknown>) => unknown): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!new URL(url).pathname.endsWith(path)) return response;
    return Response.json(change((await response.json()) as Record<string, unknown>), { status: response.status });
  };
}

function reencoded(jwt: unknown, change: (claims: Record<string, unknown>) => object): string {
  const [header = "", payload = "", signature = ""] = String(jwt).split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
  return [header, Buffer.from(JSON.stringify({ ...claims, ...change(claims) })).toString("base64url"), signature].join(".");
}

/** The one attempt in a session, as it rests, to tamper with. */
function onlyAttempt(session: Record<string, unknown>): { -readonly [K in keyof Attempt]: Attempt[K] } {
  const [attempt] = Object.values(session["latchkey:oidc"] as Record<string, Attempt>);
  if (!attempt) throw new Error("no attempt");
  return attempt;
}

describe("signing in with an OpenID provider", () => {
  it("ends in the identity that the provider vouches for, with its tokens", async () => {
    const google = strategy();
    const { url, session } = await beginWith(google);
    const before = Date.now();

    const identity = identityOf(await completeWith(google, session, await loginAt(provider, url, "ada")));

    expect(identity).toMatchObject({
      provider: "oidc",
      issuer: provider.issuer,
      subject: "ada",
      email: "ada@example.com",
      emailVerified: true,
      name: "ada",
      authenticatedAt: null,
      tokens: { scope: "openid email profile", refreshToken: null },
    });
    expect(identity.providerSessionId).toMatch(/./);
    expect(identity.tokens?.accessTokenExpiresAt).toBeGreaterThanOrEqual(before + 3_500_000);
  });

  it("rule 23: sends state, nonce and PKCE S256, all new each time, and remembers them in the session alone", async () => {
    const each = await Promise.all([beginWith(strategy()), beginWith(strategy())]);

    const parameters = each.map(({ url }) => new URL(url).searchParams);
    for (const query of parameters) {
      expect(query.get("code_challenge_method")).toBe("S256");
      expect(query.get("code_challenge")).toMatch(/^[\w-]{43}$/);
      expect(query.get("state")).toMatch(/^[\w-]{43}$/);
      expect(query.get("nonce")).toMatch(/^[\w-]{43}$/);
      expect(query.get("redirect_uri")).toBe(CALLBACK);
    }
    for (const name of ["code_challenge", "state", "nonce"]) expect(parameters[0]?.get(name)).not.toBe(parameters[1]?.get(name));
    expect(onlyAttempt(each[0].session).codeVerifier).toMatch(/^[\w-]{43}$/);
    expect(withState(each[0].url).state).toBe(onlyAttempt(each[0].session).state);
  });

  it.each([
    ["public", null],
    ["basic", SECRET],
    ["app", SECRET],
  ])("works as client %j", async (clientId, clientSecret) => {
    // What the metadata advertises first is not what every registration takes.
    const authentication = tampered("openid-configuration", (metadata) => ({
      ...metadata,
      token_endpoint_auth_methods_supported: ["client_secret_basic"],
    }));
    const client = strategy({ clientId, clientSecret, fetch: authentication });
    const { url, session } = await beginWith(client);

    expect(identityOf(await completeWith(client, session, await loginAt(provider, url, "ada"))).subject).toBe("ada");
  });

  it("rule 23: refuses a state that this session did not begin", async () => {
    const mine = strategy();
    const theirs = await beginWith(mine);
    const callback = await loginAt(provider, theirs.url, "mallory");
    const { session } = await beginWith(mine);

    expect(errorOf(await completeWith(mine, session, callback))).toMatchObject({ code: "transaction_not_found", status: 401 });
    expect(errorOf(await completeWith(mine, {}, callback))).toMatchObject({ code: "transaction_not_found" });
  });

  it.each(["__proto__", "constructor", ""])("rule 40: finds nothing under the state %j", async (state) => {
    const client = strategy();
    const { session } = await beginWith(client);

    expect(errorOf(await completeWith(client, session, `${CALLBACK}?code=x&state=${state}`))).toMatchObject({
      code: "transaction_not_found",
    });
  });

  it("rule 23: refuses another nonce than it sent", async () => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const callback = await loginAt(provider, url, "ada");
    onlyAttempt(session).nonce = "another";

    expect(errorOf(await completeWith(client, session, callback))).toMatchObject({ code: "invalid_provider_response", status: 502 });
  });

  it("rule 23: gets nothing for a code whose PKCE verifier it does not have", async () => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const callback = await loginAt(provider, url, "ada");
    onlyAttempt(session).codeVerifier = "x".repeat(43);

    expect(errorOf(await completeWith(client, session, callback))).toMatchObject({ code: "invalid_grant" });
  });

  it("rule 3: has spent an attempt, whatever came of it", async () => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const callback = await loginAt(provider, url, "ada");
    const again = JSON.parse(JSON.stringify(session)) as typeof session;
    identityOf(await completeWith(client, session, callback));

    expect(errorOf(await completeWith(client, session, callback))).toMatchObject({ code: "transaction_not_found" });
    expect(errorOf(await completeWith(client, again, callback))).toMatchObject({ code: "invalid_grant" });
  });

  it("rule 24: refuses an answer with another iss, or without the one the provider advertises", async () => {
    const client = strategy();
    const { url, session } = await beginWith(client);
    const callback = new URL(await loginAt(provider, url, "ada"));
    const withIss = (iss: string | null) => {
      const changed = new URL(callback);
      if (iss === null) changed.searchParams.delete("iss");
      else changed.searchParams.set("iss", iss);
      return completeWith(client, JSON.parse(JSON.stringify(session)) as typeof session, changed.href);
    };

    expect(errorOf(await withIss("https://evil.example"))).toMatchObject({ code: "invalid_provider_response" });
    expect(errorOf(await withIss(null))).toMatchObject({ code: "invalid_provider_response" });
    expect(identityOf(await withIss(provider.issuer)).subject).toBe("ada");
  });

  it.each([
    ["issuer", () => ({ iss: "https://evil.example" })],
    ["audience", () => ({ aud: "another" })],
    ["expiry", () => ({ exp: Math.floor(Date.now() / 1000) - 3600 })],
    ["subject", () => ({ sub: "admin" })],
  ])("rule 24: refuses an ID token whose %s was changed", async (_, change) => {
    const client = strategy({ fetch: tampered("/token", (reply) => ({ ...reply, id_token: reencoded(reply["id_token"], change) })) });
    const { url, session } = await beginWith(client);

    const error = errorOf(await completeWith(client, session, await loginAt(provider, url, "ada")));

    expect(error).toMatchObject({ code: "invalid_provider_response", status: 502 });
  });

  it("rule 25: refuses userinfo about somebody else, and a reply without an ID token", async () => {
    for (const fetch of [
      tampered("/me", (claims) => ({ ...claims, sub: "admin" })),
      tampered("/token", ({ id_token: _, ...rest }) => rest),
    ]) {
      const client = strategy({ fetch });
      const { url, session } = await beginWith(client);
      expect(errorOf(await completeWith(client, session, await loginAt(provider, url, "ada")))).toMatchObject({
        code: "invalid_provider_response",
      });
    }
  });

  it.each([["true"], [1], ["yes"], [null]])("rule 26: takes email_verified %j for unverified", async (email_verified) => {
    const client = strategy({ fetch: tampered("/me", (claims) => ({ ...claims, email_verified })) });
    const { url, session } = await beginWith(client);

    expect(identityOf(await completeWith(client, session, await loginAt(provider, url, "ada")))).toMatchObject({
      email: "ada@example.com",
      emailVerified: false,
    });
  });

  it("rule 28: reports a cancelled sign-in as access_denied, and repeats nothing of what the provider says", async () => {
    const client = strategy();
    const cancelled = await beginWith(client);
    const answer = await loginAt(provider, cancelled.url, "ada", { cancel: true });
    expect(new URL(answer).searchParams.get("error_description")).toBeTruthy();
    const error = errorOf(await completeWith(client, cancelled.session, answer));
    expect(error).toMatchObject({ code: "access_denied", status: 401, message: "Signing in was cancelled" });

    const { url, session } = await beginWith(client);
    const { state } = withState(url);
    const odd = new URLSearchParams({ state, iss: provider.issuer, error: "<script>", error_description: "<b>call 555-0100</b>" });
    expect(errorOf(await completeWith(client, session, `${CALLBACK}?${odd}`))).toMatchObject({
      code: "provider_error",
      message: "The provider refused",
    });
  });

  it("rule 28: keeps secrets out of an error and all its causes", async () => {
    const client = strategy({ clientSecret: "a secret that is wrong" });
    const { url, session } = await beginWith(client);
    const callback = await loginAt(provider, url, "ada");

    const error = errorOf(await completeWith(client, session, callback));

    const texts: string[] = [];
    for (let layer: unknown = error; layer instanceof Error; layer = layer.cause)
      texts.push(JSON.stringify([layer.message, layer.stack, Object.entries(layer)]));
    const secrets = ["a secret that is wrong", new URL(callback).searchParams.get("code")];
    expect(secrets.filter((secret) => secret && texts.join().includes(secret))).toEqual([]);
    expect(texts.join()).toContain("invalid_client");
  });

  it("rule 23: lets ten tabs of one browser sign in at once, each for itself", async () => {
    const client = strategy();
    let session: Record<string, unknown> = {};
    const urls: string[] = [];
    for (let tab = 0; tab < 11; tab += 1) {
      const begun = await beginWith(client, session);
      session = begun.session;
      urls.push(begun.url);
    }
    expect(Object.keys(session["latchkey:oidc"] as object)).toHaveLength(10);
    const callbacks = await Promise.all(
      [urls[10], urls[1], urls[0]].map((url, person) => loginAt(provider, url ?? "", `person-${person}`)),
    );

    const outcomes = [];
    for (const callback of callbacks) outcomes.push(await completeWith(client, session, callback));

    expect(outcomes.slice(0, 2).map((outcome) => identityOf(outcome).subject)).toEqual(["person-0", "person-1"]);
    expect(outcomes[2] && errorOf(outcomes[2])).toMatchObject({ code: "transaction_not_found" });
  });

  it("rule 7: forgets an attempt after ten minutes", async () => {
    const clock = createTestClock(Date.now());
    const client = strategy({ clock });
    const { url, session } = await beginWith(client);
    const callback = await loginAt(provider, url, "ada");
    clock.advance(600);

    expect(errorOf(await completeWith(client, session, callback))).toMatchObject({ code: "transaction_not_found" });
  });
});

describe("the form_post response mode", () => {
  it("goes on by a GET of the same callback, and reads no session on the way", async () => {
    const client = strategy({ responseMode: "form_post" });
    const { url, session } = await beginWith(client);
    const { form } = await answerAt(provider, url, "ada");
    expect(form).toHaveProperty("code");

    const { runStrategy } = await import("../../lib/core/run-strategy.ts");
    const posted = await runStrategy(client, { req: { method: "POST", headers: {}, body: form }, session: {} }, { callbackURL: CALLBACK });

    expect(posted).toMatchObject({ kind: "redirect", status: 303 });
    const location = posted.kind === "redirect" ? posted.url : "";
    expect(location.startsWith(`${CALLBACK}?`)).toBe(true);
    expect(identityOf(await completeWith(client, session, location)).subject).toBe("ada");
  });
});

describe("pushed authorization requests", () => {
  it("are made where the provider advertises them, with the state said in the open too", async () => {
    const par = await startOidcProvider({
      clients: [{ client_id: "app", client_secret: SECRET, ...REDIRECT }],
      configuration: { features: { pushedAuthorizationRequests: { enabled: true } } },
    });
    try {
      const client = strategy({ issuer: par.issuer, clientId: "app" });
      const { url, session } = await beginWith(client);
      const callback = await loginAt(par, url, "ada");

      expect([...new URL(url).searchParams.keys()].sort()).toEqual(["client_id", "request_uri", "state"]);
      expect(new URL(callback).searchParams.get("state")).toBe(withState(url).state);
      expect(identityOf(await completeWith(client, session, callback)).subject).toBe("ada");
      expect(par.requests).toContain("POST /request");
    } finally {
      await par.close();
    }
  });
});

describe("reauthentication", () => {
  it("makes somebody who is signed in there sign in again, and tells when they did", async () => {
    const client = strategy();
    const browser = createBrowser();
    const first = await beginWith(client);
    await loginAt(provider, first.url, "ada", { browser });
    const count = provider.requests.length;
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { url, session } = await beginWith(client, {}, { reauthenticate: true });

    const identity = identityOf(
      await completeWith(client, session, await loginAt(provider, url, "ada", { browser }), { reauthenticate: true }),
    );

    expect(provider.requests.slice(count).some((request) => request.startsWith("POST /interaction/"))).toBe(true);
    expect(identity.authenticatedAt).toBeGreaterThanOrEqual(before);
  });

  it.each([
    ["does not say when", ["prompt", "max_age"], {}],
    ["lets the person through on an old sign-in", ["prompt"], { max_age: "100000" }],
  ])("refuses a provider that %s", async (_what, ignored, instead) => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const browser = createBrowser();
    const client = strategy();
    await loginAt(provider, (await beginWith(client)).url, "ada", { browser });
    vi.setSystemTime(Date.now() + 120_000);

    const { url, session } = await beginWith(client, {}, { reauthenticate: true });
    const changed = new URL(url);
    for (const name of ignored) changed.searchParams.delete(name);
    for (const [name, value] of Object.entries(instead)) changed.searchParams.set(name, value);
    const callback = await loginAt(provider, changed.href, "ada", { browser });

    expect(errorOf(await completeWith(client, session, callback))).toMatchObject({ code: "invalid_provider_response" });
  });
});

describe("tokens of an OpenID provider", () => {
  async function signIn(client: ReturnType<typeof strategy>) {
    const { url, session } = await beginWith(client);
    const tokens = identityOf(await completeWith(client, session, await loginAt(provider, url, "ada"))).tokens;
    if (!tokens) throw new Error("no tokens");
    return tokens;
  }
  const offline = { scope: ["openid", "email", "offline_access"], authorizationParameters: { prompt: "consent" } };

  it("are refreshed", async () => {
    const client = strategy(offline);
    const tokens = await signIn(client);
    expect(tokens.refreshToken).toBeTruthy();

    const next = await client.refresh(tokens);

    expect(next.accessToken).not.toBe(tokens.accessToken);
    expect(next.refreshToken).toBeTruthy();
    expect(next.accessTokenExpiresAt).toBeGreaterThan(Date.now());
  });

  it("rule 27: keep the old refresh token and ID token where the reply has none", async () => {
    const tokens = await signIn(strategy(offline));
    const silent = strategy({ ...offline, fetch: tampered("/token", ({ refresh_token: _, id_token: __, scope: ___, ...rest }) => rest) });

    expect(await silent.refresh(tokens)).toMatchObject({ refreshToken: tokens.refreshToken, idToken: tokens.idToken, scope: tokens.scope });
  });

  it("refuse a refreshed ID token of somebody else", async () => {
    const client = strategy(offline);
    const tokens = await signIn(client);
    const ofEve = { ...tokens, idToken: reencoded(tokens.idToken, () => ({ sub: "eve" })) };

    await expect(client.refresh(ofEve)).rejects.toMatchObject({ code: "invalid_provider_response" });
  });

  it("say invalid_grant when only signing in again helps", async () => {
    const client = strategy();

    await expect(client.refresh({ ...(await signIn(client)), refreshToken: "made up" })).rejects.toMatchObject({
      code: "invalid_grant",
      status: 502,
    });
    await expect(client.refresh({ ...(await signIn(client)), refreshToken: null })).rejects.toMatchObject({ code: "invalid_grant" });
  });

  it("end the provider's session by a redirect", async () => {
    const client = strategy();
    const { idToken } = await signIn(client);

    const url = new URL((await client.endSessionUrl({ idToken, returnTo: "http://app.localhost:3000/" })) ?? "");

    expect(url.origin).toBe(provider.issuer);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: "post",
      id_token_hint: idToken,
      post_logout_redirect_uri: "http://app.localhost:3000/",
    });
    expect((await createBrowser().go(url.href)).status).toBe(200);
  });
});
