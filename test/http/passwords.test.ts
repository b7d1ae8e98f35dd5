import { availableParallelism } from "node:os";
import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PermissionError } from "../../lib/errors.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";
import { counting } from "../support/kit.ts";
import { openTestStore } from "../support/test-store.ts";

type App = Awaited<ReturnType<typeof startApp>>;

const PASSWORD = "seven purple lighthouses";
const OTHER = "eleven orange windmills";
const ADA = "ada@example.com";

let app: App;
beforeEach(async () => {
  app = await startApp({ passwords: true });
});
afterEach(() => app.close());

const browser = (from: App = app) => {
  const agent = request.agent(from.server);
  agent.set({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" });
  return agent;
};

const shape = (response: request.Response) => [response.status, response.body, Object.keys(response.headers).sort()];

async function mailed(from: App, to: string) {
  await expect.poll(() => from.mailbox.messages.filter((message) => message.to === to).length).toBeGreaterThan(0);
  return from.mailbox.messages.filter((message) => message.to === to);
}

/** The token in the newest mail to an address that has one. */
async function tokenFor(to: string, from: App = app, count = 1) {
  await expect
    .poll(() => from.mailbox.messages.filter((message) => message.to === to && message.text.includes("token=")).length)
    .toBeGreaterThanOrEqual(count);
  const texts = from.mailbox.messages.flatMap((message) => (message.to === to ? (/token=([\w-]+)/.exec(message.text) ?? []).slice(1) : []));
  return texts.at(-1) ?? "";
}

/** A user whose address is confirmed. */
async function register(email = ADA, from: App = app) {
  await browser(from).post("/auth/sign-up").send({ email, password: PASSWORD }).expect(200);
  await browser(from)
    .post("/auth/email/confirm")
    .send({ token: await tokenFor(email, from) })
    .expect(200);
}

const signIn = (email = ADA, password = PASSWORD, agent = browser()) => agent.post("/auth/sign-in").send({ email, password });

describe("signing up where addresses are confirmed", () => {
  it("signs in only once the mailed link was used", async () => {
    const answer = await browser().post("/auth/sign-up").send({ email: ADA, password: PASSWORD }).expect(200);
    expect(answer.body).toEqual({ message: expect.any(String) });
    expect(answer.headers["set-cookie"]).toBeUndefined();
    const early = await signIn();
    expect([early.status, early.body.code, early.headers["set-cookie"]]).toEqual([403, "email_not_confirmed", undefined]);

    await browser()
      .post("/auth/email/confirm")
      .send({ token: await tokenFor(ADA) })
      .expect(200);

    const agent = browser();
    const done = await signIn(ADA, PASSWORD, agent).expect(200);
    expect(done.body.user).toMatchObject({ email: ADA, email_confirmed_at: expect.any(String) });
    await agent.get("/auth/me").expect(200);
  });

  it("rule 14: answers alike for known and unknown addresses, with as many calls of the store", async () => {
    const clock = createTestClock();
    const { store, calls } = counting(openTestStore({ clock }));
    const counted = await startApp({ passwords: true, store, clock });
    try {
      await register(ADA, counted);
      const total = () => Object.values(calls).reduce((sum, count) => sum + count, 0);
      const runs = [];
      for (const email of ["eve@example.com", ADA]) {
        for (const [path, body] of [
          ["/auth/sign-up", { email, password: OTHER }],
          ["/auth/sign-in", { email: email === ADA ? ADA : "nobody@example.com", password: "wrong wrong wrong wrong" }],
          ["/auth/password/forgot", { email: email === ADA ? ADA : "nobody@example.com" }],
          ["/auth/email/confirm/send", { email: email === ADA ? ADA : "nobody@example.com" }],
        ] as const) {
          clock.advance(3600);
          const before = total();
          const response = await browser(counted).post(path).send(body);
          runs.push([path, shape(response), total() - before]);
        }
      }
      expect(runs.slice(4)).toEqual(runs.slice(0, 4));
    } finally {
      await counted.close();
    }
  });

  it("rule 17: a second sign-up with an address does not confirm what the first one set, but lets its owner start over", async () => {
    await browser().post("/auth/sign-up").send({ email: ADA, password: OTHER }).expect(200);
    app.clock.advance(61);
    await tokenFor(ADA);
    await browser().post("/auth/sign-up").send({ email: ADA, password: PASSWORD }).expect(200);
    const token = await tokenFor(ADA, app, 2);
    await browser().post("/auth/email/confirm").send({ token }).expect(401);

    await browser().post("/auth/password/reset").send({ token, password: PASSWORD }).expect(200);

    await signIn().expect(200);
    await signIn(ADA, OTHER).expect(401);
  });

  it("rule 17: the owner of an address may say that it was not them", async () => {
    await browser().post("/auth/sign-up").send({ email: ADA, password: PASSWORD }).expect(200);
    const token = await tokenFor(ADA);
    await browser().post("/auth/email/confirm").send({ token, action: "disown" }).expect(200);
    expect(await app.auth.users.findByEmail(ADA)).toBeNull();
    await browser().post("/auth/email/confirm").send({ token }).expect(401);
  });
});

describe("signing up without confirmation", () => {
  let open: App;
  beforeEach(async () => {
    open = await startApp({ passwords: { requireConfirmedEmail: false } });
  });
  afterEach(() => open.close());

  it("signs in at once, and refuses an address that somebody has", async () => {
    const agent = browser(open);
    const { body } = await agent.post("/auth/sign-up").send({ email: ` ADA@Example.com`, password: PASSWORD }).expect(200);
    expect(body.user).toMatchObject({ email: ADA, email_confirmed_at: null });
    await agent.get("/auth/me").expect(200);
    const again = await browser(open).post("/auth/sign-up").send({ email: ADA, password: PASSWORD });
    expect([again.status, again.body.code, again.headers["set-cookie"]]).toEqual([409, "email_taken", undefined]);
  });

  it("rule 16: takes addresses as literal data, and refuses what is none before any write", async () => {
    const bad = await browser(open).post("/auth/sign-up").send({ email: "' OR '1'='1--@example.com", password: PASSWORD });
    expect([bad.status, bad.body.code]).toEqual([400, "invalid_email"]);
    const { body } = await browser(open).post("/auth/sign-up").send({ email: "o'hara+x@example.com", password: PASSWORD }).expect(200);
    expect(body.user.email).toBe("o'hara+x@example.com");
  });

  it("refuses a password that is too short, too long or common", async () => {
    for (const password of ["short", "x".repeat(257), "passwordpassword", "qwertyuiop12345"]) {
      const refused = await browser(open).post("/auth/sign-up").send({ email: ADA, password });
      expect([refused.status, refused.body.code]).toEqual([400, "weak_password"]);
    }
    expect(await open.auth.users.findByEmail(ADA)).toBeNull();
  });
});

describe("signing in by password", () => {
  it("rule 14: gives one answer to a wrong password and an unknown address", async () => {
    await register();
    const wrong = await signIn(ADA, OTHER);
    const unknown = await signIn("eve@example.com", OTHER);
    expect(wrong.body).toMatchObject({ status: 401, code: "invalid_credentials", detail: "Invalid credentials" });
    expect(shape(wrong)).toEqual(shape(unknown));
  });

  it("rule 14: slows known and unknown addresses down alike after five wrong passwords", async () => {
    await register();
    const codes = async (email: string) => {
      const seen = [];
      for (let n = 0; n < 6; n += 1) seen.push((await signIn(email, OTHER)).status);
      return seen;
    };
    expect(await codes(ADA)).toEqual([401, 401, 401, 401, 401, 429]);
    expect(await codes("eve@example.com")).toEqual([401, 401, 401, 401, 401, 429]);
    app.clock.advance(1);
    await signIn().expect(200);
  });

  it("rule 15: an owner who is locked out of the password gets in by a reset", async () => {
    await register();
    const user = await app.auth.users.findByEmail(ADA);
    await app.auth.principals.update(user?.id ?? "", (principal) => ({ ...principal, failures: { password: { count: 100, lastAt: 0 } } }));
    const refused = await signIn();
    expect([refused.status, refused.body.code]).toEqual([401, "password_disabled"]);
    await browser().post("/auth/password/forgot").send({ email: ADA }).expect(200);
    await browser()
      .post("/auth/password/reset")
      .send({ token: await tokenFor(ADA, app, 2), password: OTHER })
      .expect(200);
    await signIn(ADA, OTHER).expect(200);
  });

  it("rule 13: issues nothing when onSignIn refuses", async () => {
    const picky = await startApp({
      passwords: {
        requireConfirmedEmail: false,
        onSignIn: () => {
          throw new PermissionError("not_today", "Come back tomorrow");
        },
      },
    });
    try {
      await browser(picky).post("/auth/sign-up").send({ email: ADA, password: PASSWORD }).expect(200);
      const refused = await browser(picky).post("/auth/sign-in").send({ email: ADA, password: PASSWORD });
      expect([refused.status, refused.body.code, refused.headers["set-cookie"]]).toEqual([403, "not_today", undefined]);
    } finally {
      await picky.close();
    }
  });
});

describe("more passwords at once than can be checked", () => {
  const PLACES = Math.max(1, Math.min(4, availableParallelism() - 1));
  const WAITING = 64;

  /** An application whose every place for hashing is taken until it is let go. */
  async function startBusy() {
    let letGo = () => {};
    let taken = 0;
    const held = new Promise<boolean>((resolve) => (letGo = () => resolve(false)));
    const slow = { recognises: (stored: string) => stored === "slow", verify: () => ((taken += 1), held) };
    const busy = await startApp({ passwords: { requireConfirmedEmail: false, foreignHashes: [slow] } });
    const signUp = (email: string) => browser(busy).post("/auth/sign-up").send({ email, password: PASSWORD }).expect(200);
    await signUp(ADA);
    const { body } = await signUp("slow@example.com");
    await busy.auth.accounts.setPassword(body.user.id, "slow");
    const checked = Array.from({ length: PLACES }, () => answerTo("slow@example.com", OTHER, busy));
    await expect.poll(() => taken).toBe(PLACES);
    return { busy, letGo, checked };
  }

  const answerTo = (email: string, password: string, from: App) =>
    signIn(email, password, browser(from)).then(({ status, body, headers }) => `${status} ${body.code} ${headers["retry-after"]}`);

  it("answers 503 to those that find no place, and lets the others go on", async () => {
    const { busy, letGo, checked } = await startBusy();
    try {
      const others = Array.from({ length: WAITING + 2 }, (_, i) => answerTo(`nobody-${i}@example.com`, OTHER, busy));
      expect(await Promise.race(others)).toBe("503 too_busy 1");
      letGo();
      const answers = await Promise.all([...checked, ...others]);
      expect(new Set(answers)).toEqual(new Set(["503 too_busy 1", "401 invalid_credentials undefined"]));
    } finally {
      await busy.close();
    }
  });

  it("rule 15: counts none that was not compared: an overload locks nobody out", async () => {
    const { busy, letGo, checked } = await startBusy();
    try {
      // As many wrong ones would slow the next attempt down.
      const answers = await Promise.all(Array.from({ length: 5 }, () => answerTo(ADA, PASSWORD, busy)));
      expect(answers).toEqual(Array(5).fill("503 too_busy 1"));
      letGo();
      await Promise.all(checked);
      await signIn(ADA, PASSWORD, browser(busy)).expect(200);
    } finally {
      await busy.close();
    }
  });

  it("hashes nothing of a body that is larger than any password", async () => {
    const answer = await signIn(ADA, "x".repeat(1_000_000));
    expect([answer.status, answer.body.code]).toEqual([413, "body_too_large"]);
  });
});

describe("a forgotten password", () => {
  it("rule 21: is reset by a mailed link, which ends all sessions, tells the owner and signs nobody in", async () => {
    await register();
    const agent = browser();
    await signIn(ADA, PASSWORD, agent).expect(200);
    const asked = await browser().post("/auth/password/forgot").send({ email: ADA }).expect(200);
    expect(asked.body).toEqual({ message: "If an account exists with that email, a password reset link has been sent." });
    const token = await tokenFor(ADA, app, 2);

    const weak = await browser().post("/auth/password/reset").send({ token, password: "short" });
    expect([weak.status, weak.body.code]).toEqual([400, "weak_password"]);
    const done = await browser().post("/auth/password/reset").send({ token, password: OTHER }).expect(200);

    expect(done.headers["set-cookie"]).toBeUndefined();
    await agent.get("/auth/me").expect(401);
    await signIn().expect(401);
    await signIn(ADA, OTHER).expect(200);
    await expect
      .poll(() => app.mailbox.messages.map(({ subject }) => subject))
      .toContainEqual(expect.stringMatching(/password .* was changed/));
    await browser().post("/auth/password/reset").send({ token, password: PASSWORD }).expect(401);
  });

  it("rule 20: GET of the link shows a page and spends nothing; its form does", async () => {
    await register();
    await browser().post("/auth/password/forgot").send({ email: ADA }).expect(200);
    const token = await tokenFor(ADA, app, 2);
    const link = (await mailed(app, ADA)).at(-1)?.text.match(/http\S+/)?.[0] ?? "";
    const opened = await request(app.server)
      .get(new URL(link).pathname + new URL(link).search)
      .expect(200);
    expect(opened.headers).toMatchObject({ "referrer-policy": "strict-origin", "cache-control": "no-store" });
    expect(opened.text).toContain(token);
    const navigation = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate" };
    const error_to = `/auth/password/reset?token=${token}`;
    const weak = await request(app.server)
      .post("/auth/password/reset")
      .set(navigation)
      .type("form")
      .send({ token, password: "short", error_to });
    expect([weak.status, weak.headers["location"]]).toEqual([303, `${error_to}&error=weak_password`]);
    const done = await request(app.server)
      .post("/auth/password/reset")
      .set(navigation)
      .type("form")
      .send({ token, password: OTHER, error_to });
    expect([done.status, done.type]).toEqual([200, "text/html"]);
    const cross = await request(app.server)
      .post("/auth/password/reset")
      .set("sec-fetch-site", "cross-site")
      .send({ token, password: OTHER });
    expect(cross.status).toBe(403);
  });

  it("a person who comes with a link that is no longer good is told so by a page, not by a problem document", async () => {
    const navigation = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate" };
    for (const path of ["/auth/email/confirm", "/auth/password/reset"]) {
      const form = await request(app.server).get(`${path}?token=spent`).set(navigation).expect(200);
      const error_to = /name="error_to" value="([^"]+)"/.exec(form.text)?.[1] ?? "";
      const sent = { token: "spent", error_to, ...(path.endsWith("reset") ? { password: OTHER } : {}) };
      const refused = await request(app.server).post(path).set(navigation).type("form").send(sent).expect(303);
      expect(refused.headers["location"]).toBe(`${path}?token=spent&error=invalid_token`);
      const { text } = await request(app.server)
        .get(refused.headers["location"] ?? "")
        .set(navigation)
        .expect(200);
      expect(text).toContain("This link is wrong or no longer good");
      expect(text).not.toContain("<form");
    }
  });

  it("says that it did not work for a code that nobody knows, also one that every object has", async () => {
    const pages = ["/auth/password/reset", "/auth/email/confirm"];
    for (const page of pages)
      for (const error of ["constructor", "__proto__", "nobody_knows"]) {
        const { text } = await browser()
          .get(page)
          .query({ token: "a".repeat(43), error })
          .expect(200);
        expect(text).toContain('<p role="alert">That did not work.</p>');
      }
  });

  it("rule 4: a token of another purpose is unknown, and is not consumed", async () => {
    await browser().post("/auth/sign-up").send({ email: ADA, password: PASSWORD }).expect(200);
    const confirmation = await tokenFor(ADA);
    const reset = await browser().post("/auth/password/reset").send({ token: confirmation, password: OTHER });
    expect([reset.status, reset.body.code]).toEqual([401, "invalid_token"]);
    await browser().post("/auth/email/confirm").send({ token: "%%%not-a-valid-token%%%" }).expect(401);
    await browser().post("/auth/email/confirm").send({ token: confirmation }).expect(200);
  });
});

