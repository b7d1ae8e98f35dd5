import { Strategy } from "passport";
import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { resolveTokensOptions } from "../../lib/core/token-options.ts";
import { routeTable } from "../../lib/http/route-table.ts";
import type { AnyRoute } from "../../lib/http/route.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { counting } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

const AUDIENCE = "https://api.example.com";
const TOKENS = resolveTokensOptions({ audience: AUDIENCE }, { origin: null, absoluteTtl: 3600 });
/** Every route there is: what holds for all of them is tested for all of them. */
const ROUTES = routeTable({ email: null, production: false, apiKeyRoutes: true, passwordRoutes: true, tokens: TOKENS });
const UNSAFE = ROUTES.filter(({ method }) => method !== "GET");
/** What a browser navigates to, and where a provider sends it back: they begin and end a transaction by protocol. */
const NAVIGATIONS = new Set(["loginBegin", "callback", "frontChannelLogout", "providerSignOutReturn"]);

class Elsewhere extends Strategy {
  override name = "acme";
  override authenticate() {
    this.redirect("https://acme.example/authorize");
  }
}

/** The path with parameters of the right shape, which name nothing that exists but the provider. */
const pathOf = ({ path }: AnyRoute) =>
  `/auth${path}`
    .replace("{provider}", "acme")
    .replace("{user_id}", "nobody")
    .replace("/codes/{id}", `/codes/${"A".repeat(22)}.${"A".repeat(22)}`)
    .replace("/sessions/{id}", `/sessions/${"A".repeat(43)}`)
    .replace("{id}", "A".repeat(22));

/** What may be guessed, or sends mail. */
const SECRETS = {
  email: "nobody@example.com",
  password: "eleven orange windmills",
  current_password: "eleven orange windmills",
  code: "12345678",
  token: "A".repeat(64),
  refresh_token: "A".repeat(112),
};
/** Nobody guesses tokens of 43 characters and more, told from their text without asking the store; codes of a provider are for it to judge. */
const UNCOUNTED = new Set(["signOut", "callbackForm"]);

/** A body with everything that may be guessed; `null` for a route that takes no such thing. */
function sampleOf({ body }: AnyRoute): object | null {
  if (!(body instanceof z.ZodObject)) return null;
  const taken = Object.entries(SECRETS).filter(([field]) => field in body.shape);
  if (taken.length === 0) return null;
  return { ...Object.fromEntries(taken), ...("method" in body.shape ? { method: "password" } : {}) };
}

const name = (route: AnyRoute) => `${route.method} ${route.path}`;

