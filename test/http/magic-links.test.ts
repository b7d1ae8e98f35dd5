import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startApp } from "../support/app.ts";

const ADA = "ada@example.com";
const FORM = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin" };
const LINK = /^http:\/\/[^/]+\/auth\/magic\/link\?token=[\w-]{86}$/;

let app: Awaited<ReturnType<typeof startApp>>;
beforeEach(async () => {
  app = await startApp({ returnToOrigins: ["https://shop.example"] });
});
afterEach(() => app.close());

const browser = () => request.agent(app.server).set({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" });
type Browser = ReturnType<typeof browser>;
const tokenIn = (link: string) => new URL(link).searchParams.get("token") ?? "";

/** Asks for a code and a link, and reads the mail. */
async function ask(by: Browser, { email = ADA, ...more }: { email?: string; return_to?: string; link_return_to?: string } = {}) {
  await by
    .post("/auth/magic/send")
    .send({ email, link: true, ...more })
    .expect(200);
  const link = await app.mailbox.waitForLink(email);
  return { link, token: tokenIn(link), code: await app.mailbox.waitForCode(email) };
}

const open = (by: Browser, token: string) => by.get(`/auth/magic/link?token=${token}`).set(FORM);
const press = (by: Browser, token: string) => by.post("/auth/magic/link").type("form").set(FORM).send({ token });
const follow = (by: Browser, token: string) => by.post("/auth/magic/link").send({ token });
const me = (by: Browser) => by.get("/auth/me");

const eventsOf = (type: "sign_in.succeeded" | "sign_in.failed" | "magic_code.verified" | "magic_code.failed" | "user.created") => {
  const told: { userId: string | null; details: object }[] = [];
  app.auth.events.on(type, ({ userId, details }) => void told.push({ userId, details }));
  return told;
};

describe("a link beside a code", () => {
  it("is in the same mail, which is the only one", async () => {
    const { link, code } = await ask(browser());

    expect(link).toMatch(LINK);
    expect(code).toMatch(/^\d{8}$/);
    expect(app.mailbox.messages).toHaveLength(1);
    expect(app.mailbox.messages[0]?.html).toContain(`href="${link}"`);
    expect(app.mailbox.messages[0]?.subject).not.toContain("token");
  });

  it("is not there unless it was asked for, by a script or by a form", async () => {
    await browser().post("/auth/magic/send").send({ email: ADA }).expect(200);
    await browser().post("/auth/magic/send").send({ email: "bob@example.com", link: false }).expect(200);
    await browser().post("/auth/magic/send").type("form").send({ email: "cleo@example.com", link: "true" }).expect(200);

    await app.mailbox.waitForLink("cleo@example.com");
    expect(app.mailbox.messages.map(({ text }) => text.includes("/auth/magic/link"))).toEqual([false, false, true]);
    await browser().post("/auth/magic/send").send({ email: ADA, link: "yes" }).expect(400);
  });

  it("signs in the browser that asked, once its button is pressed, and leads where the request said", async () => {
    const signedIn = eventsOf("sign_in.succeeded");
    const created = eventsOf("user.created");
    const verified = eventsOf("magic_code.verified");
    const ada = browser();
    const { token } = await ask(ada, { return_to: "/orders?page=2" });

    const { text } = await open(ada, token).expect(200);
    const { headers } = await press(ada, token).expect(303);

    expect(text).toContain(`action="/auth/magic/link"`);
    expect(text).not.toContain("another browser");
    expect(headers["location"]).toBe("/orders?page=2");
    const user = (await me(ada).expect(200)).body as { id: string };
    expect(user).toMatchObject({ email: ADA });
    const userId = user.id;
    expect(signedIn).toEqual([{ userId, details: { method: "magic_link", sessionId: expect.any(String) as string } }]);
    expect(created).toEqual([{ userId, details: { via: "email" } }]);
    expect(verified).toEqual([{ userId: null, details: { purpose: "sign_in", method: "magic_link" } }]);
    // The request is over, and this browser knows it.
    expect(String(headers["set-cookie"])).toMatch(/sid-code=;/);
  });

  it("answers a script as /magic/verify does", async () => {
    const ada = browser();
    const { token } = await ask(ada);
    const linked = await follow(ada, token).expect(200);
    app.clock.advance(3600);
    const bob = browser();
    const { code } = await ask(bob);
    const typed = await bob.post("/auth/magic/verify").send({ code }).expect(200);

    const shape = ({ body }: { body: { user: object; session: object } }) => [
      Object.keys(body),
      Object.keys(body.user),
      Object.keys(body.session),
    ];
    expect(shape(linked as never)).toEqual(shape(typed as never));
    expect(linked.headers["location"]).toBeUndefined();
    expect((linked.body as { user: { id: string } }).user.id).toBe((typed.body as { user: { id: string } }).user.id);
  });

  it("hands tokens to a native client that asks for them, and refuses a browser that does before the link is spent", async () => {
    const { token } = await ask(browser());

    await browser().post("/auth/magic/link").send({ token, transport: "token" }).expect(400);
    const { body } = await request(app.server).post("/auth/magic/link").send({ token, transport: "token" }).expect(200);

    await request(app.server)
      .get("/auth/me")
      .set({ authorization: `Bearer ${(body as { token: string }).token}` })
      .expect(200);
  });

  it("leads elsewhere than the form that asked, by link_return_to", async () => {
    const ada = browser();
    const sent = await ada
      .post("/auth/magic/send")
      .type("form")
      .set(FORM)
      .send({ email: ADA, link: "true", return_to: "/code", link_return_to: "/orders" })
      .expect(303);
    expect(sent.headers["location"]).toBe("/code");

    const link = await app.mailbox.waitForLink(ADA);
    expect(link).toMatch(LINK); // with nothing but its token
    expect((await press(ada, tokenIn(link)).expect(303)).headers["location"]).toBe("/orders");
  });

  it.each([
    ["https://evil.example/", "/"],
    ["//evil.example", "/"],
    ["/\\evil.example", "/"],
    ["https://shop.example/cart", "https://shop.example/cart"],
    [undefined, "/"],
  ])("rule 39: asked to lead to %s, it leads to %s", async (target, expected) => {
    const ada = browser();
    const { token } = await ask(ada, target === undefined ? {} : { return_to: target });

    const opened = await open(ada, token).expect(200);

    // Browsers hold `form-action` against redirects, too.
    const onward = expected.startsWith("https:") ? " https://shop.example;" : ";";
    expect(opened.headers["content-security-policy"]).toContain(`form-action 'self'${onward}`);
    expect((await press(ada, token).expect(303)).headers["location"]).toBe(expected);
  });

  it("merges a guest", async () => {
    const ada = browser();
    await ada.post("/auth/guest").expect(200);
    const upgraded: unknown[] = [];
    app.auth.events.on("session.upgraded", (event) => void upgraded.push(event));
    const { token } = await ask(ada);

    await press(ada, token).expect(303);

    expect(upgraded).toHaveLength(1);
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("rule 17: is a proof of the mailbox: what was set before by whoever never proved it is removed", async () => {
    const user = await app.auth.users.create({ id: "squatter", email: ADA, emailVerified: false });
    const theirs = await app.auth.sessions.create({ userId: user.id });
    const { token } = await ask(browser());

    await follow(browser(), token).expect(200);

    expect((await app.auth.sessions.resolve(theirs.token)).failure).not.toBeNull();
    expect(await app.auth.users.findById("squatter")).toMatchObject({ emailVerified: true });
  });
});

describe("opening a link", () => {
  it("rule 20: spends nothing, however often and by whatever method mail scanners do it", async () => {
    const scanner = request.agent(app.server);
    const ada = browser();
    const { token } = await ask(ada);

    for (let n = 0; n < 3; n += 1) {
      await open(scanner, token).expect(200);
      await scanner.head(`/auth/magic/link?token=${token}`).expect(200);
      await scanner.options(`/auth/magic/link?token=${token}`);
      await scanner.get(`/auth/magic/link?token=${token}&error=`).expect(200);
    }

    expect(await app.auth.sessions.count()).toBe(0);
    await press(ada, token).expect(303);
    await me(ada).expect(200);
  });

  it("rule 38: is kept in no cache and told to no other site", async () => {
    const { token } = await ask(browser());

    const { headers } = await open(browser(), token).expect(200);

    expect(headers).toMatchObject({ "cache-control": "no-store", "referrer-policy": "strict-origin" });
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["set-cookie"]).toBeUndefined();
  });

  it("in another browser says whom it signs in, partly, and that another asked; then signs it in", async () => {
    const { token } = await ask(browser());
    const phone = browser();

    const { text } = await open(phone, token).expect(200);

    expect(text).toContain("<b>a***@example.com</b>");
    expect(text).not.toContain(ADA);
    expect(text).toContain("It was asked for in another browser.");
    await press(phone, token).expect(303);
    expect((await me(phone).expect(200)).body).toMatchObject({ email: ADA });
  });

  it("says so where somebody else is signed in, whose session then ends", async () => {
    const bob = browser();
    const first = await ask(bob, { email: "bob@example.com" });
    await press(bob, first.token).expect(303);
    const { token } = await ask(browser());

    expect((await open(bob, token).expect(200)).text).toContain("You are signed in here as somebody else");
    await press(bob, token).expect(303);

    expect((await me(bob).expect(200)).body).toMatchObject({ email: ADA });
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("shows nothing of the token's maker as markup", async () => {
    const { text } = await browser().get("/auth/magic/link").query({ token: `"><script>`, error: "<script>" }).set(FORM).expect(401);
    expect(text).not.toContain("<script");
  });
});

describe("a link that does not sign in", () => {
  const refused = async (token: string) => {
    const failed = eventsOf("sign_in.failed");
    const { text, status, headers } = await open(browser(), token);
    expect([status, text.includes("Ask for a new one")]).toEqual([401, true]);
    expect(headers["cache-control"]).toBe("no-store");
    expect(text).not.toContain("<form");
    expect(failed).toEqual([]);
    const { body } = await follow(browser(), token).expect(401);
    expect(failed).toEqual([{ userId: null, details: { method: "magic_link", code: "invalid_token" } }]);
    return body as object;
  };
  const REFUSAL = { status: 401, code: "invalid_token", detail: "This link is wrong or no longer good: ask for a new one" };

  it("is refused alike, whatever is wrong with it", async () => {
    const ada = browser();
    const spent = await ask(ada);
    await press(ada, spent.token).expect(303);
    app.clock.advance(3600);
    const old = await ask(ada);
    app.clock.advance(600);
    const elsewhere = await startApp({ secret: "the secret of quite another application" });
    await request(elsewhere.server).post("/auth/magic/send").send({ email: ADA, link: true }).expect(200);
    const foreign = tokenIn(await elsewhere.mailbox.waitForLink(ADA));
    await elsewhere.close();

    const tokens = [spent.token, old.token, foreign, "x", "A".repeat(86), `${old.token}A`];
    for (const token of tokens) expect(await refused(token)).toMatchObject(REFUSAL);
  });

  it("rule 7: is good for ten minutes and no longer", async () => {
    const { token } = await ask(browser());
    app.clock.advance(599);
    await open(browser(), token).expect(200);
    app.clock.advance(1);
    await refused(token);
  });

  it("shows a form's refusal as a page, and says there what to do", async () => {
    const ada = browser();
    const { token } = await ask(ada);
    const errorTo = /name="error_to" value="([^"]+)"/.exec((await open(ada, token)).text)?.[1]?.replaceAll("&amp;", "&") ?? "";
    await follow(browser(), token).expect(200);

    const { headers } = await ada.post("/auth/magic/link").type("form").set(FORM).send({ token, error_to: errorTo }).expect(303);

    expect(headers["location"]).toBe(`/auth/magic/link?token=${token}&error=invalid_token`);
    expect(
      (
        await ada
          .get(headers["location"] ?? "")
          .set(FORM)
          .expect(401)
      ).text,
    ).toContain("Ask for a new one");
    await me(ada).expect(401);
  });

  it("is of a disabled user: they are told, and nothing usable is given out", async () => {
    const user = await app.auth.users.create({ email: ADA, emailVerified: true });
    const { token } = await ask(browser());
    await app.auth.users.disable(user.id);
    const ada = browser();

    await follow(ada, token).expect(401, /user_disabled/);

    const { text } = await ada.get(`/auth/magic/link?token=${token}&error=user_disabled`).set(FORM).expect(401);
    expect(text).toContain("This account is disabled.");
    expect(await app.auth.sessions.count()).toBe(0);
  });

  it("rule 6: gave way to a newer one, in this browser or another", async () => {
    const ada = browser();
    const first = await ask(ada);
    app.clock.advance(61);
    const second = await ask(ada);
    await refused(first.token);
    await open(ada, second.token).expect(200);
    app.clock.advance(61);
    const third = await ask(browser());
    await refused(second.token);
    await open(ada, third.token).expect(200);
    // The second code belongs to the browser that asked for it, whoever asks for another.
    await ada.post("/auth/magic/verify").send({ code: second.code }).expect(200);
  });

  it("rule 6: gave way to a newer code in the same browser", async () => {
    const ada = browser();
    const first = await ask(ada);
    app.clock.advance(61);
    await ada.post("/auth/magic/send").send({ email: ADA }).expect(200);
    await refused(first.token);
  });

  it("is of somebody who was erased, or whose links were revoked", async () => {
    const user = await app.auth.users.create({ email: ADA, emailVerified: true });
    const first = await ask(browser());
    await app.auth.erase(user.id);
    await refused(first.token);
    app.clock.advance(3600);
    const bob = await app.auth.users.create({ email: "bob@example.com", emailVerified: true });
    const second = await ask(browser(), { email: "bob@example.com" });
    await app.auth.passwords.forgot({ email: "bob@example.com", source: null, origin: app.url });
    const reset = tokenIn(await app.mailbox.waitForLink("bob@example.com"));
    await app.auth.passwords.reset({ token: reset, password: "seven purple lighthouses" });
    await refused(second.token);
    expect(await app.auth.users.findById(bob.id)).not.toBeNull();
  });

  it("rule 36: came from another site's form, and is not spent", async () => {
    const { token } = await ask(browser());
    const ada = request.agent(app.server);

    for (const headers of [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }, { origin: "null" }])
      await ada.post("/auth/magic/link").type("form").set(headers).send({ token }).expect(403);

    await press(browser(), token).expect(303);
  });
});

describe("one request, one sign-in", () => {
  it("rule 1: of a link that is pressed many times at once, one signs in", async () => {
    const { token } = await ask(browser());
    const answers = await Promise.all(Array.from({ length: 10 }, () => follow(browser(), token)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(9).fill(401)]);
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("voids the code by the link", async () => {
    const ada = browser();
    const { token, code } = await ask(ada);
    await follow(browser(), token).expect(200);
    await ada
      .post("/auth/magic/verify")
      .send({ code })
      .expect(401, /invalid_code/);
    await browser()
      .post("/auth/magic/verify")
      .send({ code, email: ADA })
      .expect(401, /invalid_code/);
  });

  it("voids the link by the code", async () => {
    const ada = browser();
    const { token, code } = await ask(ada);
    await ada.post("/auth/magic/verify").send({ code }).expect(200);
    await open(browser(), token).expect(401);
    await follow(browser(), token).expect(401, /invalid_token/);
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("rule 15: is left to its owner by strangers who guess at the code, and lets them use codes again", async () => {
    const user = await app.auth.users.create({ email: ADA, emailVerified: true });
    const failures = { magic_code: { count: 100, lastAt: 0 } };
    await app.auth.principals.update(user.id, (principal) => ({ ...principal, failures }));
    const ada = browser();
    const { token, code } = await ask(ada);
    await ada.post("/auth/magic/verify").send({ code }).expect(401);

    await press(ada, token).expect(303);

    expect((await app.auth.principals.standing(user.id)).principal.failures).toEqual({});
  });
});