describe("changing a password in a session", () => {
  it("rule 12: gives this session a new secret and ends the others", async () => {
    await register();
    const [here, elsewhere] = [browser(), browser()];
    const [first] = [(await signIn(ADA, PASSWORD, here).expect(200)).headers["set-cookie"]];
    await signIn(ADA, PASSWORD, elsewhere).expect(200);
    const changed = await here.post("/auth/password/change").send({ current_password: PASSWORD, password: OTHER }).expect(200);
    expect(changed.headers["set-cookie"]).not.toEqual(first);
    await here.get("/auth/me").expect(200);
    await elsewhere.get("/auth/me").expect(401);
    await signIn(ADA, OTHER).expect(200);
  });

  it("rule 21: needs the current password, or a fresh session", async () => {
    await register();
    const agent = browser();
    await signIn(ADA, PASSWORD, agent).expect(200);
    app.clock.advance(601);
    const stale = await agent.post("/auth/password/change").send({ password: OTHER });
    expect([stale.status, stale.body.code]).toEqual([401, "insufficient_user_authentication"]);
    const wrong = await agent.post("/auth/password/change").send({ current_password: OTHER, password: OTHER });
    expect([wrong.status, wrong.body.code]).toEqual([401, "invalid_credentials"]);
    await signIn().expect(200);
  });
});