describe("every route", () => {
  let calls: Record<string, number>;
  let app: Awaited<ReturnType<typeof startApp>>;
  let cookie: string;

  beforeEach(async () => {
    const clock = createTestClock();
    const counted = counting(openTestStore({ clock }));
    calls = counted.calls;
    app = await startApp({ store: counted.store, clock, strategies: [new Elsewhere()], tokens: { audience: AUDIENCE }, passwords: true });
    await app.auth.users.create({ id: "user-1", email: "ada@example.com", emailVerified: true });
    await app.auth.users.setRoles("user-1", ["admin"]);
    cookie = `sid=${(await app.auth.sessions.create({ userId: "user-1" })).token}`;
    for (const operation of Object.keys(calls)) delete calls[operation];
  });
  afterEach(() => app.close());

  const call = ({ method }: AnyRoute, path: string) => request(app.server)[method.toLowerCase() as "get" | "post" | "delete"](path);

  it("has a name and a place of its own", () => {
    expect(ROUTES.length).toBeGreaterThan(20);
    expect(new Set(ROUTES.map(({ operationId }) => operationId)).size).toBe(ROUTES.length);
    expect(new Set(ROUTES.map(name)).size).toBe(ROUTES.length);
  });

  it("rule 38: forbids caching whatever it answers: a success, a refusal, a wrong method, nothing at all", async () => {
    for (const route of ROUTES) {
      const path = pathOf(route);
      const answers = {
        anonymous: await call(route, path),
        "signed in": await call(route, path).set("cookie", cookie),
        stale: await call(route, path).set("cookie", `sid=${"A".repeat(107)}`),
        "cross-site": await call(route, path).set({ cookie, "sec-fetch-site": "cross-site" }),
        navigation: await call(route, path).set({ cookie, "sec-fetch-mode": "navigate", accept: "text/html" }),
        "wrong method": await request(app.server).put(path),
        "unknown below": await call(route, `${path}/nothing`),
        head: await request(app.server).head(path).set("cookie", cookie),
      };
      for (const [what, { headers, status }] of Object.entries(answers)) {
        expect([name(route), what, headers["cache-control"]]).toEqual([name(route), what, "no-store"]);
        expect(status, `${name(route)} ${what}`).toBeLessThan(500);
      }
      // Signing out, and ending all sessions, end this one.
      cookie = `sid=${(await app.auth.sessions.create({ userId: "user-1" })).token}`;
    }
  });

  it("rule 36: that can change something refuses other sites, also with the header that browsers add by themselves", async () => {
    for (const route of UNSAFE) {
      for (const headers of [
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
        { origin: "https://evil.example" },
        { origin: "null" },
      ]) {
        for (const authorization of [undefined, "Basic dXNlcjpwdw=="]) {
          const refused = await call(route, pathOf(route)).set({ ...headers, ...(authorization ? { authorization } : {}) });
          // What a provider sends is judged by what it holds: a form to go on with, or a token, which is missing here.
          const expected = { callbackForm: 303, backChannelLogout: 400 }[route.operationId] ?? 403;
          expect([name(route), headers, authorization, refused.status]).toEqual([name(route), headers, authorization, expected]);
        }
      }
    }
  });

  it("rule 36: that lets other sites in is a provider's: the form_post callback, which reads no cookie, and its logout", async () => {
    expect(ROUTES.filter(({ crossSite }) => crossSite).map(({ operationId }) => operationId)).toEqual([
      "callbackForm",
      "backChannelLogout",
    ]);
    calls["get"] = 0;
    await request(app.server)
      .post("/auth/callback/acme")
      .set({ "sec-fetch-site": "cross-site" })
      .type("form")
      .send({ code: "1" })
      .expect(303);
    expect(calls["get"]).toBe(0);
  });

  it("rule 37: that is safe to call writes nothing", async () => {
    for (const route of ROUTES) {
      if (route.method !== "GET" || NAVIGATIONS.has(route.operationId)) continue;
      for (const headers of [{}, { cookie }]) {
        for (const operation of Object.keys(calls)) delete calls[operation];
        await call(route, pathOf(route)).set(headers);
        const written = Object.keys(calls).filter((operation) => ["commit", "take", "count", "sweep"].includes(operation));
        expect([name(route), written]).toEqual([name(route), []]);
      }
    }
  });

  it("rule 37: that can change something takes JSON or a form, and no other body", async () => {
    for (const route of UNSAFE) {
      for (const type of [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json-patch+json",
        "application/octet-stream",
      ]) {
        const refused = await call(route, pathOf(route)).set({ cookie, "content-type": type }).send("{}");
        expect([name(route), type, refused.status, refused.body.code]).toEqual([name(route), type, 415, "unsupported_media_type"]);
      }
    }
    expect(await app.auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("rule 40: that can change something refuses fields it does not know", async () => {
    for (const route of UNSAFE) {
      if (["callbackForm", "loginSubmit"].includes(route.operationId)) continue; // the protocol's, and a strategy's own
      const refused = await call(route, pathOf(route)).set("cookie", cookie).send({ is_admin: true });
      expect([name(route), refused.status, refused.body.code]).toEqual([name(route), 400, "invalid_request"]);
    }
    expect(await app.auth.sessions.list("user-1")).toHaveLength(1);
  });

  it("rule 5: that takes what could be guessed, or mails somebody, counts its calls and says so", async () => {
    const asked = [];
    for (const route of UNSAFE) {
      const body = sampleOf(route);
      if (body === null || UNCOUNTED.has(route.operationId)) continue;
      asked.push(route.operationId);
      cookie = `sid=${(await app.auth.sessions.create({ userId: "user-1" })).token}`;
      const { headers, status } = await call(route, pathOf(route)).set("cookie", cookie).send(body);
      expect(status, name(route)).not.toBe(400);
      expect([name(route), headers["ratelimit-policy"]]).toEqual([name(route), expect.stringMatching(/"[\w.-]+";q=\d+;w=\d+/)]);
    }
    expect(asked).toEqual(
      expect.arrayContaining([
        "emailChange",
        "emailConfirm",
        "emailConfirmSend",
        "magicLink",
        "magicSend",
        "magicVerify",
        "passwordChange",
        "passwordForgot",
        "passwordReset",
        "reauthenticate",
        "refresh",
        "signIn",
        "signUp",
      ]),
    );
  });

  it("rule 32: is open on purpose, or guarded", () => {
    const open = ROUTES.filter(({ guard }) => !guard).map(({ operationId }) => operationId);
    expect(open.sort()).toEqual(
      [
        "backChannelLogout",
        "callback",
        "callbackForm",
        "emailConfirm",
        "emailConfirmPage",
        "emailConfirmSend",
        "frontChannelLogout",
        "guestCreate",
        "jwksGet",
        "loginBegin",
        "loginSubmit",
        "magicLink",
        "magicLinkPage",
        "magicSend",
        "magicVerify",
        "openapiGet",
        "passwordForgot",
        "passwordReset",
        "passwordResetPage",
        "providerSignOutReturn",
        "providersList",
        "refresh",
        "signIn",
        "signOut",
        "signUp",
      ].sort(),
    );
  });
});
