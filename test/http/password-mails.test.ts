import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startApp } from "../support/app.ts";

const PASSWORD = "seven purple lighthouses";
const OTHER = "eleven orange windmills";
const ADA = "ada@example.com";
const NEW = "new@example.com";

let app: Awaited<ReturnType<typeof startApp>>;
beforeEach(async () => {
  app = await startApp({ passwords: true });
});
afterEach(() => app.close());

const browser = () => request.agent(app.server).set("sec-fetch-site", "same-origin");
const post = (path: string, body: object) => browser().post(path).send(body);

/** The token of the next unread link. Asking again for one of a kind has to wait a minute. */
const mailedToken = async (to = ADA) => new URL(await app.mailbox.waitForLink(to)).searchParams.get("token") ?? "";
const nextMinute = () => app.clock.advance(61);

async function signUp(email = ADA) {
  await post("/auth/sign-up", { email, password: PASSWORD }).expect(200);
  return mailedToken(email);
}

/** Somebody confirmed, signed in. */
async function register() {
  await post("/auth/email/confirm", { token: await signUp() }).expect(200);
  const agent = browser();
  await agent.post("/auth/sign-in").send({ email: ADA, password: PASSWORD }).expect(200);
  nextMinute();
  return agent;
}

async function forgot() {
  await post("/auth/password/forgot", { email: ADA }).expect(200);
  return mailedToken();
}

const reset = (token: string, password = OTHER) => post("/auth/password/reset", { token, password });
const confirm = (token: string) => post("/auth/email/confirm", { token });
const code = async (answer: request.Test) => ((response) => [response.status, response.body.code])(await answer);
const VOID = [401, "invalid_token"];

/** Subjects of what an address was sent, once everything is. */
async function subjectsTo(address: string) {
  await app.auth.close(); // sends what is in the queue
  return app.mailbox.messages.filter(({ to }) => to === address).map(({ subject }) => subject);
}

describe("a reset of the password", () => {
  it("rule 21: ends the user's API keys, and nobody else's", async () => {
    const agent = await register();
    const { body } = await agent.post("/auth/api-keys").send({ name: "deploy" }).expect(200);
    await app.auth.users.create({ id: "eve", email: "eve@example.com", emailVerified: true });
    const eve = await app.auth.apiKeys.create({ userId: "eve", name: "hers" });
    const me = (key: string) => request(app.server).get("/auth/me").set("authorization", `Bearer ${key}`);
    await me(body.key).expect(200);

    await reset(await forgot()).expect(200);

    await me(body.key).expect(401);
    const ada = await app.auth.users.findByEmail(ADA);
    expect(await app.auth.apiKeys.list(ada?.id ?? "")).toEqual([]);
    await me(eve.key).expect(200);
  });

  it("rule 21: tells the owner once, and links to nowhere", async () => {
    await register();
    await reset(await forgot()).expect(200);
    expect(await subjectsTo(ADA)).toEqual([
      "Confirm your email address for localhost",
      "Choose a new password for localhost",
      "Your password for localhost was changed",
    ]);
    expect(app.mailbox.messages.at(-1)?.text).not.toContain("http");
  });
});

describe("a change of the password", () => {
  it("rule 21: tells the owner once", async () => {
    const agent = await register();
    await agent.post("/auth/password/change").send({ current_password: PASSWORD, password: OTHER }).expect(200);
    expect(await subjectsTo(ADA)).toEqual(["Confirm your email address for localhost", "Your password for localhost was changed"]);
  });

  it("rule 21: tells nobody when it is refused", async () => {
    const agent = await register();
    await agent.post("/auth/password/change").send({ current_password: PASSWORD, password: "short" }).expect(400);
    await agent.post("/auth/password/change").send({ current_password: OTHER, password: OTHER }).expect(401);
    expect(await subjectsTo(ADA)).toEqual(["Confirm your email address for localhost"]);
  });

  it("rule 21: voids the links that are open: to choose a password, and to another address", async () => {
    const agent = await register();
    const choosing = await forgot();
    await agent.post("/auth/email/change").send({ email: NEW, current_password: PASSWORD }).expect(200);
    const changing = await mailedToken(NEW);

    await agent.post("/auth/password/change").send({ current_password: PASSWORD, password: OTHER }).expect(200);

    expect(await code(reset(choosing, "nine yellow submarines"))).toEqual(VOID);
    expect(await code(confirm(changing))).toEqual(VOID);
    await post("/auth/sign-in", { email: ADA, password: OTHER }).expect(200);
  });
});

describe("a change of the address", () => {
  it("rule 18: voids the links that went to the old one, and tells it", async () => {
    const agent = await register();
    const choosing = await forgot();
    await agent.post("/auth/email/change").send({ email: NEW, current_password: PASSWORD }).expect(200);

    await confirm(await mailedToken(NEW)).expect(200);

    expect(await code(reset(choosing))).toEqual(VOID);
    await post("/auth/sign-in", { email: NEW, password: PASSWORD }).expect(200);
    expect((await subjectsTo(ADA)).at(-1)).toBe("Your email address for localhost was changed");
  });

  it("rule 18: voids them for good, also when the address comes back", async () => {
    const agent = await register();
    const choosing = await forgot();
    for (const email of [NEW, ADA]) {
      await agent.post("/auth/email/change").send({ email, current_password: PASSWORD }).expect(200);
      await confirm(await mailedToken(email)).expect(200);
    }
    expect(await code(reset(choosing))).toEqual(VOID);
  });

  it("rule 18: leaves the links alone until it is confirmed", async () => {
    const agent = await register();
    const choosing = await forgot();
    await agent.post("/auth/email/change").send({ email: NEW, current_password: PASSWORD }).expect(200);
    await reset(choosing).expect(200);
    expect(await code(confirm(await mailedToken(NEW)))).toEqual(VOID);
    expect((await app.auth.users.findByEmail(ADA))?.emailVerified).toBe(true);
  });
});

describe("a second link of a kind", () => {
  it("rule 4: to choose a password voids the first", async () => {
    await register();
    const first = await forgot();
    nextMinute();
    const second = await forgot();
    expect(second).not.toBe(first);
    expect(await code(reset(first, "nine yellow submarines"))).toEqual(VOID);
    await reset(second).expect(200);
    await post("/auth/sign-in", { email: ADA, password: OTHER }).expect(200);
  });

  it("rule 4: to confirm an address voids the first", async () => {
    const first = await signUp();
    nextMinute();
    await post("/auth/email/confirm/send", { email: ADA }).expect(200);
    const second = await mailedToken();
    expect(await code(confirm(first))).toEqual(VOID);
    await confirm(second).expect(200);
  });
});

describe("asking for a link to confirm", () => {
  it("mails nothing to who has confirmed, or is not known, and one to who has not", async () => {
    await register();
    await signUp("eve@example.com");
    nextMinute();
    for (const email of [ADA, "nobody@example.com", "eve@example.com"]) await post("/auth/email/confirm/send", { email }).expect(200);
    await mailedToken("eve@example.com");
    expect(await subjectsTo(ADA)).toHaveLength(1);
    expect(await subjectsTo("nobody@example.com")).toEqual([]);
    expect(await subjectsTo("eve@example.com")).toHaveLength(2);
  });
});
