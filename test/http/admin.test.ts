import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AuthEvent } from "../../lib/core/events.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { apiKeyCollection } from "../../lib/core/api-key-record.ts";
import { codeCollection } from "../../lib/core/magic-code-record.ts";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { userCollection } from "../../lib/core/user-directory.ts";
import { ownerTag } from "../../lib/crypto/hash.ts";
import type { Collection, StoredRecord } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";

const LISTS = ["sessions", "users", "accounts", "api-keys", "codes"];

let app: Awaited<ReturnType<typeof startApp>>;
let cookie: string;
let events: AuthEvent[];

beforeEach(async () => {
  app = await startApp({ tokens: { audience: "https://api.example.com" }, passwords: { requireConfirmedEmail: false } });
  events = [];
  app.auth.events.on("*", (event) => events.push(event));
  await app.auth.users.create({ id: "root", email: "root@example.com", emailVerified: true });
  await app.auth.users.setRoles("root", ["admin"]);
  await app.auth.users.create({ id: "ada", email: "ada@example.com", emailVerified: true });
  cookie = `sid=${(await app.auth.sessions.create({ userId: "root" })).token}`;
});
afterEach(() => app.close());

const get = (path: string) => request(app.server).get(`/auth/admin/${path}`).set("cookie", cookie);
const end = (path: string) => request(app.server).delete(`/auth/admin/${path}`).set("cookie", cookie);
const acts = () => events.filter(({ type }) => type === "admin.acted").map(({ userId, details }) => [userId, details]);

/** Some of everything, of somebody who is no administrator. */
async function something() {
  const { session, token } = await app.auth.sessions.create({ userId: "ada", source: { ip: "192.0.2.1", userAgent: "curl/8" } });
  const { apiKey, key } = await app.auth.apiKeys.create({ userId: "ada", name: "ci" });
  await app.auth.passwords.signUp({
    email: "bob@example.com",
    password: "correct horse battery",
    source: { ip: null, userAgent: null },
    origin: "http://localhost",
  });
  await request(app.server).post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
  return { session, token, apiKey, key, code: await app.mailbox.waitForCode("ada@example.com") };
}

