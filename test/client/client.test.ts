import { afterEach, describe, expect, it } from "vitest";
import { createClient, type ClientOptions } from "../../lib/client/index.ts";
import { requireAuth } from "../../lib/index.ts";
import { startApp } from "../support/app.ts";

const ada = { email: "ada@example.com", password: "correct horse battery staple" };
const bearer = { ...ada, transport: "bearer" as const };

let app: Awaited<ReturnType<typeof startApp>>;
afterEach(() => app.close());

async function start(options: Parameters<typeof startApp>[0] = {}) {
  app = await startApp({
    passwords: { requireConfirmedEmail: false },
    tokens: { audience: "https://api.example.com" },
    routes: (to) => {
      to.get("/api/me", requireAuth(), (req, res) => void res.json({ id: req.auth.userId }));
      to.post("/api/echo", requireAuth(), (req, res) => void req.pipe(res));
    },
    ...options,
  });
  return app;
}

/** A client, and every request that it sent. */
function clientOf(options: ClientOptions = {}) {
  const sent: { method: string; path: string; authorization: string | null }[] = [];
  let answer: ((request: Request) => Promise<Response> | null) | null = null;
  const client = createClient({
    baseUrl: `${app.url}/auth`,
    ...options,
    fetch: async (input) => {
      const made = input as Request;
      sent.push({ method: made.method, path: new URL(made.url).pathname, authorization: made.headers.get("authorization") });
      return answer?.(made) ?? fetch(made);
    },
  });
  const paths = () => sent.splice(0).map(({ method, path }) => `${method} ${path}`);
  return { client, sent, paths, answerWith: (by: typeof answer) => (answer = by) };
}

const MINUTES_16 = 16 * 60;

