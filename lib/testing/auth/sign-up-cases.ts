import assert from "node:assert/strict";
import { assertCookies, assertRefused, assertStatus, OTHER_PASSWORD, PASSWORD, type AuthCase } from "./case.ts";
import { fieldsIn } from "./visitor.ts";

/** Becoming a user with a password. */
export const signUpCases: readonly AuthCase[] = [
  {
    title: "signing up makes the user and sets exactly two cookies, under the names that are configured",
    shows: ["sign-up 1", "more 1"],
    async run({ server, visitor, email }) {
      const [ada, address] = [visitor(), email()];

      const answer = assertStatus(await ada.post("/sign-up", { email: address, password: PASSWORD }), 200);

      assertCookies(answer, server.cookies, "set");
      const user = fieldsIn(answer.body, "user");
      assert.equal(user["email"], address);
      assert.equal(user["email_confirmed_at"], null);
      assert.ok(Number.isFinite(Date.parse(String(user["created_at"]))), "created_at is an instant");
      const me = assertStatus(await ada.get("/me"), 200);
      for (const field of ["id", "email", "email_confirmed_at", "created_at"]) assert.deepEqual(me.body[field], user[field], field);
    },
  },
  {
    title: "an address that somebody has is refused with 409",
    shows: ["sign-up 2"],
    async run({ visitor, person }) {
      const { email } = await person();
      assertRefused(await visitor().post("/sign-up", { email, password: OTHER_PASSWORD }), 409);
      assertStatus(await visitor().post("/sign-in", { email, password: PASSWORD }), 200);
      assertRefused(await visitor().post("/sign-in", { email, password: OTHER_PASSWORD }), 401);
    },
  },
  ...(
    [
      ["what is no address", "not-an-address", "sign-up 3"],
      ["an address with a quote that would end a string in SQL", "' OR '1'='1--@example.com", "sign-up 4"],
    ] as const
  ).map(([what, address, shown]): AuthCase => ({
    title: `${what} is refused with 400, and nothing is kept`,
    shows: [shown, "more 2"],
    needs: ["inside"],
    async run({ visitor, inside }) {
      assertRefused(await visitor().post("/sign-up", { email: address, password: PASSWORD }), 400, "invalid_email");
      assert.equal(await inside.users(), 0);
    },
  })),
  {
    title: "an address with a single quote is taken as it is",
    shows: ["sign-up 5"],
    async run({ visitor }) {
      const address = "o'hara+sign-up@example.com";
      const ada = visitor();
      const answer = assertStatus(await ada.post("/sign-up", { email: address, password: PASSWORD }), 200);
      assert.equal(fieldsIn(answer.body, "user")["email"], address);
      assert.equal((await ada.get("/me")).body["email"], address);
      assertStatus(await visitor().post("/sign-in", { email: address, password: PASSWORD }), 200);
    },
  },
  {
    title: "a password that is too weak is refused with 400, without cookies, and no user is made",
    shows: ["sign-up 6", "more 2"],
    needs: ["inside"],
    async run({ visitor, inside, email }) {
      const address = email();
      assertRefused(await visitor().post("/sign-up", { email: address, password: "Kettle7" }), 400, "weak_password");
      assertRefused(await visitor().post("/sign-up", { email: address, password: "x7".repeat(300) }), 400);
      assert.equal(await inside.users(), 0);
    },
  },
  {
    title: "of two who sign up with one address at once one is let in, and there is one user",
    shows: ["sign-up 7"],
    async run({ server, visitor, email }) {
      const address = email();
      const passwords = [PASSWORD, OTHER_PASSWORD];

      const answers = await Promise.all(passwords.map((password) => visitor().post("/sign-up", { email: address, password })));

      assert.deepEqual(
        answers.map(({ status }) => status).sort((a, b) => a - b),
        [200, 409],
      );
      for (const answer of answers) {
        if (answer.status === 200) assertCookies(answer, server.cookies, "set");
        else assertRefused(answer, 409);
      }
      const later = await Promise.all(passwords.map((password) => visitor().post("/sign-in", { email: address, password })));
      assert.deepEqual(
        later.map(({ status }) => status),
        answers.map(({ status }) => (status === 200 ? 200 : 401)),
      );
    },
  },
  {
    title: "spaces around an address and its capitals make no other address",
    shows: ["more 8"],
    async run({ visitor, email }) {
      const address = email("ada");
      const typed = `  ${address.toUpperCase()} `;
      const answer = assertStatus(await visitor().post("/sign-up", { email: typed, password: PASSWORD }), 200);
      assert.equal(fieldsIn(answer.body, "user")["email"], address);
      assertRefused(await visitor().post("/sign-up", { email: address, password: PASSWORD }), 409);
      assertStatus(await visitor().post("/sign-in", { email: typed, password: PASSWORD }), 200);
    },
  },
];
