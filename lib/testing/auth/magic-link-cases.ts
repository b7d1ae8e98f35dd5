import assert from "node:assert/strict";
import { assertRefused, assertStatus, type AuthCase, type Given } from "./case.ts";

/** Longer than a link that signs in holds. */
const TEN_MINUTES = 600;

/** Asks for a link from a browser of its own. */
async function linkFor({ visitor, server }: Given, email: string) {
  const asking = visitor();
  assertStatus(await asking.post("/magic/send", { email, link: true }), 200);
  const link = new URL(await server.mailbox.waitForLink(email));
  return { asking, pathname: link.pathname, token: link.searchParams.get("token") ?? "" };
}

/** Signing in by a link in a mail. */
export const magicLinkCases: readonly AuthCase[] = [
  {
    title: "opening the mailed link shows a page and signs nobody in: what scans mails must not",
    shows: ["links 1"],
    needs: ["codes"],
    async run(given) {
      const { asking, pathname, token } = await linkFor(given, given.email());
      assert.equal(pathname, "/auth/magic/link");
      for (const opened of [given.visitor(), asking, asking]) {
        const page = assertStatus(await opened.get(`/magic/link?token=${token}`, { accept: "text/html" }), 200);
        assert.match(String(page.headers.get("content-type")), /^text\/html/);
        assert.equal(page.headers.get("cache-control"), "no-store");
        assert.deepEqual(page.cookies, []);
        assertStatus(await opened.get("/me"), 401);
      }
      assertStatus(await asking.post("/magic/link", { token }), 200);
    },
  },
  {
    title: "posting the token of the mailed link signs in, also in another browser, as the user of that address",
    shows: ["links 2"],
    needs: ["codes"],
    async run(given) {
      const email = given.email();
      const { token } = await linkFor(given, email);
      const phone = given.visitor();
      assertStatus(await phone.post("/magic/link", { token }), 200);
      for (const name of Object.values(given.server.cookies)) assert.ok(phone.cookies.has(name), `${name} is set`);
      assert.equal(assertStatus(await phone.get("/me"), 200).body["email"], email);
    },
  },
  {
    title: "a link signs in once, however many press it at the same time",
    shows: ["links 3"],
    needs: ["codes"],
    async run(given) {
      const { token } = await linkFor(given, given.email());
      const answers = await Promise.all([1, 2, 3].map(() => given.visitor().post("/magic/link", { token })));
      assert.deepEqual(
        answers.map(({ status }) => status).sort((a, b) => a - b),
        [200, 401, 401],
      );
      assertRefused(await given.visitor().post("/magic/link", { token }), 401, "invalid_token");
    },
  },
  {
    title: "a link that has expired, was made for something else, or is none, is refused with 401, and shows a page that says so",
    shows: ["links 4"],
    needs: ["codes", "clock"],
    async run(given) {
      const { email } = await given.person();
      assertStatus(await given.visitor().post("/password/forgot", { email }), 200);
      const { token: expired } = await linkFor(given, given.email());
      const tokens = [expired, await given.mailedToken(email), "%%%not-a-valid-token%%%", "f".repeat(64)];
      await given.advance(TEN_MINUTES);
      for (const token of tokens) {
        assertRefused(await given.visitor().post("/magic/link", { token }), 401, "invalid_token");
        const page = assertStatus(
          await given.visitor().get(`/magic/link?token=${encodeURIComponent(token)}`, { accept: "text/html" }),
          401,
        );
        assert.match(String(page.headers.get("content-type")), /^text\/html/);
      }
    },
  },
  {
    title: "a newer link takes the place of the one before",
    shows: ["links 5"],
    needs: ["codes", "clock"],
    async run(given) {
      const email = given.email();
      const first = await linkFor(given, email);
      await given.advance(120);
      const second = await linkFor(given, email);
      assertRefused(await given.visitor().post("/magic/link", { token: first.token }), 401, "invalid_token");
      assertStatus(await given.visitor().post("/magic/link", { token: second.token }), 200);
    },
  },
  {
    title: "another site's form neither signs in by a link nor spends it",
    shows: ["links 6"],
    needs: ["codes"],
    async run(given) {
      const { token } = await linkFor(given, given.email());
      const elsewhere = { origin: "https://elsewhere.example", "sec-fetch-site": "cross-site" };
      assertRefused(await given.visitor().post("/magic/link", { token }, elsewhere), 403, "cross_site_request");
      assertStatus(await given.visitor().post("/magic/link", { token }), 200);
    },
  },
];
