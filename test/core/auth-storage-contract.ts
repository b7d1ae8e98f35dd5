import { describe, expect, it } from "vitest";
import { createAuth } from "../../lib/auth.ts";
import type { AuthEvent } from "../../lib/core/events.ts";
import { codeCollection } from "../../lib/core/magic-code-record.ts";
import { createKv } from "../../lib/core/kv.ts";
import { providerSessionCollection } from "../../lib/core/provider-sessions.ts";
import { createTokens } from "../../lib/core/tokens.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../lib/testing/clock.ts";
import { TEST_SECRET } from "../support/kit.ts";

const SOURCE = { ip: "192.0.2.8", userAgent: null };

/** A store of its own for one test, and all the bytes that rest in it. */
export interface StoreUnderTest {
  readonly store: RecordStore;
  dump(): Promise<string>;
}

/** What `auth.kv`, `auth.tokens`, `auth.erase` and `auth.export` must do over any store. */
export function authStorageContract(backend: string, open: (clock: TestClock) => Promise<StoreUnderTest>): void {
  const ten = Array.from({ length: 10 }, (_, n) => n);

  describe(`key-value data on ${backend}`, () => {
    const setUp = async () => {
      const clock = createTestClock();
      const { store } = await open(clock);
      return { clock, store, kv: createKv({ store, clock }) };
    };
    const text = async (value: Promise<Buffer | null>) => (await value)?.toString() ?? null;

    it("keeps bytes and text as they are, and forgets what is deleted", async () => {
      const { kv } = await setUp();
      await kv.set("bytes", Uint8Array.of(0, 255, 10, 0));
      await kv.set("text", "grüße");
      await kv.set("empty", "");
      expect([...((await kv.get("bytes")) ?? [])]).toEqual([0, 255, 10, 0]);
      expect(await text(kv.get("text"))).toBe("grüße");
      expect(await text(kv.get("empty"))).toBe("");
      await kv.set("text", "new");
      expect(await text(kv.get("text"))).toBe("new");
      await kv.delete("text");
      await kv.delete("text");
      expect(await kv.get("text")).toBeNull();
      expect(await kv.get("never")).toBeNull();
    });

    it("gives an entry back until the millisecond of its end, and not from it on", async () => {
      const { kv, clock } = await setUp();
      await kv.set("short", "x", { ttl: 0.1 });
      await kv.set("none", "x", { ttl: 0 });
      await kv.set("long", "x", { ttl: 3600 });
      expect(await kv.get("none")).toBeNull();
      clock.advance(0.099);
      expect(await text(kv.get("short"))).toBe("x");
      clock.advance(0.001);
      expect(await kv.get("short")).toBeNull();
      expect(await kv.take("short")).toBeNull();
      expect((await kv.list("")).keys).toEqual(["long"]);
      await kv.set("long", "for ever");
      clock.advance(7200);
      expect(await text(kv.get("long"))).toBe("for ever");
    });

    it("tells the seconds left: zero at the edge, null for what is permanent or missing", async () => {
      const { kv, clock } = await setUp();
      await kv.set("a", "x", { ttl: 600 });
      await kv.set("b", "x");
      expect(await kv.ttl("a")).toBe(600);
      clock.advance(599.999);
      expect(await kv.ttl("a")).toBe(0);
      clock.advance(0.001);
      expect([await kv.ttl("a"), await kv.ttl("b"), await kv.ttl("c")]).toEqual([null, null, null]);
    });

    it("lists live names by literal prefix, sorted by their bytes, in pages", async () => {
      const { kv } = await setUp();
      const names = [
        "user:1:b",
        "user:1:a",
        "user:1:",
        "user:2:a",
        "session:1",
        "a%b",
        "aXb",
        "a_b",
        "a*b",
        "a?b",
        "a[b",
        "USER:1:a",
        "é",
        "z",
      ];
      await kv.setMany(names.map((key) => ({ key, value: "x" })));
      const under = async (prefix: string) => (await kv.list(prefix)).keys;
      expect(await under("user:1:")).toEqual(["user:1:", "user:1:a", "user:1:b"]);
      expect(await under("user:")).toHaveLength(4);
      expect(await under("session:")).toEqual(["session:1"]);
      expect(await under("nothing")).toEqual([]);
      for (const prefix of ["a%", "a_", "a*", "a?", "a["]) expect(await under(prefix)).toEqual([`${prefix}b`]);
      expect(await under("")).toEqual(names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));

      const paged: string[] = [];
      for (let after: string | undefined; ;) {
        const { keys, next } = await kv.list("user:", { limit: 2, after });
        expect(keys.length).toBeLessThanOrEqual(2);
        paged.push(...keys);
        if (next === null) break;
        after = next;
      }
      expect(paged).toEqual(["user:1:", "user:1:a", "user:1:b", "user:2:a"]);
    });

    it("gives what is taken to one of ten", async () => {
      const { kv } = await setUp();
      await kv.set("once", "code");
      const taken = await Promise.all(ten.map(() => kv.take("once")));
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await kv.get("once")).toBeNull();
    });

    it.each([
      ["another value", (n: number) => `new ${n}`],
      ["the same value", () => "new"],
    ])("lets one of twenty swap the value for %s, over something and over nothing", async (_, next) => {
      const { kv } = await setUp();
      const race = (key: string, expected: string | null) =>
        Promise.all(Array.from({ length: 20 }, (_each, n) => kv.compareAndSet(key, expected, next(n))));
      await kv.set("there", "old");
      expect((await race("there", "old")).filter(Boolean)).toHaveLength(1);
      expect((await race("nowhere", null)).filter(Boolean)).toHaveLength(1);
      expect(await kv.compareAndSet("there", "old", "x")).toBe(false);
      const now = await kv.get("there");
      expect(await kv.compareAndSet("there", now, null)).toBe(true);
      expect(await kv.get("there")).toBeNull();
      expect(await kv.compareAndSet("there", null, "again", { ttl: 10 })).toBe(true);
      expect(await kv.ttl("there")).toBe(10);
    });

    it("writes and removes many at once, all or none", async () => {
      const { kv } = await setUp();
      const entries = ["a", "b", "c"].map((key) => ({ key, value: key }));
      expect(await kv.setMany(entries)).toEqual({ set: 3 });
      expect((await kv.getMany(["c", "missing", "a"])).map((value) => value?.toString() ?? null)).toEqual(["c", null, "a"]);
      await expect(kv.setMany([{ key: "d", value: "d" }, { key: "", value: "x" }])).rejects.toMatchObject({ code: "invalid_key" }); // prettier-ignore
      expect(await kv.get("d")).toBeNull();
      expect(await kv.deleteMany(["a", "b", "b", "missing"])).toEqual({ deleted: 2 });
      expect((await kv.list("")).keys).toEqual(["c"]);
      expect(await kv.setMany([])).toEqual({ set: 0 });
      expect(await kv.deleteMany([])).toEqual({ deleted: 0 });
    });

    it("refuses what it could not keep", async () => {
      const { kv } = await setUp();
      for (const key of ["", "x".repeat(513), "\ud800"]) await expect(kv.set(key, "x")).rejects.toMatchObject({ code: "invalid_key" });
      for (const ttl of [-1, NaN, Infinity]) await expect(kv.set("k", "x", { ttl })).rejects.toMatchObject({ code: "invalid_ttl" });
      await expect(kv.set("k", 7 as unknown as string)).rejects.toMatchObject({ code: "invalid_value" });
      await expect(kv.list("", { limit: 0 })).rejects.toMatchObject({ code: "invalid_page" });
      await expect(kv.getMany(Array<string>(1001).fill("k"))).rejects.toMatchObject({ code: "too_many_keys" });
    });
  });

  describe(`token records on ${backend}`, () => {
    const setUp = async () => {
      const clock = createTestClock();
      const { store, dump } = await open(clock);
      return { clock, dump, tokens: createTokens({ store, clock, keys: createKeyRing([TEST_SECRET]) }) };
    };

    it("are found by id, by token and by user until they are deleted", async () => {
      const { tokens, clock } = await setUp();
      const kept = await tokens.store({ userId: "alice", accessToken: "at-1", scopes: ["a", "b", "a"], metadata: { device: "x" } });
      await tokens.store({ userId: "bob", accessToken: "at-2" });
      expect(kept).toMatchObject({
        tokenType: "Bearer",
        subject: null,
        scopes: ["a", "b"],
        expiresAt: clock.now() + 3_600_000,
        useCount: 0,
      });
      expect(await tokens.get(kept.id)).toEqual(kept);
      expect(await tokens.getByAccessToken("at-1")).toEqual(kept);
      expect(await tokens.list("alice")).toEqual({ tokens: [kept], next: null });
      expect((await tokens.list("")).tokens).toEqual([]);
      await tokens.delete(kept.id);
      await tokens.delete(kept.id);
      expect([await tokens.get(kept.id), await tokens.getByAccessToken("at-1"), (await tokens.list("alice")).tokens]).toEqual([
        null,
        null,
        [],
      ]);
    });

    it("rest without the token in clear, and give it to code that opens them", async () => {
      const { tokens, dump } = await setUp();
      const { id } = await tokens.store({ userId: "alice", accessToken: "canary-access", refreshToken: "canary-refresh" });
      expect(await dump()).not.toContain("canary");
      expect(JSON.stringify(await tokens.get(id))).not.toContain("canary");
      expect(await tokens.open(id)).toEqual({ accessToken: "canary-access", refreshToken: "canary-refresh" });
      await tokens.revoke(id);
      expect(await tokens.open(id)).toBeNull();
    });

    it("end at the same millisecond for every call, and a late change gives no new life", async () => {
      const { tokens, clock } = await setUp();
      const { id } = await tokens.store({ userId: "alice", accessToken: "at", expiresAt: clock.now() + 1000 });
      clock.advance(0.999);
      expect(await tokens.get(id)).not.toBeNull();
      clock.advance(0.001);
      expect([await tokens.get(id), await tokens.getByAccessToken("at"), await tokens.update(id, { scopes: [] })]).toEqual([
        null,
        null,
        null,
      ]);
      expect((await tokens.list("alice")).tokens).toEqual([]);
      await tokens.store({ id, userId: "alice", accessToken: "at", expiresAt: clock.now() - 1 });
      expect(await tokens.get(id)).toBeNull();
    });

    it("are listed once, however often they were stored and updated, and in pages", async () => {
      const { tokens } = await setUp();
      for (const n of ten) await tokens.store({ id: "one", userId: "alice", accessToken: `at-${n}` });
      for (const n of ten) await tokens.update("one", { scopes: [`s${n}`] });
      expect((await tokens.list("alice")).tokens).toMatchObject([{ id: "one", scopes: ["s9"] }]);
      await tokens.storeMany(["two", "three"].map((id) => ({ id, userId: "alice", accessToken: id })));
      const first = await tokens.list("alice", { limit: 2 });
      const rest = await tokens.list("alice", { limit: 2, after: first.next ?? "" });
      expect([...first.tokens, ...rest.tokens].map(({ id }) => id)).toEqual(["one", "three", "two"]);
    });

    it("say when there is nothing to update or revoke", async () => {
      const { tokens } = await setUp();
      expect([await tokens.update("x", { scopes: [] }), await tokens.markUsed("x"), await tokens.revoke("x")]).toEqual([null, null, false]);
      expect(await tokens.get("x")).toBeNull();
    });

    it("are not found by the old token once it was replaced", async () => {
      const { tokens } = await setUp();
      const { id } = await tokens.store({ userId: "alice", accessToken: "old" });
      await tokens.update(id, { accessToken: "new" });
      expect(await tokens.getByAccessToken("old")).toBeNull();
      expect((await tokens.getByAccessToken("new"))?.id).toBe(id);
      await tokens.store({ userId: "bob", accessToken: "bobs" });
      await expect(tokens.update(id, { accessToken: "bobs" })).rejects.toMatchObject({ code: "token_taken" });
      await expect(tokens.store({ userId: "bob", accessToken: "new" })).rejects.toMatchObject({ code: "token_taken" });
      await expect(tokens.store({ id, userId: "bob", accessToken: "x" })).rejects.toMatchObject({ code: "token_taken" });
    });

    it("stay revoked, whatever is written beside and after", async () => {
      const { tokens, clock } = await setUp();
      const { id } = await tokens.store({ userId: "alice", accessToken: "at" });
      const revokedAt = clock.now();
      await Promise.all(ten.flatMap((n) => [tokens.update(id, { scopes: [`${n}`] }), tokens.markUsed(id), tokens.revoke(id, "stolen")]));
      clock.advance(1);
      await tokens.update(id, { roles: ["x"] });
      await tokens.store({ id, userId: "alice", accessToken: "another" });
      expect(await tokens.revoke(id, "later")).toBe(true);
      expect(await tokens.get(id)).toMatchObject({ revokedAt, revokedReason: "stolen" });
      expect([await tokens.getByAccessToken("at"), await tokens.getByAccessToken("another"), await tokens.markUsed(id)]).toEqual([
        null,
        null,
        null,
      ]);
    });

    it("count every use of ten at once, and never move back", async () => {
      const { tokens, clock } = await setUp();
      const { id } = await tokens.store({ userId: "alice", accessToken: "at" });
      await Promise.all(ten.map(() => tokens.markUsed(id)));
      const lastUsedAt = clock.now();
      clock.advance(-60);
      expect(await tokens.markUsed(id)).toMatchObject({ useCount: 11, lastUsedAt });
    });

    it("are stored, revoked and deleted many at once, all or none", async () => {
      const { tokens } = await setUp();
      const three = ["a", "b", "c"].map((id) => ({ id, userId: "alice", accessToken: id }));
      expect((await tokens.storeMany(three.toReversed())).map(({ id }) => id)).toEqual(["c", "b", "a"]);
      await tokens.store({ id: "bobs", userId: "bob", accessToken: "bobs" });
      const half = tokens.storeMany([{ id: "new", userId: "eve", accessToken: "new" }, { userId: "eve", accessToken: "bobs" }]); // prettier-ignore
      await expect(half).rejects.toMatchObject({ code: "token_taken" });
      expect(await tokens.get("new")).toBeNull();
      expect(await tokens.deleteMany(["a", "a", "missing"])).toEqual({ deleted: 1 });
      expect(await tokens.revokeForUser("alice", "left")).toEqual({ revoked: 2 });
      expect(await tokens.revokeForUser("alice")).toEqual({ revoked: 0 });
      expect(await tokens.getByAccessToken("b")).toBeNull();
      expect(await tokens.getByAccessToken("bobs")).not.toBeNull();
      expect(await tokens.deleteForUser("alice")).toEqual({ deleted: 2 });
      expect((await tokens.list("alice")).tokens).toEqual([]);
    });

    it("refuse what is no token record", async () => {
      const { tokens } = await setUp();
      const good = { userId: "alice", accessToken: "at" };
      const bad = [{ accessToken: "" }, { expiresAt: 1.5 }, { scopes: [""] }, { metadata: [] as never }, { id: "" }];
      for (const each of bad) await expect(tokens.store({ ...good, ...each })).rejects.toMatchObject({ code: "invalid_token_record" });
      await expect(tokens.store({ ...good, userId: "*" })).rejects.toMatchObject({ code: "invalid_user_id" });
    });
  });

  describe(`a person's data on ${backend}`, () => {
    const setUp = async (through: (store: RecordStore) => RecordStore = (store) => store) => {
      const clock = createTestClock();
      const { store, dump } = await open(clock);
      const email = memoryTransport();
      const auth = createAuth({ secret: TEST_SECRET, baseUrl: "http://localhost", store: through(store), clock, email, audit: true });
      const heard: AuthEvent[] = [];
      auth.events.on("*", (event) => heard.push(event));
      const tokens = { accessToken: "canary-at", refreshToken: "canary-rt", idToken: null, scope: null, accessTokenExpiresAt: null, refreshTokenExpiresAt: null }; // prettier-ignore
      const { userId } = await auth.signIn.withIdentity({
        ...{
          provider: "acme",
          issuer: "https://acme.example",
          subject: "canary-subject",
          email: "canary@example.com",
          emailVerified: true,
        },
        ...{ name: "canary-name", image: null, tokens: tokens as never, providerSessionId: null, authenticatedAt: null },
      });
      const source = { ip: "192.0.2.7", userAgent: "canary-agent" };
      await auth.sessions.create({ userId, data: { note: "canary-data" }, source });
      const { key } = await auth.apiKeys.create({ userId, name: "canary-key" });
      await auth.tokens.store({ userId, accessToken: "canary-token", metadata: { device: "canary-device" } });
      await auth.magicCodes.request({ email: "canary@example.com", purpose: "sign_in", userId, source });
      await auth.users.setRoles(userId, ["canary-role"]);
      return { auth, userId, key, dump, heard };
    };

    it("is erased whole: a search of all that rests finds nothing of theirs, and others keep what they have", async () => {
      const { auth, userId, dump, heard, key } = await setUp();
      const idp = { provider: "acme", issuer: "https://acme.example", sid: "one for both" };
      const other = await auth.sessions.create({ userId: "somebody-else", idp });
      await auth.sessions.create({ userId, idp });
      await auth.sessions.revoke((await auth.sessions.create({ userId, idp })).session.id);
      await auth.passwords.change({ userId, password: "a long canary of a password" });
      await auth.passwords.changeEmail({ userId, email: "canary-next@example.com" });
      expect(await dump()).toContain("canary-next");
      await auth.erase(userId);
      await auth.erase(userId);

      const rest = await dump();
      expect(rest).not.toContain("canary");
      expect(rest).not.toContain(userId);
      const named = await auth.store.scan(providerSessionCollection);
      expect(named.records.map(({ id }) => id)).toEqual([other.session.id]);
      await expect(auth.apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
      expect((await auth.sessions.resolve(other.token)).session).not.toBeNull();
      expect(heard.at(-1)).toMatchObject({ type: "user.erased", userId });
    });

    it("is erased from what administrators did to them, and from nothing else there", async () => {
      const { auth, userId, dump } = await setUp();
      const by = (action: string, target: string) => auth.events.emit("admin.acted", { action, target }, { userId: "root" });
      const { session } = await auth.sessions.create({ userId });
      const other = await auth.sessions.create({ userId: "somebody-else" });
      const { apiKey } = await auth.apiKeys.create({ userId, name: "ci" });
      const { requestId } = await auth.magicCodes.request({ email: "canary@example.com", purpose: "sign_in", source: SOURCE });
      const [code] = (await auth.store.scan(codeCollection)).records;
      expect(requestId).toBeTruthy();
      by("sessions.revoke", userId);
      by("session.revoke", session.id);
      by("api_key.revoke", apiKey.id);
      by("magic_code.revoke", `${code?.partition}.${code?.id}`);
      by("session.revoke", other.session.id);
      by("sessions.revoke", "somebody-else");
      await auth.erase(userId);
      await auth.erase(userId);
      by("user.delete", "another");
      await auth.audit?.flush();
      const { entries } = (await auth.audit?.list({ userId: "root" })) ?? { entries: [] };
      expect(entries.map(({ details }) => Object.values(details)).reverse()).toEqual([
        ["sessions.revoke", "erased"],
        ["session.revoke", "erased"],
        ["api_key.revoke", "erased"],
        ["magic_code.revoke", "erased"],
        ["session.revoke", other.session.id],
        ["sessions.revoke", "somebody-else"],
        ["user.delete", "another"],
      ]);
      for (const id of [userId, session.id, apiKey.id, code?.id ?? "-"]) expect(await dump()).not.toContain(id);
    });

    it("is erased by a later call when one was interrupted anywhere", async () => {
      for (let fails = 1; fails <= 14; fails += 1) {
        let left = Infinity;
        const { auth, userId, dump } = await setUp((store) => ({
          ...store,
          commit: (writes) => ((left -= 1) < 0 ? Promise.reject(new Error("cut")) : store.commit(writes)),
        }));
        auth.events.emit("admin.acted", { action: "sessions.revoke", target: userId }, { userId: "root" });
        await auth.audit?.flush();
        left = fails - 1;
        const failed = await auth.erase(userId).then(
          () => false,
          () => true,
        );
        left = Infinity;
        if (failed) await auth.erase(userId);
        expect(await dump()).not.toMatch(new RegExp(`canary|${userId}`));
        await auth.close();
      }
    });

    it("is written out as JSON, without a secret", async () => {
      const { auth, userId } = await setUp();
      await auth.audit?.flush();
      const data = await auth.export(userId);
      expect(data).toMatchObject({
        userId,
        user: { email: "canary@example.com", name: "canary-name" },
        principal: { status: "active", roles: ["canary-role"] },
        hasPassword: false,
        accounts: [{ providerId: "acme", accountId: "canary-subject" }],
        sessions: [{ data: { note: "canary-data" } }],
        apiKeys: [{ name: "canary-key" }],
        tokens: [{ metadata: { device: "canary-device" } }],
        codes: [{ email: "canary@example.com", purpose: "sign_in" }],
        audit: expect.arrayContaining([expect.objectContaining({ type: "session.created", userId })]) as unknown,
      });
      const text = JSON.stringify(data);
      expect(JSON.parse(text)).toEqual(data);
      for (const secret of ["canary-at", "canary-rt", "canary-token", "hash", "sealed", '"mac"']) expect(text).not.toContain(secret);
      expect(await auth.export("nobody")).toMatchObject({ user: null, sessions: [], tokens: [], codes: [], audit: [] });
    });
  });

  describe(`sessions on ${backend}`, () => {
    it("are counted exactly, and many end at once", async () => {
      const clock = createTestClock();
      const { store } = await open(clock);
      const { sessions } = createAuth({ secret: TEST_SECRET, baseUrl: "http://localhost", store, clock });
      const made = [];
      for (const userId of ["alice", "bob", "alice"]) made.push((await sessions.create({ userId })).session.id);
      expect(await sessions.count()).toBe(3);
      expect(await sessions.revokeMany([...made.slice(0, 2), ...made.slice(0, 1), "no id"])).toEqual({ revoked: 2 });
      expect(await sessions.revokeMany(made.slice(0, 2))).toEqual({ revoked: 0 });
      expect([await sessions.count(), (await sessions.list("alice")).length, (await sessions.list("bob")).length]).toEqual([1, 1, 0]);
    });
  });

  describe(`sweeping on ${backend}`, () => {
    it("removes what has expired, and says how many of each kind", async () => {
      const clock = createTestClock();
      const { store } = await open(clock);
      const auth = createAuth({ secret: TEST_SECRET, baseUrl: "http://localhost", store, clock });
      for (const n of ten) await auth.kv.set(`gone ${n}`, "x", { ttl: 0 });
      await auth.kv.set("stays", "x", { ttl: 10_000 });
      await auth.sessions.create({ userId: "alice" });
      await auth.tokens.store({ userId: "alice", accessToken: "at", expiresAt: clock.now() + 1 });
      clock.advance(1);
      expect(await auth.sweep()).toEqual({ kv: 10, tokens: 1 });
      expect(await auth.sweep()).toEqual({});
      clock.advance(40 * 86_400);
      expect(await auth.sweep()).toMatchObject({ kv: 1, sessions: 1 });
    });
  });
}