describe("the administrators' routes", () => {
  it("rule 32: are for administrators who authenticated lately, in a session", async () => {
    const { token, key } = await something();
    const { session: tokenSession } = await app.auth.sessions.create({ userId: "root", transport: "bearer" });
    const access = await app.auth.accessTokens!.issue(tokenSession);
    const { key: adminKey } = await app.auth.apiKeys.create({ userId: "root", name: "root's" });
    for (const list of LISTS) {
      const as = async (headers: Record<string, string>) => {
        const { status, body } = await request(app.server).get(`/auth/admin/${list}`).set(headers);
        return [status, body.code];
      };
      expect(await as({})).toEqual([401, "authentication_required"]);
      expect(await as({ cookie: `sid=${token}` })).toEqual([403, "insufficient_role"]);
      for (const bearer of [key, adminKey, access.token]) {
        expect(await as({ authorization: `Bearer ${bearer}` })).toEqual([403, "credential_not_allowed"]);
      }
      await get(list).expect(200);
    }
    app.clock.advance(601);
    for (const list of LISTS) expect((await get(list)).body.code).toBe("insufficient_user_authentication");
  });

  it("rule 34: are closed as soon as the role is gone", async () => {
    await app.auth.users.setRoles("root", []);
    expect((await get("users")).body.code).toBe("insufficient_role");
  });

  it("list everything, and no secret", async () => {
    const { session, token, apiKey, key, code } = await something();
    const answers = await Promise.all(
      LISTS.map(async (list) => (await get(list).expect(200)).body as { items: Record<string, unknown>[] }),
    );
    const [sessions, users, accounts, keys, codes] = answers;
    expect(sessions?.items).toContainEqual(expect.objectContaining({ id: session.id, user_id: "ada", ip: "192.0.2.1", expired: false }));
    expect(users?.items.map(({ email }) => email)).toEqual(
      expect.arrayContaining(["root@example.com", "ada@example.com", "bob@example.com"]),
    );
    expect(accounts?.items).toContainEqual(expect.objectContaining({ provider: "credential" }));
    expect(keys?.items).toContainEqual(expect.objectContaining({ id: apiKey.id, user_id: "ada", name: "ci" }));
    expect(codes?.items).toContainEqual(expect.objectContaining({ email: "ada@example.com", user_id: "ada", purpose: "sign_in" }));
    const text = JSON.stringify(answers);
    for (const secret of [token, key, code, cookie.slice(4), "$argon2"]) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/hash|secret|"mac"|"password"|sealed|refresh_token/i);
  });

  it("list in pages, all of it once", async () => {
    for (let n = 0; n < 7; n += 1) await app.auth.users.create({ id: `user-${n}` });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { id: string }[]; next_cursor: string | null } = (
        await get(`users?limit=2${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`).expect(200)
      ).body;
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(9);
    for (const query of ["limit=0", "limit=101", "limit=x", "cursor=", "cursor=abc", "cursor=-1", "cursor=%27%20OR%201", "offset=1"])
      await get(`users?${query}`).expect(400);
  });

  it("list the many sessions of many people in pages, all of them once", async () => {
    const users = Array.from({ length: 40 }, (_, n) => `person-${n}`);
    await Promise.all(users.flatMap((userId) => Array.from({ length: 12 }, () => app.auth.sessions.create({ userId }))));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { id: string }[]; next_cursor: string | null } = (
        await get(`sessions?limit=50${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`).expect(200)
      ).body;
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(481);
  });

  it("rule 44: end a session, all of a user's, a key, a code and a user, and tell who did", async () => {
    const { session, token, apiKey, key, code } = await something();
    await end(`sessions/${session.id}`).expect(200);
    await request(app.server).get("/auth/me").set("cookie", `sid=${token}`).expect(401);
    await end(`sessions/${session.id}`).expect(404);

    await end(`users/ada/api-keys/${apiKey.id}`).expect(200);
    await request(app.server).get("/auth/me").set("authorization", `Bearer ${key}`).expect(401);

    const [{ id: codeId }] = (await get("codes")).body.items as [{ id: string }];
    await end(`codes/${codeId}`).expect(200);
    await end(`codes/${codeId}`).expect(404);
    await request(app.server).post("/auth/magic/verify").send({ code, email: "ada@example.com" }).expect(401);

    await app.auth.sessions.create({ userId: "ada" });
    await end("users/ada/sessions").expect(200);
    expect(await app.auth.sessions.list("ada")).toEqual([]);

    const [{ id: accountId }] = (await get("accounts")).body.items as [{ id: string }];
    await end(`accounts/${accountId}`).expect(200);
    await end(`accounts/${accountId}`).expect(404);

    await end("users/ada").expect(200);
    expect(await app.auth.users.findById("ada")).toBeNull();
    expect(acts()).toEqual([
      ["root", { action: "session.revoke", target: session.id }],
      ["root", { action: "api_key.revoke", target: apiKey.id }],
      ["root", { action: "magic_code.revoke", target: codeId }],
      ["root", { action: "sessions.revoke", target: "ada" }],
      ["root", { action: "account.unlink", target: accountId }],
      ["root", { action: "user.delete", target: "ada" }],
    ]);
  });

  it("rule 49: list all others beside a record that cannot be read, and say how many are left out", async () => {
    await app.close();
    const clock = createTestClock();
    // Its own, as what is put into it must be sealed once: http:encrypted seals by itself.
    const inner = memoryStore({ clock });
    const unreadable: string[] = [];
    const keys = ["a key of the store, long enough to be one"];
    const store = encrypted(inner, {
      keys,
      indexKey: "an index key, long enough to be one too",
      onUnreadable: ({ flaw }) => unreadable.push(flaw),
    });
    app = await startApp({ store, clock });
    events = [];
    app.auth.events.on("record.unreadable", (event) => events.push(event));
    for (const id of ["root", "ada", "bob"]) {
      await app.auth.users.create({ id, email: `${id}@example.com`, emailVerified: true });
      await app.auth.sessions.create({ userId: id });
      await app.auth.apiKeys.create({ userId: id, name: id });
      await request(app.server)
        .post("/auth/magic/send")
        .send({ email: `${id}@example.com` })
        .expect(200);
    }
    await app.auth.users.setRoles("root", ["admin"]);
    cookie = `sid=${(await app.auth.sessions.create({ userId: "root" })).token}`;
    const damage = async (from: Collection, isIt: (record: StoredRecord) => boolean) => {
      const { records } = await inner.scan(from);
      const found = records.find((record) => record.id !== ".index-key" && isIt(record));
      const { version: _, ...record } = found!;
      const value = Buffer.from(record.value);
      value.writeUInt8(value.readUInt8(value.length - 1) ^ 1, value.length - 1);
      await inner.commit([
        {
          op: "put",
          in: from,
          record:
            from.kind === "directory"
              ? { ...record, value }
              : { partition: record.partition, id: record.id, expiresAt: record.expiresAt, value },
        },
      ]);
    };
    const ownerOf = (id: string) => (record: StoredRecord) => record.partition === ownerTag(id);
    await damage(userCollection, ({ id }) => id === "ada");
    await damage(sessionCollection, ownerOf("ada"));
    await damage(apiKeyCollection, () => true);
    await damage(codeCollection, () => true);

    const left = { users: 2, sessions: 3, "api-keys": 2, codes: 2 };
    for (const [list, count] of Object.entries(left)) {
      const { body } = await get(list).expect(200);
      expect([list, body.items.length, body.unreadable]).toEqual([list, count, 1]);
    }
    expect((await get("accounts").expect(200)).body).toEqual({ items: [], next_cursor: null, unreadable: 0 });
    expect(events.map(({ details }) => (details as { collection: string }).collection)).toEqual(["users", "s", "api_keys", "codes"]);
    expect(unreadable).toEqual(Array(4).fill("not_authentic"));
    // Where one of them is needed nobody guesses: 503, and it is kept.
    await expect(app.auth.users.findById("ada")).rejects.toMatchObject({ code: "storage_unavailable" });
    await expect(app.auth.erase("bob")).rejects.toMatchObject({ code: "storage_unavailable" });
  });

  it("let nobody remove themself, so that the last administrator stays", async () => {
    await app.auth.passwords.signUp({
      ...{ email: "bob@example.com", password: "correct horse battery" },
      ...{ source: { ip: null, userAgent: null }, origin: "http://localhost" },
    });
    const bob = await app.auth.users.findByEmail("bob@example.com");
    await app.auth.users.setRoles(bob!.id, ["admin"]);
    const { token } = await app.auth.sessions.create({ userId: bob!.id });
    const [account] = (await app.auth.accounts.listForUser(bob!.id)) ?? [];
    const asBob = (path: string) => request(app.server).delete(`/auth/admin/${path}`).set("cookie", `sid=${token}`);
    for (const path of [`users/${bob!.id}`, ...(account ? [`accounts/${account.id}`] : [])]) {
      const refused = await asBob(path).expect(409);
      expect(refused.body.code).toBe("own_user");
    }
    expect(acts()).toEqual([]);
    await request(app.server).get("/auth/me").set("cookie", `sid=${token}`).expect(200);
    await end(`users/${bob!.id}`).expect(200);
    expect((await end("users/root").expect(409)).body.code).toBe("own_user");
    await get("users").expect(200);
    // All sessions of oneself end as everybody's do: whoever is an administrator signs in again.
    await end("users/root/sessions").expect(200);
    await get("users").expect(401);
  });

  it("tell nothing of what was refused or was not there", async () => {
    await end(`users/ada/api-keys/${"A".repeat(22)}`).expect(404);
    await end(`accounts/${"A".repeat(22)}`).expect(404);
    await request(app.server).delete("/auth/admin/users/ada").set({ cookie, "sec-fetch-site": "cross-site" }).expect(403);
    expect(acts()).toEqual([]);
    expect(await app.auth.users.findById("ada")).not.toBeNull();
  });
});