describe("proving a password again", () => {
  it("rule 12: makes a session fresh, under a new secret", async () => {
    await register();
    const agent = browser();
    await signIn(ADA, PASSWORD, agent).expect(200);
    app.clock.advance(3600);
    await agent.post("/auth/reauthenticate").send({ method: "password", password: OTHER }).expect(401);
    const proven = await agent.post("/auth/reauthenticate").send({ method: "password", password: PASSWORD }).expect(200);
    expect(proven.headers["set-cookie"]).toBeDefined();
    await agent.post("/auth/password/change").send({ password: OTHER }).expect(200);
  });
});

describe("changing an address", () => {
  it("rule 18: holds once the link to the new one was used, and tells the old one", async () => {
    await register();
    const agent = browser();
    await signIn(ADA, PASSWORD, agent).expect(200);
    await agent.post("/auth/email/change").send({ email: "new@example.com" }).expect(200);
    const first = await tokenFor("new@example.com");
    expect((await agent.get("/auth/me")).body.email).toBe(ADA);
    app.clock.advance(61);
    await agent.post("/auth/email/change").send({ email: "newer@example.com" }).expect(200);
    const second = await tokenFor("newer@example.com");
    await browser().post("/auth/email/confirm").send({ token: first }).expect(401);
    await browser().post("/auth/email/confirm").send({ token: second }).expect(200);
    expect((await agent.get("/auth/me")).body.email).toBe("newer@example.com");
    await expect.poll(() => app.mailbox.messages.filter(({ to }) => to === ADA).at(-1)?.subject).toMatch(/email address .* was changed/);
  });
});
