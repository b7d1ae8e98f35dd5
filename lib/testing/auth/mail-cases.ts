import assert from "node:assert/strict";
import { assertRefused, assertStatus, bearer, names, OTHER_PASSWORD, PASSWORD, type AuthCase, type Given } from "./case.ts";
import { fieldsIn, textIn } from "./visitor.ts";

/** Longer than links in mails hold. */
const A_DAY = 86_400;

const AN_HOUR = 3600;
/** Longer than one waits between two mails, and no link's whole life. */
const MINUTES = 300;

const MALFORMED = "%%%not-a-valid-token%%%";

/** Somebody who signed up on a server with confirmation, and has not confirmed. */
async function unconfirmed({ visitor, email }: Given) {
  const address = email();
  const answer = assertStatus(await visitor().post("/sign-up", { email: address, password: PASSWORD }), 200);
  return { address, answer, signIn: (password = PASSWORD) => visitor().post("/sign-in", { email: address, password }) };
}

async function resetTokenFor({ visitor, mailedToken }: Given, email: string) {
  assertStatus(await visitor().post("/password/forgot", { email }), 200);
  return await mailedToken(email);
}

/** What goes by a link in a mail: proving an address, and choosing a password anew. */
export const mailCases: readonly AuthCase[] = [
  {
    title: "nobody signs in before the address is confirmed, where that is required: 403, without cookies",
    shows: ["mail 1"],
    options: { confirmation: true },
    async run(given) {
      const { signIn } = await unconfirmed(given);
      const refused = assertRefused(await signIn(), 403, "email_not_confirmed");
      assert.equal(refused.body["detail"], "Email not confirmed");
    },
  },
  {
    title: "signing up is answered 200 without cookies where the address has to be confirmed, alike for everybody",
    shows: ["mail 2"],
    options: { confirmation: true },
    needs: ["clock"],
    async run(given) {
      const { answer, address } = await unconfirmed(given);
      assert.deepEqual(names(answer), []);
      await given.advance(3600);
      const again = assertStatus(await given.visitor().post("/sign-up", { email: address, password: OTHER_PASSWORD }), 200);
      assert.deepEqual([again.body, names(again)], [answer.body, []]);
    },
  },
  {
    title: "a session whose address counts as confirmed no more is not refreshed: 403, without cookies, and it is over",
    shows: ["mail 3"],
    options: { confirmation: true },
    needs: ["inside"],
    async run({ person, inside }) {
      const { email, visitor } = await person();
      assertStatus(await visitor.post("/refresh"), 200);
      await inside.unconfirm(email);
      assertRefused(await visitor.post("/refresh"), 403, "email_not_confirmed");
      assert.equal(await inside.sessions(email), 0);
    },
  },
  {
    title: "the token of the mailed link confirms the address",
    shows: ["mail 4", "more 7"],
    options: { confirmation: true },
    async run(given) {
      const { address, signIn } = await unconfirmed(given);
      const confirmed = assertStatus(await given.visitor().post("/email/confirm", { token: await given.mailedToken(address) }), 200);
      assert.equal(confirmed.body["message"], "Email confirmed successfully.");
      assert.deepEqual(names(confirmed), []);
      const user = fieldsIn(assertStatus(await signIn(), 200).body, "user");
      assert.ok(Number.isFinite(Date.parse(String(user["email_confirmed_at"]))), "email_confirmed_at is an instant");
    },
  },
  {
    title: "opening the mailed link shows a page and confirms nothing: what scans mails must not",
    shows: ["mail 5"],
    options: { confirmation: true },
    async run(given) {
      const { address, signIn } = await unconfirmed(given);
      const link = new URL(await given.server.mailbox.waitForLink(address));
      const token = link.searchParams.get("token") ?? "";
      assert.equal(link.pathname, "/auth/email/confirm");
      const opened = assertStatus(await given.visitor().get(`/email/confirm?token=${token}`, { accept: "text/html" }), 200);
      assert.match(String(opened.headers.get("content-type")), /^text\/html/);
      assertRefused(await signIn(), 403);
      assertStatus(await given.visitor().post("/email/confirm", { token }), 200);
      assertStatus(await signIn(), 200);
    },
  },
  {
    title: "a link to confirm an address that has expired is refused with 401",
    shows: ["mail 6", "more 7"],
    options: { confirmation: true },
    needs: ["clock"],
    async run(given) {
      const { address, signIn } = await unconfirmed(given);
      const token = await given.mailedToken(address);
      await given.advance(A_DAY);
      assertRefused(await given.visitor().post("/email/confirm", { token }), 401, "invalid_token");
      assertRefused(await signIn(), 403);
    },
  },
  {
    title: "a link to confirm an address counts once",
    shows: ["mail 7", "more 7"],
    options: { confirmation: true },
    async run(given) {
      const { address } = await unconfirmed(given);
      const token = await given.mailedToken(address);
      const answers = await Promise.all([1, 2].map(() => given.visitor().post("/email/confirm", { token })));
      assert.deepEqual(
        answers.map(({ status }) => status).sort((a, b) => a - b),
        [200, 401],
      );
      assertRefused(await given.visitor().post("/email/confirm", { token }), 401, "invalid_token");
    },
  },
  {
    title: "a second link to confirm an address takes the place of the first",
    shows: ["mail 7", "more 7"],
    options: { confirmation: true },
    needs: ["clock"],
    async run(given) {
      const { address, signIn } = await unconfirmed(given);
      const first = await given.mailedToken(address);
      await given.advance(AN_HOUR);
      assertStatus(await given.visitor().post("/email/confirm/send", { email: address }), 200);
      const second = await given.mailedToken(address);
      assert.notEqual(second, first);
      assertRefused(await given.visitor().post("/email/confirm", { token: first }), 401, "invalid_token");
      assertRefused(await signIn(), 403);
      assertStatus(await given.visitor().post("/email/confirm", { token: second }), 200);
      assertStatus(await signIn(), 200);
    },
  },
  {
    title: "a reset sets the password, ends what was signed in before, and signs nobody in",
    shows: ["mail 8", "more 7"],
    async run(given) {
      const { email, visitor: before } = await given.person();
      const reset = await given.visitor().post("/password/reset", { token: await resetTokenFor(given, email), password: OTHER_PASSWORD });
      assertStatus(reset, 200);
      assert.equal(reset.body["message"], "Password reset successfully. You can now sign in with your new password.");
      assert.deepEqual(names(reset), []);
      assertRefused(await before.post("/refresh"), 401);
      assertRefused(await given.visitor().post("/sign-in", { email, password: PASSWORD }), 401);
      assertStatus(await given.visitor().post("/sign-in", { email, password: OTHER_PASSWORD }), 200);
    },
  },
  {
    title: "a link to reset a password that has expired changes nothing",
    shows: ["mail 9", "more 7"],
    needs: ["clock"],
    async run(given) {
      const { email } = await given.person();
      const token = await resetTokenFor(given, email);
      await given.advance(A_DAY);
      assertRefused(await given.visitor().post("/password/reset", { token, password: OTHER_PASSWORD }), 401, "invalid_token");
      assertStatus(await given.visitor().post("/sign-in", { email, password: PASSWORD }), 200);
      assertRefused(await given.visitor().post("/sign-in", { email, password: OTHER_PASSWORD }), 401);
    },
  },
  {
    title: "a link to reset a password counts once: the second try leaves the first one's password",
    shows: ["mail 10", "more 7"],
    async run(given) {
      const { email } = await given.person();
      const token = await resetTokenFor(given, email);
      assertStatus(await given.visitor().post("/password/reset", { token, password: OTHER_PASSWORD }), 200);
      assertRefused(await given.visitor().post("/password/reset", { token, password: "Third-kettle-3-walks" }), 401, "invalid_token");
      assertStatus(await given.visitor().post("/sign-in", { email, password: OTHER_PASSWORD }), 200);
    },
  },
  {
    title: "a second link to reset a password takes the place of the first",
    shows: ["mail 10", "more 7"],
    needs: ["clock"],
    async run(given) {
      const { email } = await given.person();
      const first = await resetTokenFor(given, email);
      // So that both would last.
      await given.advance(MINUTES);
      const second = await resetTokenFor(given, email);
      assert.notEqual(second, first);
      const reset = (token: string, password: string) => given.visitor().post("/password/reset", { token, password });
      assertRefused(await reset(first, "Third-kettle-3-walks"), 401, "invalid_token");
      assertStatus(await given.visitor().post("/sign-in", { email, password: PASSWORD }), 200);
      assertStatus(await reset(second, OTHER_PASSWORD), 200);
    },
  },
  {
    title: "a reset ends API keys",
    shows: ["mail 8"],
    async run(given) {
      const { email, visitor } = await given.person();
      const key = textIn(assertStatus(await visitor.post("/api-keys", { name: "deploy" }), 200).body, "key");
      assertStatus(await given.visitor().get("/me", bearer(key)), 200);
      const token = await resetTokenFor(given, email);
      assertStatus(await given.visitor().post("/password/reset", { token, password: OTHER_PASSWORD }), 200);
      assertRefused(await given.visitor().get("/me", bearer(key)), 401);
    },
  },
  {
    title: "a token for one purpose is nothing for another, and is not spent there",
    shows: ["mail 11", "more 7"],
    options: { confirmation: true },
    async run(given) {
      const { address, signIn } = await unconfirmed(given);
      const confirmation = await given.mailedToken(address);
      assertRefused(await given.visitor().post("/password/reset", { token: confirmation, password: OTHER_PASSWORD }), 401, "invalid_token");
      assertStatus(await given.visitor().post("/email/confirm", { token: confirmation }), 200);
      const reset = await resetTokenFor(given, address);
      assertRefused(await given.visitor().post("/email/confirm", { token: reset }), 401, "invalid_token");
      assertStatus(await given.visitor().post("/password/reset", { token: reset, password: OTHER_PASSWORD }), 200);
      assertStatus(await signIn(OTHER_PASSWORD), 200);
    },
  },
  {
    title: "what is no token is refused with 401, and changes no password",
    shows: ["mail 12", "mail 13", "more 7"],
    async run({ person, visitor }) {
      const { email } = await person();
      assertRefused(await visitor().post("/email/confirm", { token: MALFORMED }), 401, "invalid_token");
      assertRefused(await visitor().post("/password/reset", { token: MALFORMED, password: OTHER_PASSWORD }), 401, "invalid_token");
      assertRefused(await visitor().post("/password/reset", { token: "f".repeat(64), password: OTHER_PASSWORD }), 401, "invalid_token");
      assertRefused(await visitor().post("/password/reset", { token: MALFORMED, password: "short" }), 401, "invalid_token");
      assertStatus(await visitor().post("/sign-in", { email, password: PASSWORD }), 200);
      assertRefused(await visitor().post("/sign-in", { email, password: OTHER_PASSWORD }), 401);
    },
  },
  {
    title: "a password that is too weak is refused before the token is spent",
    shows: ["more 7"],
    async run(given) {
      const { email } = await given.person();
      const token = await resetTokenFor(given, email);
      assertRefused(await given.visitor().post("/password/reset", { token, password: "short" }), 400, "weak_password");
      assertStatus(await given.visitor().post("/password/reset", { token, password: OTHER_PASSWORD }), 200);
    },
  },
  {
    title: "asking for a link is answered alike for known, unknown and confirmed addresses, and refused for what is none",
    shows: ["more 8"],
    options: { confirmation: true },
    needs: ["clock"],
    async run(given) {
      const { visitor, advance, email, person } = given;
      const known = [(await unconfirmed(given)).address, (await person()).email];
      await advance(3600);
      for (const [path, message] of [
        ["/password/forgot", "If an account exists with that email, a password reset link has been sent."],
        ["/email/confirm/send", "If an account exists with that email, a confirmation link has been sent."],
      ] as const) {
        const answers = [];
        for (const address of [email(), ...known]) {
          const answer = assertStatus(await visitor().post(path, { email: address }), 200);
          answers.push({ body: answer.body, headers: [...answer.headers.keys()].sort() });
        }
        for (const answer of answers) assert.deepEqual(answer, { ...answers[0], body: { message } });
        assertRefused(await visitor().post(path, { email: "not-an-address" }), 400, "invalid_email");
      }
    },
  },
];
