import assert from "node:assert/strict";
import { assertCookies, assertRefused, assertStatus, OTHER_PASSWORD, PASSWORD, type AuthCase } from "./case.ts";
import { fieldsIn } from "./visitor.ts";

/** Proving a password. */
export const signInCases: readonly AuthCase[] = [
  {
    title: "the right password sets exactly two cookies, and says who is signed in and since when",
    shows: ["sign-in 1", "more 1", "more 2"],
    needs: ["clock"],
    async run({ server, person, visitor, advance }) {
      const { email, password, answer: before } = await person();
      await advance(60);

      const answer = assertStatus(await visitor().post("/sign-in", { email, password }), 200);

      assertCookies(answer, server.cookies, "set");
      assert.equal(fieldsIn(answer.body, "user")["email"], email);
      const since = (of: typeof answer) => Date.parse(String(fieldsIn(of.body, "session")["authenticated_at"]));
      assert.equal(since(answer) - since(before), 60_000);
    },
  },
  {
    title: "a wrong password is refused with 401, without cookies",
    shows: ["sign-in 2"],
    async run({ person, visitor }) {
      const { email } = await person();
      assertRefused(await visitor().post("/sign-in", { email, password: OTHER_PASSWORD }), 401, "invalid_credentials");
    },
  },
  {
    title: "an address with SQL in it is refused with 400",
    shows: ["sign-in 3"],
    async run({ person, visitor }) {
      await person();
      assertRefused(await visitor().post("/sign-in", { email: "' OR '1'='1--@example.com", password: PASSWORD }), 400, "invalid_email");
    },
  },
  {
    title: "a password with SQL in it is text: it is wrong, and the session that is there goes on",
    shows: ["sign-in 4", "more 2"],
    async run({ person, visitor }) {
      const ada = await person();
      const before = (await ada.visitor.get("/sessions")).body;
      assertRefused(await visitor().post("/sign-in", { email: ada.email, password: "' OR '1'='1'; --" }), 401);
      assert.deepEqual((await ada.visitor.get("/sessions")).body, before);
      assertStatus(await ada.visitor.post("/refresh"), 200);
    },
  },
  {
    title: "signing in again ends the earlier session, where there may be one at a time",
    shows: ["sign-in 5", "more 3"],
    async run({ person, visitor }) {
      const ada = await person();
      const again = visitor();
      assertStatus(await again.post("/sign-in", { email: ada.email, password: ada.password }), 200);
      assertRefused(await ada.visitor.post("/refresh"), 401);
      assertStatus(await again.post("/refresh"), 200);
    },
  },
  {
    title: "a password that was reset between its proof and the session makes no session",
    shows: ["sign-in 6", "more 3"],
    needs: ["inside"],
    async run({ person, visitor, inside, mailedToken }) {
      const { email, password } = await person();
      const made = await inside.signInAround({ email, password }, async () => {
        assertStatus(await visitor().post("/password/forgot", { email }), 200);
        const token = await mailedToken(email);
        assertStatus(await visitor().post("/password/reset", { token, password: OTHER_PASSWORD }), 200);
      });
      assert.equal(made, false);
      assert.equal(await inside.sessions(email), 0);
    },
  },
  {
    title: "two devices stay signed in side by side, and signing one out leaves the other",
    shows: ["more 8", "sessions 5"],
    options: { policy: "multi" },
    async run({ person, visitor }) {
      const ada = await person();
      const phone = visitor();
      assertStatus(await phone.post("/sign-in", { email: ada.email, password: ada.password }), 200);
      assert.equal((await phone.get("/sessions")).body.length, 2);
      assertStatus(await ada.visitor.post("/sign-out"), 200);
      assertStatus(await phone.post("/refresh"), 200);
      assert.equal((await phone.get("/sessions")).body.length, 1);
    },
  },
  {
    title: "guessing is slowed down: the sixth wrong password in a row is answered 429 and when to come back",
    shows: ["more 8"],
    needs: ["clock"],
    async run({ person, visitor, advance }) {
      const { email, password } = await person();
      for (let guess = 0; guess < 5; guess += 1) {
        assertRefused(await visitor().post("/sign-in", { email, password: OTHER_PASSWORD }), 401);
      }
      const slowed = assertRefused(await visitor().post("/sign-in", { email, password }), 429, "rate_limited");
      const wait = Number(slowed.headers.get("retry-after"));
      assert.ok(Number.isInteger(wait) && wait > 0, "Retry-After says how many seconds to wait");
      await advance(wait);
      assertStatus(await visitor().post("/sign-in", { email, password }), 200);
    },
  },
  {
    title: "an unknown address is refused as a wrong password is",
    shows: ["more 8"],
    async run({ person, visitor, email }) {
      const { email: known } = await person();
      const answers = [];
      for (const address of [known, email()]) {
        const { status, body, headers } = await visitor().post("/sign-in", { email: address, password: OTHER_PASSWORD });
        answers.push({ status, body, headers: [...headers.keys()].sort() });
      }
      assert.deepEqual(answers[0], answers[1]);
    },
  },
];
