import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { assertRefused, assertStatus, bearer, PASSWORD, type AuthCase, type Given } from "./case.ts";
import { fieldsIn, textIn } from "./visitor.ts";

/** Signs somebody up by a transport whose tokens are in the answer. */
async function native({ visitor, email }: Given) {
  const { body } = assertStatus(await visitor().post("/sign-up", { email: email(), password: PASSWORD, transport: "bearer" }), 200);
  return { body, token: textIn(body, "access_token"), refreshToken: textIn(body, "refresh_token") };
}

const decoded = (part = "") => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Access tokens: what they say, and what is none. */
export const accessTokenCases: readonly AuthCase[] = [
  {
    title: "an access token says who, of which session, by whom, for whom and how long; a refresh keeps the session and changes the token",
    shows: ["sessions 3", "sessions 6"],
    needs: ["clock"],
    async run(given) {
      const { body, token, refreshToken } = await native(given);
      const claims = decoded(token.split(".")[1]);
      for (const name of ["iss", "aud", "sub", "sid", "jti"]) assert.equal(typeof claims[name], "string", name);
      assert.equal(claims["sub"], fieldsIn(body, "user")["id"]);
      assert.equal(claims["sid"], fieldsIn(body, "session")["id"]);
      assert.equal(claims["aud"], "https://api.example.com");
      assert.equal(claims["type"], "access");
      assert.equal(claims["nbf"], claims["iat"]);
      assert.equal(Number(claims["exp"]) - Number(claims["iat"]), given.server.ttl.access);
      assert.equal(body["expires_in"], given.server.ttl.access);

      await given.advance(30);
      const refreshed = assertStatus(await given.visitor().post("/refresh", { refresh_token: refreshToken }), 200);
      const next = decoded(textIn(refreshed.body, "access_token").split(".")[1]);
      assert.deepEqual([next["sub"], next["sid"]], [claims["sub"], claims["sid"]]);
      assert.equal(Number(next["iat"]) - Number(claims["iat"]), 30);
      assert.notEqual(next["jti"], claims["jti"]);
    },
  },
  {
    title: "an access token holds by the published keys, for who knows nothing else of the server",
    shows: ["tokens 7"],
    async run(given) {
      const { token } = await native(given);
      const [head = "", payload = "", signature = ""] = token.split(".");
      const header = decoded(head);
      assert.deepEqual(Object.keys(header).sort(), ["alg", "kid", "typ"]);
      assert.equal(header["typ"], "at+jwt");
      const { keys } = (await given.visitor().get("/.well-known/jwks.json")).body as unknown as { keys: Record<string, string>[] };
      const jwk = keys.find(({ kid }) => kid === header["kid"]);
      assert.ok(jwk, "the key that signed is published");
      assert.equal("d" in jwk, false, "and not its private half");
      assert.equal(jwk["alg"], "EdDSA");
      const key = createPublicKey({ key: jwk, format: "jwk" });
      assert.ok(verify(null, Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, "base64url")), "the signature holds");
    },
  },
  {
    title: "the header is `Bearer` and one token, in any case; anything else is refused, or is no credential at all",
    shows: ["tokens 2", "more 8"],
    async run(given) {
      const { token } = await native(given);
      const me = (authorization: string) => given.visitor().get("/me", { authorization });
      for (const scheme of ["Bearer", "bearer", "BEARER"]) assertStatus(await me(`${scheme} ${token}`), 200);
      for (const header of ["Bearer", "Bearer ", "boom", `Bearer: ${token}`, `Bearer ${token} ${token}`, token])
        assertRefused(await me(header), 401);
      // A scheme that is not ours breaks no public route.
      const basic = { authorization: `Basic ${Buffer.from("ada:secret").toString("base64")}` };
      assertStatus(await given.visitor().post("/sign-up", { email: given.email(), password: PASSWORD }, basic), 200);
    },
  },
  {
    title: "a token that was tampered with, says another algorithm or none, or is signed by its own key, is refused",
    shows: ["tokens 2", "tokens 7", "more 8"],
    async run(given) {
      const { token, body } = await native(given);
      const [head = "", payload = "", signature = ""] = token.split(".");
      const admin = encoded({ ...decoded(payload), roles: ["admin"] });
      const header = decoded(head);
      const forged = [
        `${head}.${admin}.${signature}`,
        `${head}.${payload}.${"A".repeat(signature.length)}`,
        `${encoded({ ...header, alg: "none" })}.${payload}.`,
        `${encoded({ ...header, alg: "none" })}.${payload}.${signature}`,
        `${encoded({ ...header, alg: "HS256" })}.${payload}.${signature}`,
        `${encoded({ ...header, kid: "another" })}.${payload}.${signature}`,
        `${head}.${payload}`,
      ];
      for (const text of forged) assertRefused(await given.visitor().get("/me", bearer(text)), 401, "invalid_token");
      assertRefused(await given.visitor().get("/me", bearer(textIn(body, "refresh_token"))), 401, "invalid_token");
      assertStatus(await given.visitor().get("/me", bearer(token)), 200);
    },
  },
  {
    title: "a tampered access cookie is nobody's, and leaves the refresh cookie alone, so that its owner goes on",
    shows: ["more 8"],
    async run({ server, person }) {
      const { visitor } = await person();
      const real = visitor.cookies.get(server.cookies.access) ?? "";
      visitor.cookies.set(server.cookies.access, `${real.slice(0, -6)}AAAAAA`);
      assertRefused(await visitor.get("/me"), 401);
      const refreshed = assertStatus(await visitor.post("/refresh"), 200);
      assert.equal(refreshed.cookies.length, 2);
      assertStatus(await visitor.get("/me"), 200);
    },
  },
  {
    title: "a token for another audience is refused",
    shows: ["more 8"],
    async run(given) {
      const other = await given.open({ audience: "https://other.example.com" });
      const { token } = await native(other);
      assertStatus(await other.visitor().get("/me", bearer(token)), 200);
      assertRefused(await given.visitor().get("/me", bearer(token)), 401, "invalid_token");
    },
  },
  {
    title: "an access token holds up to its end and a few seconds of leeway, then no more",
    shows: ["tokens 3"],
    needs: ["clock"],
    async run(given) {
      const { token } = await native(given);
      const me = () => given.visitor().get("/me", bearer(token));
      await given.advance(given.server.ttl.access - 1);
      assertStatus(await me(), 200);
      await given.advance(1 + 4);
      assertStatus(await me(), 200);
      await given.advance(2);
      assertRefused(await me(), 401, "invalid_token");
    },
  },
];