describe("the client", () => {
  it("signs up, says who one is, and signs out", async () => {
    await start();
    const { client } = clientOf();
    const made = await client.signUp(bearer);
    expect(made.data).toMatchObject({ user: { email: ada.email }, token_type: "Bearer" });
    expect((await client.meGet()).data).toMatchObject({ email: ada.email });
    expect((await client.signOut()).data).toMatchObject({ success: true });
    expect((await client.meGet()).error).toMatchObject({ code: "authentication_required", status: 401 });
  });

  it("gives errors as values, by the API's own codes", async () => {
    await start();
    const { client } = clientOf();
    const { data, error } = await client.signIn({ ...bearer, password: "not the right one, this" });
    expect(data).toBeUndefined();
    expect(error).toEqual({ code: "invalid_credentials", status: 401, detail: expect.any(String) as string, retryAfter: null });
    const weak = await client.signUp({ ...bearer, password: "short" });
    expect(weak.error?.code).toBe("weak_password");
  });

  it("tells after how many seconds to try again", async () => {
    await start();
    const { client } = clientOf();
    await client.magicSend({ email: ada.email });
    const { error } = await client.magicSend({ email: ada.email });
    expect(error).toMatchObject({ code: "rate_limited", status: 429, retryAfter: 60 });
  });

  it("renews an access token that ended, once, and sends the call again", async () => {
    await start();
    const { client, paths } = clientOf();
    await client.signUp(bearer);
    app.clock.advance(MINUTES_16);
    paths();
    expect((await client.meGet()).data).toMatchObject({ email: ada.email });
    expect(paths()).toEqual(["GET /auth/me", "POST /auth/refresh", "GET /auth/me"]);
    expect((await client.meGet()).data).toMatchObject({ email: ada.email });
    expect(paths()).toEqual(["GET /auth/me"]);
  });

  it("renews once for fifty calls at once", async () => {
    await start();
    const { client, paths } = clientOf();
    await client.signUp(bearer);
    app.clock.advance(MINUTES_16);
    paths();
    const all = await Promise.all(Array.from({ length: 50 }, () => client.meGet()));
    expect(all.every(({ data }) => data?.email === ada.email)).toBe(true);
    expect(paths().filter((path) => path === "POST /auth/refresh")).toHaveLength(1);
  });

  it("does not renew again for a call that was refused before the last renewal", async () => {
    await start();
    const { client, paths, answerWith } = clientOf();
    await client.signUp(bearer);
    app.clock.advance(MINUTES_16);
    paths();
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let first = true;
    answerWith((made) => {
      if (!made.url.endsWith("/api/me") || !first) return null;
      first = false;
      return fetch(made).then(async (response) => {
        await held;
        return response;
      });
    });
    const slow = client.fetch(`${app.url}/api/me`);
    await client.meGet();
    release();
    expect((await slow).status).toBe(200);
    expect(paths().filter((path) => path === "POST /auth/refresh")).toHaveLength(1);
  });

  it("calls the application's own API, with its body once more after a renewal", async () => {
    await start();
    const { client } = clientOf();
    await client.signUp(bearer);
    app.clock.advance(MINUTES_16);
    const answer = await client.fetch(`${app.url}/api/echo`, { method: "POST", body: "every byte" });
    expect(await answer.text()).toBe("every byte");
  });

  it("renews with the refresh token that it keeps when it is told to, and keeps the next one", async () => {
    await start();
    const { client } = clientOf();
    await client.signUp(bearer);
    for (let round = 0; round < 2; round += 1) {
      app.clock.advance(60);
      expect((await client.refresh()).data).toMatchObject({ token_type: "Bearer" });
    }
    expect((await client.meGet()).data).toMatchObject({ email: ada.email });
  });

  it("takes a path of the application alone", async () => {
    await start();
    const { client } = clientOf();
    await client.signUp(bearer);
    expect((await client.fetch("/api/me")).status).toBe(200);
  });

  it("follows no redirect of a call: what is in its body is for the API alone", async () => {
    const elsewhere: string[] = [];
    await start({
      before: (to) => {
        to.post("/elsewhere", (req, res) => void req.on("data", (bytes) => elsewhere.push(String(bytes))).on("end", () => res.json({})));
        to.post("/moved/sign-in", (_req, res) => res.redirect(307, "/elsewhere"));
        to.get("/moved/me", (_req, res) => res.redirect("/elsewhere"));
      },
    });
    const { client, paths } = clientOf({ baseUrl: `${app.url}/moved` });
    expect((await client.signIn(bearer)).error).toMatchObject({ code: "unexpected_response", status: 307 });
    expect((await client.meGet()).error).toMatchObject({ code: "unexpected_response", status: 302 });
    expect([paths(), elsewhere]).toEqual([["POST /moved/sign-in", "GET /moved/me"], []]);
  });

  it("sends tokens to no other origin", async () => {
    await start();
    const { client, sent } = clientOf();
    await client.signUp(bearer);
    const before = sent.length;
    await expect(client.fetch("https://elsewhere.example/api")).rejects.toThrow(TypeError);
    expect(sent.length).toBe(before);
  });

  it("never renews for an API key", async () => {
    await start();
    const { userId } = await (async () => {
      const { client } = clientOf();
      const { data } = await client.signUp(bearer);
      return { userId: data && "user" in data ? data.user.id : "" };
    })();
    const { key } = await app.auth.apiKeys.create({ userId, name: "ci" });
    const { client, paths } = clientOf({ apiKey: key });
    expect((await client.meGet()).data).toMatchObject({ id: userId });
    await app.auth.apiKeys.revokeAll(userId);
    paths();
    expect((await client.meGet()).error?.status).toBe(401);
    expect(paths()).toEqual(["GET /auth/me"]);
  });

  it("says that somebody is signed out when the refresh token is refused, and forgets it", async () => {
    await start();
    let told = 0;
    const { client, paths } = clientOf({ onSignedOut: () => (told += 1) });
    const { data } = await client.signUp(bearer);
    await app.auth.sessions.revokeAll(data && "user" in data ? data.user.id : "");
    app.clock.advance(MINUTES_16);
    expect((await client.meGet()).error?.status).toBe(401);
    expect(told).toBe(1);
    paths();
    await client.meGet();
    expect(paths()).toEqual(["GET /auth/me", "POST /auth/refresh"]);
    expect(told).toBe(1);
  });

  it("signs nobody out while the server is away: it gives that error", async () => {
    await start();
    let told = 0;
    const { client, answerWith } = clientOf({ onSignedOut: () => (told += 1) });
    await client.signUp(bearer);
    app.clock.advance(MINUTES_16);
    const away = JSON.stringify({
      type: "about:blank",
      title: "Service Unavailable",
      status: 503,
      code: "storage_unavailable",
      detail: "Away",
    });
    answerWith(({ url }) =>
      url.endsWith("/refresh") ? Promise.resolve(new Response(away, { status: 503, headers: { "retry-after": "1" } })) : null,
    );
    const results = await Promise.all([client.meGet(), client.meGet()]);
    for (const { error } of results) expect(error).toMatchObject({ code: "storage_unavailable", status: 503, retryAfter: 1 });
    answerWith(({ url }) => (url.endsWith("/refresh") ? Promise.reject(new Error("no route")) : null));
    expect((await client.meGet()).error).toMatchObject({ code: "network_error", status: 0 });
    answerWith(null);
    expect((await client.meGet()).data).toMatchObject({ email: ada.email });
    expect(told).toBe(0);
  });

  it("asks once only where nothing is ever renewed", async () => {
    await start({ tokens: undefined });
    const { client, paths } = clientOf();
    await client.meGet();
    await client.meGet();
    expect(paths()).toEqual(["GET /auth/me", "POST /auth/refresh", "GET /auth/me"]);
  });

  it("renews nothing for a session that is only too old for what was asked", async () => {
    await start({ apiKeys: true });
    const { client, paths } = clientOf();
    await client.signUp({ ...ada, transport: "token" });
    app.clock.advance(3600);
    paths();
    expect((await client.apiKeyCreate({ name: "ci" })).error?.code).toBe("insufficient_user_authentication");
    expect(paths()).toEqual(["POST /auth/api-keys"]);
  });

  it("keeps the newest token of a session that travels in the header", async () => {
    await start();
    const { client } = clientOf();
    await client.signUp({ ...ada, transport: "token" });
    const changed = await client.passwordChange({ current_password: ada.password, password: "another correct horse battery" });
    expect(changed.error).toBeUndefined();
    expect((await client.meGet()).data).toMatchObject({ email: ada.email });
  });

  it("lets a sign-out win over a renewal under way", async () => {
    await start();
    const kept: unknown[] = [];
    let now: Parameters<NonNullable<ClientOptions["tokens"]>["set"]>[0] = null;
    const tokens = { get: () => now, set: (next: typeof now) => void kept.push((now = next)) };
    const { client, answerWith } = clientOf({ tokens });
    await client.signUp(bearer);
    app.clock.advance(MINUTES_16);
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    answerWith((made) =>
      made.url.endsWith("/refresh")
        ? fetch(made).then(async (response) => {
            await held;
            return response;
          })
        : null,
    );
    const call = client.meGet();
    await client.signOut();
    release();
    await call;
    expect(kept.at(-1)).toBeNull();
  });

  it("tells an answer that is not the API's, and an end that the caller asked for", async () => {
    await start();
    const { client, answerWith } = clientOf();
    answerWith(() => Promise.resolve(new Response("<h1>Bad gateway</h1>", { status: 502 })));
    expect((await client.providersList()).error).toMatchObject({ code: "unexpected_response", status: 502 });
    answerWith(() => Promise.resolve(new Response("<h1>Hello</h1>")));
    expect((await client.providersList()).error).toMatchObject({ code: "unexpected_response", status: 200 });
    answerWith(null);
    expect((await client.providersList({}, { signal: AbortSignal.abort() })).error).toMatchObject({ code: "aborted", status: 0 });
  });

  it("puts what a path takes into it, escaped", async () => {
    await start();
    const { client, sent } = clientOf();
    await client.loginBegin({ provider: "../me?x=1", return_to: "/a b" });
    expect(sent.at(-1)?.path).toBe("/auth/login/..%2Fme%3Fx%3D1");
  });

  it.each(["", ".", "..", undefined])("rule 40: sends nothing where a part of a path would name another operation: %o", async (part) => {
    await start();
    const { client, sent } = clientOf();
    // The first would remove the user, the second end all of one's sessions.
    await expect(client.adminApiKeyRevoke({ user_id: "ada", id: part as string })).rejects.toThrow(TypeError);
    await expect(client.sessionRevoke({ id: part as string })).rejects.toThrow(TypeError);
    expect(sent).toEqual([]);
  });

  it.each(["before", "while"])("asks nothing again for whoever signed in %s it was renewed", async (when) => {
    await start();
    const { client, sent, answerWith } = clientOf();
    await client.signUp({ ...bearer, email: "bob@example.com" });
    await client.signOut();
    await client.signUp(bearer);
    app.clock.advance(MINUTES_16);
    let [release, reached] = [() => {}, () => {}];
    const held = new Promise<void>((resolve) => (release = resolve));
    const there = new Promise<void>((resolve) => (reached = resolve));
    const slow = when === "before" ? "/api/echo" : "/refresh";
    answerWith((made) =>
      made.url.endsWith(slow)
        ? fetch(made).then(async (response) => {
            reached();
            await held;
            return response;
          })
        : null,
    );
    const call = client.fetch(`${app.url}/api/echo`, { method: "POST", body: "all that is Ada's" });
    await there;
    await client.signIn({ ...bearer, email: "bob@example.com" });
    release();
    expect((await call).status).toBe(401);
    expect(sent.filter(({ path }) => path === "/api/echo")).toHaveLength(1);
    expect((await client.meGet()).data?.email).toBe("bob@example.com");
  });

  it("renews what is kept in cookies, and knows nothing of it itself", async () => {
    await start();
    const jar = new Map<string, string>();
    const { client, paths, sent, answerWith } = clientOf();
    answerWith(async (made) => {
      made.headers.set("cookie", [...jar].map((pair) => pair.join("=")).join("; "));
      const answer = await fetch(made);
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        if (cookie.includes("Max-Age=0") || value === "") jar.delete(name);
        else jar.set(name, value);
      }
      return answer;
    });
    await client.signUp({ ...ada, transport: "cookie" });
    app.clock.advance(MINUTES_16);
    // As a browser drops it then.
    for (const name of jar.keys()) if (name.includes("access")) jar.delete(name);
    paths();
    expect((await client.meGet()).data).toMatchObject({ email: ada.email });
    expect(paths()).toEqual(["GET /auth/me", "POST /auth/refresh", "GET /auth/me"]);
    await client.meGet();
    expect(sent.every(({ authorization }) => authorization === null)).toBe(true);
    expect((await client.signOut()).data?.success).toBe(true);
    expect(jar.size).toBe(0);
  });

  it("needs a whole URL where there is no page", async () => {
    await start();
    expect(() => createClient()).toThrow(TypeError);
    expect(() => createClient()).toThrow("https://app.example.com/auth");
  });
});
