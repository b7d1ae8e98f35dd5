import assert from "node:assert/strict";
import { assertCookies, assertRefused, assertStatus, OTHER_PASSWORD, type AuthCase } from "./case.ts";
import { fieldsIn } from "./visitor.ts";

/** Access tokens that end, and refresh tokens that each count once. */
export const refreshCases: readonly AuthCase[] = [
  {
    title: "a guarded route takes no refresh cookie alone, and renews nothing by itself",
    shows: ["refresh 1", "more 4"],
    async run({ server, person }) {
      const { visitor } = await person();
      visitor.cookies.delete(server.cookies.access);
      for (const path of ["/me", "/api-keys", "/sessions"]) assertRefused(await visitor.get(path), 401);
      assertStatus(await visitor.post("/refresh"), 200);
    },
  },
  {
    title: "an access token that has expired is refused with 401, also beside a refresh token",
    shows: ["refresh 2", "more 4"],
    needs: ["clock"],
    async run({ server, person, advance }) {
      const { visitor } = await person();
      await advance(server.ttl.access + 10);
      for (const path of ["/me", "/api-keys"]) assertRefused(await visitor.get(path), 401);
      assertStatus(await visitor.post("/refresh"), 200);
      assertStatus(await visitor.get("/me"), 200);
    },
  },
  {
    title: "a refresh by the refresh cookie alone sets both cookies anew, and says who it is",
    shows: ["refresh 3", "more 1", "more 4"],
    async run({ server, person }) {
      const { visitor, answer: signedIn } = await person();
      visitor.cookies.delete(server.cookies.access);
      const answer = assertStatus(await visitor.post("/refresh"), 200);
      assertCookies(answer, server.cookies, "set");
      assert.deepEqual(answer.body["user"], signedIn.body["user"]);
      assertStatus(await visitor.get("/me"), 200);
    },
  },
  {
    title: "a refresh token that has expired is refused with 401",
    shows: ["refresh 4"],
    needs: ["clock"],
    async run({ server, person, advance }) {
      const { visitor } = await person();
      await advance(server.ttl.refresh);
      assertRefused(await visitor.post("/refresh"), 401);
    },
  },
  {
    title: "a refresh token whose session was ended is refused with 401",
    shows: ["refresh 5"],
    async run({ person }) {
      const { visitor, answer } = await person();
      assertStatus(await visitor.delete(`/sessions/${String(fieldsIn(answer.body, "session")["id"])}`), 200);
      assert.deepEqual([...visitor.cookies.keys()], []);
      for (const { name, value } of answer.cookies) visitor.cookies.set(name, value);
      assertRefused(await visitor.post("/refresh"), 401);
    },
  },
  {
    title: "a refresh token counts once: the one replaced is refused, and the new one goes on",
    shows: ["refresh 6", "more 4"],
    async run({ server, person }) {
      const { visitor } = await person();
      const first = visitor.cookies.get(server.cookies.refresh) ?? "";
      assertStatus(await visitor.post("/refresh"), 200);
      const second = visitor.cookies.get(server.cookies.refresh) ?? "";
      assert.notEqual(second, first);
      visitor.cookies.set(server.cookies.refresh, first);
      assertRefused(await visitor.post("/refresh"), 401);
      visitor.cookies.set(server.cookies.refresh, second);
      assertStatus(await visitor.post("/refresh"), 200);
    },
  },
  {
    title: "of two refreshes by one token at once one wins, and goes on",
    shows: ["refresh 7", "more 4"],
    async run({ server, person, visitor }) {
      const ada = await person();
      const token = ada.visitor.cookies.get(server.cookies.refresh) ?? "";
      const racers = [visitor(), visitor()];
      for (const racer of racers) racer.cookies.set(server.cookies.refresh, token);

      const answers = await Promise.all(racers.map((racer) => racer.post("/refresh")));

      assert.deepEqual(
        answers.map(({ status }) => status).sort((a, b) => a - b),
        [200, 401],
      );
      const winner = racers[answers.findIndex(({ status }) => status === 200)];
      assert.equal((await winner?.post("/refresh"))?.status, 200);
    },
  },
  {
    title: "of two refreshes by one token at once from code one wins",
    shows: ["refresh 8", "more 4"],
    needs: ["inside"],
    async run({ server, person, inside }) {
      const { visitor } = await person();
      const token = visitor.cookies.get(server.cookies.refresh) ?? "";
      const taken = await Promise.all([inside.refresh(token), inside.refresh(token)]);
      assert.deepEqual(taken.sort(), [false, true]);
    },
  },
  {
    title: "a password that is reset while others refresh leaves no refresh token that counts",
    shows: ["more 8"],
    async run({ server, person, visitor, mailedToken }) {
      const { email, visitor: ada } = await person();
      assertStatus(await visitor().post("/password/forgot", { email }), 200);
      const token = await mailedToken(email);
      const racers = Array.from({ length: 5 }, () => visitor());
      for (const racer of racers) racer.cookies.set(server.cookies.refresh, ada.cookies.get(server.cookies.refresh) ?? "");

      const [reset] = await Promise.all([
        visitor().post("/password/reset", { token, password: OTHER_PASSWORD }),
        ...racers.map((racer) => racer.post("/refresh")),
      ]);

      assertStatus(reset, 200);
      for (const racer of [...racers, ada]) assertRefused(await racer.post("/refresh"), 401);
    },
  },
];
