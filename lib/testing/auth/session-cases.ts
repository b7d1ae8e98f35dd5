import assert from "node:assert/strict";
import { assertRefused, assertStatus, bearer, names, type AuthCase, type Given, type Person } from "./case.ts";
import { fieldsIn, textIn, type Answer } from "./visitor.ts";

const DAY = 86_400;

/** Signs in by a transport that is asked for; with what a browser says of itself, if it is one. */
async function signIn({ visitor }: Given, { email, password }: Person, transport: string, browser = false): Promise<Answer> {
  const headers = browser ? { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" } : {};
  return await visitor().post("/sign-in", { email, password, transport }, headers);
}

const maxAge = ({ cookies }: Answer, name: string) => Number(cookies.find((cookie) => cookie.name === name)?.attributes.get("max-age"));

/** Sessions whose credentials are tokens: how long they last, and how they travel. */
export const sessionCases: readonly AuthCase[] = [
  {
    title: "no token and no cookie outlives its session, whose end no refresh moves",
    shows: ["sessions 1", "sessions 3"],
    needs: ["clock"],
    async run({ server, person, advance }) {
      const { access, refresh, session } = server.ttl;
      const { visitor, answer: signedIn } = await person();
      assert.equal(maxAge(signedIn, server.cookies.access), Math.min(access, session));
      assert.equal(maxAge(signedIn, server.cookies.refresh), Math.min(refresh, session));
      let left = session;
      const go = async (seconds: number) => {
        left -= seconds;
        await advance(seconds);
      };
      while (left > refresh - DAY) {
        await go(Math.min(refresh - DAY, left - 10));
        const answer = assertStatus(await visitor.post("/refresh"), 200);
        assert.ok(maxAge(answer, server.cookies.refresh) <= left, "the refresh cookie ends with the session");
      }
      if (left > 10) await go(left - 10);
      const last = assertStatus(await visitor.post("/refresh"), 200);
      for (const name of [server.cookies.access, server.cookies.refresh])
        assert.ok(maxAge(last, name) <= 10, `${name} ends with the session`);
      await go(10);
      assertRefused(await visitor.post("/refresh"), 401);
    },
  },
  {
    title: "cookies of tokens go where they are asked for alone, by https alone where that is spoken, and are cleared as they were set",
    shows: ["more 1", "sessions 4"],
    async run({ server, person }) {
      const { visitor, answer: signedIn } = await person();
      const refreshed = assertStatus(await visitor.post("/refresh"), 200);
      const signedOut = assertStatus(await visitor.post("/sign-out"), 200);
      const whereto = (answer: Answer, name: string) => {
        const attributes = answer.cookies.find((cookie) => cookie.name === name)?.attributes;
        assert.ok(attributes, `${name} is in the answer`);
        assert.match(String(attributes.get("samesite")), /^(?:lax|strict)$/i);
        assert.equal(attributes.has("secure"), server.url.startsWith("https:"), `${name} is Secure where https is spoken`);
        return ["path", "domain", "samesite"].map((attribute) => attributes.get(attribute));
      };
      for (const [name, path] of [
        [server.cookies.access, /^\/$/],
        [server.cookies.refresh, /^\/auth(?:\/|$)/],
      ] as const) {
        const set = whereto(signedIn, name);
        assert.match(String(set[0]), path, `the path of ${name}`);
        assert.equal(set[1], undefined, `${name} is of one host`);
        assert.deepEqual(whereto(refreshed, name), set);
        assert.deepEqual(whereto(signedOut, name), set, `${name} is cleared where it was set, or browsers keep it`);
      }
    },
  },
  {
    title: "a refresh keeps the session: its id, its user, when it began and was authenticated",
    shows: ["sessions 3"],
    needs: ["clock"],
    async run({ person, advance }) {
      const { visitor, answer } = await person();
      const before = fieldsIn(answer.body, "session");
      await advance(100);
      const refreshed = assertStatus(await visitor.post("/refresh"), 200);
      assert.deepEqual(refreshed.body["user"], answer.body["user"]);
      const [after] = (await visitor.get("/sessions")).body as unknown as Record<string, unknown>[];
      for (const field of ["id", "created_at", "authenticated_at", "methods"]) assert.deepEqual(after?.[field], before[field], field);
      assert.equal(Date.parse(String(after?.["expires_at"])) - Date.parse(String(before["expires_at"])), 100_000);
    },
  },
  {
    title: "tokens in bodies are refused to browsers before anything is kept; cookies are not, nor are bodies to programs",
    shows: ["sessions 2"],
    needs: ["inside"],
    options: { policy: "multi" },
    async run(given) {
      const ada = await given.person();
      const before = await given.inside.sessions(ada.email);
      assertRefused(await signIn(given, ada, "bearer", true), 400, "insecure_token_transport");
      assert.equal(await given.inside.sessions(ada.email), before);
      for (const transport of ["cookie", "split"]) assertStatus(await signIn(given, ada, transport, true), 200);
      assertStatus(await signIn(given, ada, "bearer"), 200);
    },
  },
  {
    title: "tokens in bodies are given to browsers where that is allowed",
    shows: ["sessions 2"],
    options: { tokensInBrowsers: true },
    async run(given) {
      const answer = assertStatus(await signIn(given, await given.person(), "bearer", true), 200);
      assert.equal(textIn(answer.body, "access_token").split(".").length, 3);
    },
  },
  {
    title: "how a session's tokens travel is settled at sign-in: a refresh changes it not",
    shows: ["sessions 1"],
    options: { policy: "multi" },
    async run(given) {
      const { server, visitor } = given;
      const ada = await given.person();
      const native = textIn(assertStatus(await signIn(given, ada, "bearer"), 200).body, "refresh_token");
      const browser = ada.visitor.cookies.get(server.cookies.refresh) ?? "";
      assertRefused(await visitor().post("/refresh", { refresh_token: browser }), 401);
      const thief = visitor();
      thief.cookies.set(server.cookies.refresh, native);
      assertRefused(await thief.post("/refresh"), 401);

      const refreshed = assertStatus(await visitor().post("/refresh", { refresh_token: native }), 200);
      assert.deepEqual(names(refreshed), []);
      assert.notEqual(textIn(refreshed.body, "refresh_token"), native);
      assertStatus(await ada.visitor.post("/refresh"), 200);
    },
  },
  {
    title: "`split` leaves two parts of the access token to scripts, and the third in a cookie they cannot read",
    shows: ["sessions 4"],
    async run(given) {
      const { server, visitor } = given;
      const answer = assertStatus(await signIn(given, await given.person(), "split"), 200);
      const half = textIn(answer.body, "access_token");
      assert.equal(half.split(".").length, 2);
      assert.equal("refresh_token" in answer.body, false);
      const access = answer.cookies.find(({ name }) => name === server.cookies.access);
      assert.ok(access, "the access token's cookie is set");
      assert.ok(access.attributes.has("httponly"));
      assert.match(String(access.attributes.get("max-age")), /^\d+$/);
      assert.match(String(access.attributes.get("samesite")), /^(?:lax|strict)$/i);

      const browser = visitor();
      browser.cookies.set(access.name, access.value);
      assertStatus(await browser.get("/me", bearer(half)), 200);
      assertRefused(await browser.get("/me"), 401);
      assertRefused(await visitor().get("/me", bearer(half)), 401);
      browser.cookies.set(access.name, ".AAAA");
      assertRefused(await browser.get("/me", bearer(half)), 401);
    },
  },
  {
    title: "`cookie` leaves scripts no token at all",
    shows: ["sessions 4"],
    async run({ server, person }) {
      const { answer } = await person();
      assert.equal("access_token" in answer.body || "refresh_token" in answer.body || "token" in answer.body, false);
      assert.equal(answer.cookies.find(({ name }) => name === server.cookies.access)?.value.split(".").length, 3);
      const refresh = answer.cookies.find(({ name }) => name === server.cookies.refresh);
      assert.match(String(refresh?.attributes.get("samesite")), /^strict$/i);
    },
  },
  {
    title: "within the grace everybody who refreshes by one token gets the same successor; afterwards its return ends the session",
    shows: ["sessions 7"],
    options: { grace: 10, onReuse: "end" },
    needs: ["clock"],
    async run({ server, person, visitor, advance }) {
      const { visitor: ada } = await person();
      const name = server.cookies.refresh;
      const first = ada.cookies.get(name) ?? "";
      const tabs = Array.from({ length: 3 }, () => visitor());
      for (const tab of tabs) tab.cookies.set(name, first);

      for (const answer of await Promise.all(tabs.map((tab) => tab.post("/refresh")))) assertStatus(answer, 200);

      const successors = new Set(tabs.map((tab) => tab.cookies.get(name)));
      assert.equal(successors.size, 1);
      await advance(9);
      assertStatus(await ada.post("/refresh"), 200);
      assert.equal(ada.cookies.get(name), [...successors][0]);

      await advance(1);
      const thief = visitor();
      thief.cookies.set(name, first);
      assertRefused(await thief.post("/refresh"), 401, "refresh_token_reused");
      assertRefused(await ada.post("/refresh"), 401);
    },
  },
];
