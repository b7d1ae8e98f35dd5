import { decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { StorageError } from "../../lib/errors.ts";
import type { RecordStore, Write } from "../../lib/storage/record-store.ts";
import type { TestClock } from "../../lib/testing/clock.ts";
import { github } from "../../strategies/github.ts";
import { oidc } from "../../strategies/oidc.ts";
import { loginAt, startOidcProvider, type OidcProvider } from "../support/oidc-provider.ts";
import {
  APP,
  briefly,
  CLIENT,
  locationOf,
  signInAt,
  startProviderApp,
  userOf,
  type Person,
  type ProviderApp,
} from "../support/provider-app.ts";
import { openTestStore } from "../support/test-store.ts";

const EVENTS = { "http://schemas.openid.net/event/backchannel-logout": {} };
let ours: { publicKey: CryptoKey; privateKey: CryptoKey };
let strangers: CryptoKey;
let provider: OidcProvider;
let app: ProviderApp;
/** What the provider's own logout tokens were answered with. */
const answers: number[] = [];

/** An answer of the provider, with a key of ours among its own: so a test can sign as it would. */
async function withOurKey(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!url.endsWith("/jwks") && !url.endsWith("/openid-configuration")) return response;
  const body = (await response.json()) as { keys?: unknown[] };
  if (!body.keys) return Response.json({ ...body, id_token_signing_alg_values_supported: ["RS256", "ES256", "HS256", "none"] });
  return Response.json({ keys: [...body.keys, { ...(await exportJWK(ours.publicKey)), kid: "ours", alg: "ES256", use: "sig" }] });
}

beforeAll(async () => {
  ours = await generateKeyPair("ES256");
  strangers = (await generateKeyPair("ES256")).privateKey;
  provider = await startOidcProvider({
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [`${APP}/auth/callback/oidc`],
        backchannel_logout_uri: `${APP}/auth/logout/oidc`,
        backchannel_logout_session_required: true,
      },
    ],
    configuration: {
      fetch: async (url, options) => {
        app.clock.set(Math.max(app.clock.now(), Date.now())); // the provider's own clock goes on
        const answer = await tell(new URLSearchParams(options?.body as URLSearchParams).get("logout_token") ?? "", new URL(url).pathname);
        answers.push(answer.status);
        return answer;
      },
    },
  });
});
afterAll(() => provider.close());
afterEach(() => app.close());

/** What the store does before a commit, and which it refuses; for a store that was started with `failing`. */
let before: ((writes: readonly Write[]) => Promise<void>) | null = null;
let fails: ((writes: readonly Write[]) => boolean) | null = null;

/** The provider's name for the session that its last ID token for this login was made in. */
async function sidOf(login: string): Promise<string> {
  const user = await app.auth.users.findByEmail(`${login}@example.com`);
  const [account] = await app.auth.accounts.listForUser(user?.id ?? "");
  const { idToken } = (await app.auth.accounts.getTokens(account?.id ?? "")) ?? {};
  return String(decodeJwt(idToken ?? "")["sid"]);
}

