import assert from "node:assert/strict";
import { assertRefused, assertStatus, bearer, type AuthCase, type Person } from "./case.ts";
import { textIn } from "./visitor.ts";

async function keyOf({ visitor }: Person, name = "deploy") {
  const { body } = assertStatus(await visitor.post("/api-keys", { name }), 200);
  return { id: textIn(body, "id"), key: textIn(body, "key"), body };
}

/** How long a use may take to be noted: it is none of the request's business. */
const NOTED = 5000;

/** Keys of programs. */
export const apiKeyCases: readonly AuthCase[] = [
  {
    title: "a key is made, listed without its secret, used, and ended at once",
    shows: ["api-keys 1", "more 6"],
    async run({ person, visitor }) {
      const ada = await person();
      const { id, key, body } = await keyOf(ada);
      assert.equal(body["name"], "deploy");
      assert.equal(body["last_used_at"], null);
      assert.ok(key.includes(textIn(body, "key_prefix")), "the prefix is of the key");

      const list = async () => (await ada.visitor.get("/api-keys")).body as unknown as Record<string, unknown>[];
      assert.deepEqual(
        (await list()).map((each) => [each["id"], each["name"], each["last_used_at"], "key" in each]),
        [[id, "deploy", null, false]],
      );
      assert.equal((await visitor().get("/me", bearer(key))).body["email"], ada.email);
      const until = Date.now() + NOTED;
      while ((await list())[0]?.["last_used_at"] === null && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(Number.isFinite(Date.parse(String((await list())[0]?.["last_used_at"]))), "last_used_at is set by the first use");

      assert.equal(assertStatus(await ada.visitor.delete(`/api-keys/${id}`), 200).body["id"], id);
      assert.deepEqual(await list(), []);
      assertRefused(await visitor().get("/me", bearer(key)), 401);
    },
  },
  {
    title: "a key counts, and not the cookies beside it",
    shows: ["api-keys 2", "more 6"],
    async run({ person }) {
      const [ada, eve] = [await person("ada"), await person("eve")];
      const { key } = await keyOf(ada);
      assert.equal((await eve.visitor.get("/me")).body["email"], eve.email);
      assert.equal((await eve.visitor.get("/me", bearer(key))).body["email"], ada.email);
    },
  },
  {
    title: "a key that is well formed and nobody's is refused with 401, also beside good cookies",
    shows: ["api-keys 3", "more 6"],
    async run({ person, visitor }) {
      const ada = await person();
      const { id, key } = await keyOf(ada);
      assertStatus(await ada.visitor.delete(`/api-keys/${id}`), 200);
      for (const unknown of [key, `sk-${"0123456789abcdef".repeat(4)}`]) {
        assertRefused(await visitor().get("/me", bearer(unknown)), 401);
        assertRefused(await ada.visitor.get("/me", bearer(unknown)), 401);
      }
    },
  },
  {
    title: "the name of a key is trimmed, and must not be empty",
    shows: ["more 8"],
    async run({ person }) {
      const ada = await person();
      assert.equal((await keyOf(ada, "  deploy ")).body["name"], "deploy");
      for (const name of ["", "   "]) assertRefused(await ada.visitor.post("/api-keys", { name }), 400);
    },
  },
  {
    title: "somebody else's key is as if it were not there: 404, and it goes on",
    shows: ["more 8"],
    async run({ person, visitor }) {
      const [ada, eve] = [await person("ada"), await person("eve")];
      const { id, key } = await keyOf(ada);
      assertRefused(await eve.visitor.delete(`/api-keys/${id}`), 404);
      assert.deepEqual((await eve.visitor.get("/api-keys")).body, []);
      assertStatus(await visitor().get("/me", bearer(key)), 200);
    },
  },
  {
    title: "a key manages neither keys nor sessions nor passwords",
    shows: ["more 6"],
    async run({ person, visitor }) {
      const ada = await person();
      const { id, key } = await keyOf(ada);
      const robot = visitor();
      assertRefused(await robot.post("/api-keys", { name: "another" }, bearer(key)), 403);
      assertRefused(await robot.get("/api-keys", bearer(key)), 403);
      assertRefused(await robot.delete(`/api-keys/${id}`, bearer(key)), 403);
      assertRefused(await robot.get("/sessions", bearer(key)), 403);
      assertRefused(await robot.post("/password/change", { password: "Another-kettle-8" }, bearer(key)), 403);
      assertStatus(await robot.get("/me", bearer(key)), 200);
    },
  },
];
