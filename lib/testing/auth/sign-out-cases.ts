import assert from "node:assert/strict";
import { assertCookies, assertRefused, assertStatus, type AuthCase } from "./case.ts";

/** Leaving. */
export const signOutCases: readonly AuthCase[] = [
  {
    title: "signing out ends the session, says so, and clears exactly two cookies as they were set",
    shows: ["sign-out 1", "more 1"],
    async run({ server, person }) {
      const { visitor, answer: signedIn } = await person();
      const held = new Map(visitor.cookies);

      const answer = assertStatus(await visitor.post("/sign-out"), 200);

      assert.equal(answer.body["success"], true);
      assert.equal(typeof answer.body["message"], "string");
      assertCookies(answer, server.cookies, "cleared");
      for (const cleared of answer.cookies) {
        const set = signedIn.cookies.find(({ name }) => name === cleared.name);
        for (const attribute of ["path", "domain", "samesite"])
          assert.equal(cleared.attributes.get(attribute), set?.attributes.get(attribute), attribute);
      }
      for (const [name, value] of held) visitor.cookies.set(name, value);
      assertRefused(await visitor.post("/refresh"), 401);
    },
  },
  {
    title: "signing out without any credential is refused with 401",
    shows: ["sign-out 2", "more 5"],
    async run({ visitor }) {
      assertRefused(await visitor().post("/sign-out"), 401);
    },
  },
  {
    title: "a forged refresh token beside a real access cookie signs nobody out",
    shows: ["sign-out 3", "more 5"],
    async run({ server, person }) {
      const { visitor } = await person();
      const real = visitor.cookies.get(server.cookies.refresh) ?? "";
      for (const forged of ["f".repeat(64), `${real.slice(0, -8)}AAAAAAAA`]) {
        visitor.cookies.set(server.cookies.refresh, forged);
        assertRefused(await visitor.post("/sign-out"), 401);
      }
      visitor.cookies.set(server.cookies.refresh, real);
      assertStatus(await visitor.post("/refresh"), 200);
    },
  },
  {
    title: "signing out twice with the same cookies is refused the second time, with 401",
    shows: ["sign-out 4"],
    async run({ person }) {
      const { visitor } = await person();
      const held = new Map(visitor.cookies);
      assertStatus(await visitor.post("/sign-out"), 200);
      for (const [name, value] of held) visitor.cookies.set(name, value);
      assertRefused(await visitor.post("/sign-out"), 401);
    },
  },
];