function failing(store: RecordStore): RecordStore {
  const commit = async (writes: readonly Write[]) => {
    if (fails?.(writes)) throw new StorageError();
    await before?.(writes);
    return store.commit(writes);
  };
  return new Proxy(store, {
    get(target, name: keyof RecordStore) {
      if (name === "ordered") return false; // a commit waits for what is done before it
      const value = name === "commit" ? commit : target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function start({ failing: breaks = false } = {}): Promise<void> {
  [before, fails] = [null, null];
  app = await startProviderApp({
    ...(breaks ? { makeStore: (clock: TestClock) => failing(openTestStore({ clock })) } : {}),
    strategies: [
      oidc({ issuer: provider.issuer, ...CLIENT, fetch: withOurKey, clock: { now: () => app.clock.now() } }),
      github({ clientId: "gh-client", clientSecret: "gh-secret", baseUrl: "http://localhost:1" }),
    ],
  });
}

/** As a provider tells it: by a form, without cookies, from anywhere. */
function tell(token: string, path = "/auth/logout/oidc"): Promise<Response> {
  const headers = { accept: "*/*", "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "cross-site" };
  return app.person().go(path, { method: "POST", headers, body: new URLSearchParams({ logout_token: token }).toString() });
}

/** A logout token as the provider would sign it; a change to `undefined` leaves a claim out. */
function logoutToken(
  changes: Record<string, unknown> = {},
  { header = {}, key = ours.privateKey }: { header?: object; key?: CryptoKey | Uint8Array } = {},
) {
  const now = Math.floor(app.clock.now() / 1000);
  const claims = { iss: provider.issuer, aud: CLIENT.clientId, iat: now, exp: now + 120, jti: "1", sub: "ada", events: EVENTS, ...changes };
  return new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "ours", typ: "logout+jwt", ...header }).sign(key);
}

/** Signs in with a browser that the provider remembers. */
async function signIn(login: string): Promise<Person> {
  const person = app.person();
  const begun = await person.go("/auth/login/oidc");
  await person.go(await loginAt(provider, locationOf(begun), login, { browser: person.browser }));
  return person;
}

describe("back-channel logout", () => {
  const now = Math.floor(Date.now() / 1000);

  it("ends the session of who signs out at the provider, and no other", async () => {
    await start();
    const [here, elsewhere, grace] = [await signIn("ada"), await signIn("ada"), await signIn("grace")];
    const end = `${provider.issuer}/session/end`;
    const page = await here.browser.go(end);
    await here.browser.submit({ url: end, html: await page.text() }, { logout: "yes" });

    expect(answers).toEqual([200]);
    expect(await userOf(here)).toBeNull();
    expect([(await userOf(elsewhere))?.name, (await userOf(grace))?.name]).toEqual(["ada", "grace"]);
  });

  it("ends all of somebody's sessions made there, when the token names no session", async () => {
    await start();
    const [first, second, grace] = [await signIn("ada"), await signIn("ada"), await signIn("grace")];
    const { token } = await app.auth.sessions.create({ userId: (await userOf(first))?.id ?? "", methods: ["magic_code"] });

    const answer = await tell(await logoutToken());

    expect([answer.status, await answer.json(), answer.headers.get("cache-control")]).toEqual([200, { ended: 2 }, "no-store"]);
    expect([await userOf(first), await userOf(second), (await userOf(grace))?.name]).toEqual([null, null, "grace"]);
    expect((await app.auth.sessions.resolve(token)).failure).toBeNull();
  });

  it("rule 45: is harmless twice, and for somebody not known", async () => {
    await start();
    await signIn("ada");
    const token = await logoutToken();

    for (const expected of [{ ended: 1 }, { ended: 0 }]) {
      const answer = await tell(token);
      expect([answer.status, await answer.json()]).toEqual([200, expected]);
    }
    expect(await (await tell(await logoutToken({ sub: "nobody" }))).json()).toEqual({ ended: 0 });
    expect(await (await tell(await logoutToken({ sid: "another" }))).json()).toEqual({ ended: 0 });
  });

  it("rule 1: does nothing for a token that was shown before, for as long as it would hold", async () => {
    await start();
    const token = await logoutToken({ exp: now + 3600 });
    expect(await (await tell(token)).json()).toEqual({ ended: 0 });

    const ada = await signIn("ada");
    app.clock.advance(295);
    expect(await (await tell(token)).json()).toEqual({ ended: 0 });
    expect((await userOf(ada))?.name).toBe("ada");
    app.clock.advance(15);
    expect(await briefly(await tell(token))).toEqual([400, "invalid_logout_token"]);
    expect((await userOf(ada))?.name).toBe("ada");
  });

  it("finds the session by the provider's name for it alone, also when the account was unlinked since", async () => {
    await start();
    const [here, elsewhere] = [await signIn("ada"), await signIn("ada")];
    const { id = "" } = (await userOf(here)) ?? {};
    const [{ idp, id: sessionId } = { idp: null, id: "" }] = await app.auth.sessions.list(id);
    expect(idp).toMatchObject({ provider: "oidc", issuer: provider.issuer });
    await app.auth.accounts.deleteForUser(id);
    const sid = { sub: undefined, sid: idp?.sid };

    expect(await (await tell(await logoutToken({ ...sid, jti: "other issuer's", sid: `${idp?.sid}x` }))).json()).toEqual({ ended: 0 });
    expect(await (await tell(await logoutToken(sid))).json()).toEqual({ ended: 1 });
    expect(await app.auth.sessions.get(sessionId)).toBeNull();
    expect([await userOf(here), await userOf(elsewhere)].filter((user) => user === null)).toHaveLength(1);
    const told = app.events.filter(({ type }) => type === "session.revoked");
    expect(told).toMatchObject([{ userId: id, details: { sessionId, reason: "provider_sign_out" } }]);
  });

  it("rule 45: is finished by the same token, when the store went away in the middle of it", async () => {
    await start({ failing: true });
    const ada = await signIn("ada");
    const [session] = await app.auth.sessions.list((await userOf(ada))?.id ?? "");
    const token = await logoutToken({ sub: undefined, sid: session?.idp?.sid });

    for (const failing of ["insert", "put", "delete"]) {
      fails = (writes) => writes.some(({ op }) => op === failing);
      expect(await briefly(await tell(token))).toEqual([503, "storage_unavailable"]);
    }
    fails = null;
    expect((await tell(token)).status).toBe(200);
    expect(await userOf(ada)).toBeNull();
  });

  it("rule 9: refuses a session that was being made while its provider's ended", async () => {
    await start({ failing: true });
    let told = 0;
    /** The logout comes between the record of the provider's session and ours. */
    before = async (writes) => {
      if (told > 0 || !writes.some((write) => write.op === "insert" && write.in.name === "s")) return;
      told = (await tell(await logoutToken({ sub: undefined, sid: await sidOf("ada") }))).status;
    };
    const person = app.person();
    const callback = await loginAt(provider, locationOf(await person.go("/auth/login/oidc")), "ada", { browser: person.browser });

    expect(await briefly(await person.go(callback))).toEqual([401, "Sign-in did not finish"]);
    expect(told).toBe(200);
    before = null;
    expect(await userOf(person)).toBeNull();
    expect(await app.auth.sessions.count()).toBe(0);
  });

  it.each<[string, (writes: readonly Write[]) => boolean]>([
    ["its account", (writes) => writes.some((write) => write.in.name === "accounts")],
    ["its session", (writes) => writes.some((write) => write.op === "insert" && write.in.name === "s")],
  ])("rule 9: refuses a sign-in when a token that names no session comes before it writes %s", async (_what, isThen) => {
    await start({ failing: true });
    await signIn("ada");
    const person = app.person();
    const callback = await loginAt(provider, locationOf(await person.go("/auth/login/oidc")), "ada", { browser: person.browser });
    let told = 0;
    before = async (writes) => {
      if (told > 0 || !isThen(writes)) return;
      app.clock.advance(1);
      told = (await tell(await logoutToken())).status;
    };

    expect(await briefly(await person.go(callback))).toEqual([401, "Sign-in did not finish"]);
    expect(told).toBe(200);
    before = null;
    expect(await app.auth.sessions.count()).toBe(0);
  });

  it("lets somebody in who signs in again right after", async () => {
    await start();
    const first = await signIn("ada");
    expect((await tell(await logoutToken())).status).toBe(200);

    const again = await signIn("ada");
    expect([await userOf(first), (await userOf(again))?.name]).toEqual([null, "ada"]);
  });

  it.each<[string, Parameters<typeof logoutToken>[0], Parameters<typeof logoutToken>[1]?]>([
    ["another issuer", { iss: "https://evil.example" }],
    ["another audience", { aud: "another" }],
    ["no audience", { aud: undefined }],
    ["no event", { events: undefined }],
    ["another event", { events: { "https://example.com/event": {} } }],
    ["an event that is no object", { events: { [Object.keys(EVENTS)[0] ?? ""]: true } }],
    ["a nonce", { nonce: "x" }],
    ["nobody named", { sub: undefined }],
    ["a session that is no text", { sid: 7 }],
    ["the type of an access token", {}, { header: { typ: "at+jwt" } }],
    ["a jti that is no text", { jti: 7 }],
    ["a subject that is no text", { sub: ["ada"] }],
    ["no jti", { jti: undefined }],
    ["no time of issue", { iat: undefined }],
    ["an old time of issue", { iat: now - 3600, exp: now + 3600 }],
    ["a time of issue to come", { iat: now + 3600 }],
    ["an end that is past", { exp: now - 60 }],
    ["an unknown key", {}, { header: { kid: "another" } }],
    ["the client's secret for a key", {}, { header: { alg: "HS256" }, key: Buffer.from(CLIENT.clientSecret) }],
  ])("rule 29: refuses a token with %s", async (_what, changes, options) => {
    await start();
    const ada = await signIn("ada");
    const token = await logoutToken(changes, options);

    expect(await briefly(await tell(token))).toEqual([400, "invalid_logout_token"]);
    expect((await userOf(ada))?.name).toBe("ada");
  });

  it("rule 29: refuses a token of a stranger who calls the key ours, one without a signature, and an ID token", async () => {
    await start();
    const ada = await signIn("ada");
    const [account] = await app.auth.accounts.listForUser((await userOf(ada))?.id ?? "");
    const idToken = (await app.auth.accounts.getTokens(account?.id ?? ""))?.idToken ?? "";
    const payload = (await logoutToken()).split(".")[1] ?? "";
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.AAAA`;

    for (const token of [await logoutToken({}, { key: strangers }), unsigned, idToken])
      expect(await briefly(await tell(token))).toEqual([400, "invalid_logout_token"]);
    expect((await userOf(ada))?.name).toBe("ada");
  });

  it("rule 40: takes a token's form alone, at a provider that there is", async () => {
    await start();
    await signInAt(provider, app.person(), "ada");
    const token = await logoutToken();

    for (const text of ["", "x", "a.b", `${token}.x`, "a.b.c ", "\u0000.a.b"]) expect((await tell(text)).status).toBe(400);
    expect(await briefly(await tell(token, "/auth/logout/nobody"))).toEqual([404, "provider_not_found"]);
    expect(await briefly(await tell(token, "/auth/logout/github"))).toEqual([400, "invalid_logout_token"]);
    expect((await app.person().go(`/auth/logout/oidc?logout_token=${token}`)).status).toBe(405);
  });
});
