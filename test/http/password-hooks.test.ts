import { setTimeout as delay } from "node:timers/promises";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import type { PasswordsOptions } from "../../lib/core/password-options.ts";
import { PermissionError } from "../../lib/errors.ts";
import { startApp } from "../support/app.ts";

const PASSWORD = "seven purple lighthouses";
const ADA = "ada@example.com";

let app: Awaited<ReturnType<typeof startApp>>;
afterEach(() => app.close());

const start = async (passwords: PasswordsOptions) => (app = await startApp({ passwords }));
const post = (path: string, body: object) => request(app.server).post(path).set("sec-fetch-site", "same-origin").send(body);
const signUp = () => post("/auth/sign-up", { email: ADA, password: PASSWORD });
const signIn = (password = PASSWORD) => post("/auth/sign-in", { email: ADA, password });
/** As one that asks somebody else before it knows. */
const refuseLater = async () => {
  await delay(20);
  throw new PermissionError("not_invited", "You are not invited");
};
const whatCame = ({ status, body, headers }: request.Response) => [status, body.code, headers["set-cookie"]];

describe("onSignUp", () => {
  it("rule 13: is waited for, and leaves nothing of somebody whom it refuses", async () => {
    let refusing = true;
    await start({ requireConfirmedEmail: false, onSignUp: () => (refusing ? refuseLater() : undefined) });
    expect(whatCame(await signUp())).toEqual([403, "not_invited", undefined]);
    expect(await app.auth.users.findByEmail(ADA)).toBeNull();
    expect(whatCame(await signIn())).toEqual([401, "invalid_credentials", undefined]);

    refusing = false;
    await signUp().expect(200);
    await signIn().expect(200);
  });

  it("is called once for a new user, who is there already, with where they come from", async () => {
    const called: unknown[] = [];
    await start({
      requireConfirmedEmail: false,
      onSignUp: async (user, { source }) => void called.push([(await app.auth.users.findById(user.id))?.email, source?.ip !== undefined]),
    });
    await signUp().expect(200);
    expect(called).toEqual([[ADA, true]]);
    await signUp().expect(409);
    await post("/auth/sign-up", { email: "eve@example.com", password: "short" }).expect(400);
    expect(called).toHaveLength(1);
  });

  it("mails no link to somebody whom it refuses", async () => {
    await start({ requireConfirmedEmail: true, onSignUp: refuseLater });
    expect((await signUp()).body.code).toBe("not_invited");
    expect(app.mailbox.messages).toEqual([]);
  });
});

describe("onSignIn", () => {
  it("rule 13: is waited for, and no session is made when it refuses", async () => {
    await start({ requireConfirmedEmail: false, onSignIn: refuseLater });
    const { body } = await signUp().expect(200);
    const before = await app.auth.sessions.list(body.user.id);
    expect(whatCame(await signIn())).toEqual([403, "not_invited", undefined]);
    expect(await app.auth.sessions.list(body.user.id)).toEqual(before);
  });

  it("is called for who has proven to be who they are, after that, and for nobody else", async () => {
    const called: string[] = [];
    await start({ requireConfirmedEmail: true, onSignUp: () => void called.push("up"), onSignIn: () => void called.push("in") });
    await signUp().expect(200);
    expect((await signIn()).body.code).toBe("email_not_confirmed");
    const token = new URL(await app.mailbox.waitForLink(ADA)).searchParams.get("token");
    await post("/auth/email/confirm", { token }).expect(200);
    await signIn("eleven orange windmills").expect(401);
    await post("/auth/sign-in", { email: "nobody@example.com", password: PASSWORD }).expect(401);
    expect(called).toEqual(["up"]);

    await signIn().expect(200);
    expect(called).toEqual(["up", "in"]);
  });
});
