import { Strategy } from "passport";
import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Identity } from "../../lib/core/strategy.ts";
import { startApp } from "../support/app.ts";

const identity = (subject: string, email: string | null): Identity => ({
  provider: "acme",
  issuer: "https://acme.example",
  subject,
  email,
  emailVerified: email !== null,
  name: null,
  image: null,
  tokens: null,
  providerSessionId: null,
  authenticatedAt: null,
});

/** A provider that vouches for `subject` or `subject:address` when that is the code, and refuses everybody else. */
class Acme extends Strategy {
  override name = "acme";
  override authenticate(req: { query: Record<string, unknown> }) {
    const { code } = req.query;
    if (typeof code !== "string") return this.redirect("https://acme.example/authorize");
    const [subject = "", email = null] = code.split(":");
    if (subject === "denied") return this.fail("denied");
    this.success(identity(subject, email) as object as Express.User);
  }
}

describe("signing in, step by step", () => {
  let app: Awaited<ReturnType<typeof startApp>>;
  beforeEach(async () => {
    app = await startApp({ strategies: [new Acme() as Strategy] });
  });
  afterEach(() => app.close());

  const browser = () => request.agent(app.server).set({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" });

  const cookiesOf = (response: request.Response) =>
    [response.headers["set-cookie"] ?? []].flat().map((cookie) => /^([^=]+)=([^;]*)/.exec(String(cookie))!.slice(1) as [string, string]);

  /** No session, no key; and what the browser was given opens nothing, wherever it is shown. */
  const expectNothingUsable = async (step: string, response: request.Response) => {
    expect(await app.auth.sessions.count(), step).toBe(0);
    expect(response.body, step).not.toHaveProperty("token");
    const given = cookiesOf(response).filter(([, value]) => value !== "");
    expect(
      given.map(([name]) => name).filter((name) => name === "sid"),
      step,
    ).toEqual([]);
    for (const value of [...given.map(([, text]) => text), (response.body as { request_id?: string }).request_id ?? "x"]) {
      for (const headers of [
        { cookie: `sid=${value}` },
        { authorization: `Bearer ${value}` },
        { cookie: `sid-code=${value}; sid-oauth=${value}` },
      ]) {
        await request(app.server).get("/auth/me").set(headers).expect(401);
        await request(app.server).get("/auth/api-keys").set(headers).expect(401);
      }
    }
  };

  /** Begins at the provider and comes back with `code`. */
  const viaAcme = async (agent: ReturnType<typeof browser>, code: string) => {
    const begun = await agent.get("/auth/login/acme").set("sec-fetch-mode", "navigate").expect(303);
    const state = new URL(begun.headers["location"]!).searchParams.get("state")!;
    const back = () => agent.get(`/auth/callback/acme?state=${state}&code=${code}`).set("accept", "application/json");
    return { begun, back };
  };

  it("rule 13: by code gives out nothing usable before the code was right", async () => {
    const agent = browser();
    const sent = await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
    await expectNothingUsable("sent", sent);
    const code = await app.mailbox.waitForCode("ada@example.com");
    const wrong = await agent
      .post("/auth/magic/verify")
      .send({ code: code === "00000000" ? "11111111" : "00000000" })
      .expect(401);
    await expectNothingUsable("wrong", wrong);
    const outside = await request(app.server).post("/auth/magic/send").send({ email: "cli@example.com" }).expect(200);
    await expectNothingUsable("sent to a client", outside);
    await agent.post("/auth/magic/verify").send({ code }).expect(200);
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("rule 13: at a provider gives out nothing usable before the provider vouched and a user was found", async () => {
    const agent = browser();
    const denied = await viaAcme(agent, "denied");
    await expectNothingUsable("begun", denied.begun);
    await expectNothingUsable("denied", await denied.back().expect(401));

    await app.auth.users.create({ email: "taken@example.com", emailVerified: true });
    const taken = await viaAcme(agent, "subject-1:taken@example.com");
    const refused = await taken.back().expect(409);
    expect(refused.body.code).toBe("account_not_linked");
    await expectNothingUsable("not linked", refused);

    const { back } = await viaAcme(agent, "subject-2");
    await back().expect(200);
    expect(await app.auth.sessions.count()).toBe(1);
  });

  it("rule 13: gives a disabled user nothing, whatever they prove", async () => {
    const user = await app.auth.users.create({ email: "ada@example.com", emailVerified: true });
    await app.auth.accounts.link({ userId: user.id, identity: identity("ada", null) });
    await app.auth.users.disable(user.id);
    const agent = browser();
    await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
    const code = await app.mailbox.waitForCode("ada@example.com");
    await expectNothingUsable("by code", await agent.post("/auth/magic/verify").send({ code }).expect(401));
    const { back } = await viaAcme(agent, "ada");
    await expectNothingUsable("at a provider", await back().expect(401));
  });

  it("rule 15: another proof lets a user sign in by code again, whom wrong guesses shut out of it", async () => {
    const user = await app.auth.users.create({ email: "ada@example.com", emailVerified: true });
    await app.auth.accounts.link({ userId: user.id, identity: identity("ada", null) });
    const shutOut = () =>
      app.auth.principals.update(user.id, (principal) => ({ ...principal, failures: { magic_code: { count: 100, lastAt: 0 } } }));
    const byCode = async (status: number) => {
      app.clock.advance(61);
      const agent = browser();
      await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
      await agent
        .post("/auth/magic/verify")
        .send({ code: await app.mailbox.waitForCode("ada@example.com") })
        .expect(status);
    };

    await shutOut();
    await byCode(401);
    const { back } = await viaAcme(browser(), "ada");
    await back().expect(200);
    await byCode(200);
    expect((await app.auth.principals.standing(user.id)).principal.failures).toEqual({});
  });

  it("does not spend the code of a browser that asks for a token it must not have", async () => {
    const agent = browser();
    await agent.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
    const code = await app.mailbox.waitForCode("ada@example.com");
    const refused = await agent.post("/auth/magic/verify").send({ code, transport: "token" }).expect(400);
    expect(refused.body.code).toBe("insecure_token_transport");
    await agent.post("/auth/magic/verify").send({ code }).expect(200);
  });
});
