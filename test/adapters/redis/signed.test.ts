import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { clientOptions, redisStore, type RefusedRecord, type SignedOptions } from "../../../lib/adapters/redis/index.ts";
import { ConfigError, StorageError } from "../../../lib/errors.ts";
import { ownerTag } from "../../../lib/crypto/hash.ts";
import { requireRole } from "../../../lib/http/require-auth.ts";
import { createAuth } from "../../../lib/index.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../../lib/testing/index.ts";
import { startApp } from "../../support/app.ts";
import { TEST_SECRET } from "../../support/kit.ts";
import { redisUrl } from "../../support/services.ts";
import { note, notes, people, person } from "./samples.ts";
import { sentCommands } from "./sent-commands.ts";

const KEY = "a key for tests, of 32 bytes or more";
const NEXT_KEY = "the key after it, of 32 bytes or more";

let client: Redis;
let prefix: string;
let opened = 0;
let clock: TestClock;
let told: RefusedRecord[];
let store: RecordStore;

const open = (signed: SignedOptions | undefined = { keys: KEY, onUnreadable: (record) => told.push(record) }) =>
  redisStore({ client, clock, prefix, signed });

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => client.disconnect());

beforeEach(() => {
  clock = createTestClock();
  prefix = `signed ${process.pid} ${(opened += 1)}:`;
  told = [];
  store = open();
});

afterEach(() => store.close());

const bytes = async (key: string) => (await client.getBuffer(key)) as Buffer;
const field = async (key: string, id: string) => (await client.hgetBuffer(key, id)) as Buffer;
const put = (record: ReturnType<typeof note>) => store.commit([{ op: "put", in: notes, record }]);

/** What every way to read it does, and that it is there afterwards as it was. */
async function refused(key: string, id: string, partition = "p"): Promise<void> {
  const before = await field(key, id);
  for (const read of [store.get(notes, { partition, id }), store.list(notes, partition)]) {
    await expect(read).rejects.toBeInstanceOf(StorageError);
  }
  const { records, unreadable } = await store.scan(notes);
  expect(unreadable).toBe(1);
  expect(records.filter((record) => record.partition === partition && record.id === id)).toEqual([]);
  expect(await field(key, id)).toEqual(before);
}

/** Rewrites a directory record as who has Redis, and not the key, can. */
async function rewrite(key: string, change: (text: string) => string): Promise<void> {
  const text = (await bytes(key)).toString("latin1");
  expect(change(text)).not.toBe(text);
  await client.set(key, Buffer.from(change(text), "latin1"));
}

describe("rule 49: a signed store, and who can write to Redis", () => {
  const grant = (text: string) => text.replace('"roles":[]', '"roles":["admin"]');

  it("grants no role that was written into a principal, where an unsigned one does", async () => {
    for (const signed of [undefined, { keys: KEY, onUnreadable: (record: RefusedRecord) => void told.push(record) }]) {
      prefix = `signed ${process.pid} ${(opened += 1)}:`;
      const auth = createAuth({ secret: TEST_SECRET, clock, store: redisStore({ client, clock, prefix, signed }) });
      const { id } = await auth.users.create({ email: "mallory@example.com" });
      await auth.users.setRoles(id, ["editor"]);
      await auth.users.setRoles(id, []);
      const key = `${prefix}d{d}principals:${id}`;
      await rewrite(key, grant);
      const attacked = await bytes(key);
      if (!signed) expect((await auth.principals.standing(id)).principal.roles).toEqual(["admin"]);
      else await expect(auth.sessions.create({ userId: id })).rejects.toMatchObject({ code: "storage_unavailable" });
      expect(await bytes(key)).toEqual(attacked);
      await auth.close();
    }
    expect(told).toEqual([{ collection: "principals", record: expect.stringMatching(/^[0-9a-f]{16}$/), flaw: "not_authentic" }]);
  });

  it("answers 503 to a session whose roles were written into it, where an unsigned one lets it in, and serves public pages", async () => {
    for (const signed of [undefined, { keys: KEY, onUnreadable: (record: RefusedRecord) => void told.push(record) }]) {
      prefix = `signed ${process.pid} ${(opened += 1)}:`;
      const app = await startApp({
        clock,
        store: redisStore({ client, clock, prefix, signed }),
        routes: (express) => {
          express.get("/admin", requireRole("admin"), (_req, res) => void res.json("secrets"));
          express.get("/public", (req, res) => void res.json(req.auth.failure?.code ?? null));
        },
      });
      const { id } = await app.auth.users.create({ email: "mallory@example.com" });
      await app.auth.users.setRoles(id, ["editor"]);
      const { token } = await app.auth.sessions.create({ userId: id });
      const get = (path: string) => fetch(app.url + path, { headers: { cookie: `sid=${token}` } });
      expect((await get("/admin")).status).toBe(403);
      const key = `${prefix}{${ownerTag(id)}}s`;
      const [sid = ""] = await client.hkeys(key);
      const changed = (await field(key, sid)).toString("latin1").replace('"editor"', '"admin"');
      expect(changed).toContain('"admin"');
      await client.hset(key, sid, Buffer.from(changed, "latin1"));

      expect((await get("/admin")).status).toBe(signed ? 503 : 200);
      const open = await get("/public");
      expect([open.status, await open.json()]).toEqual([200, signed ? "storage_unavailable" : null]);
      expect((await field(key, sid)).toString("latin1")).toBe(changed);
      // Ending them all needs to read none of them.
      await app.auth.sessions.revokeAll(id);
      expect(await client.exists(key)).toBe(0);
      await app.close();
    }
    expect(told).toContainEqual(expect.objectContaining({ collection: "s", flaw: "not_authentic" }));
  });

  it("takes no record in another place: other id, other partition, other collection", async () => {
    await put(note("mine", { value: Buffer.from("of p") }));
    const key = `${prefix}{p}notes`;
    const raw = await field(key, "mine");

    await client.hset(key, "yours", raw);
    await refused(key, "yours");
    await client.hdel(key, "yours");

    await client.hset(`${prefix}{q}notes`, "mine", raw);
    await refused(`${prefix}{q}notes`, "mine", "q");
    await client.del(`${prefix}{q}notes`);

    await client.hset(`${prefix}{p}marks`, "mine", raw);
    const marks = { kind: "partitioned", name: "marks" } as const;
    await expect(store.get(marks, { partition: "p", id: "mine" })).rejects.toBeInstanceOf(StorageError);
    expect(await store.get(notes, { partition: "p", id: "mine" })).toMatchObject({ id: "mine" });
    expect(new Set(told.map(({ flaw }) => flaw))).toEqual(new Set(["not_authentic"]));
  });

  it("takes no record of another prefix, though it was signed with the same key", async () => {
    await put(note("mine"));
    const raw = await field(`${prefix}{p}notes`, "mine");
    prefix = `signed ${process.pid} ${(opened += 1)}:`;
    await store.close();
    store = open();
    await client.hset(`${prefix}{p}notes`, "mine", raw);
    await refused(`${prefix}{p}notes`, "mine");
  });

  it("gives no record a longer life", async () => {
    const expiresAt = clock.now() + 1000;
    await put(note("mine", { expiresAt }));
    const key = `${prefix}{p}notes`;
    const raw = Buffer.from(await field(key, "mine"));
    raw.writeUIntBE(expiresAt + 1_000_000, 5, 6);
    await client.hset(key, "mine", raw);
    await refused(key, "mine");
    raw.writeUIntBE(0, 5, 6);
    await client.hset(key, "mine", raw);
    await refused(key, "mine");
  });

  it("takes no record that was made up, or signed with another key", async () => {
    const key = `${prefix}{p}notes`;
    const unsigned = redisStore({ client, clock, prefix });
    await unsigned.commit([{ op: "put", in: notes, record: note("made up", { value: Buffer.from("") }) }]);
    await refused(key, "made up");
    await client.del(key);
    const other = open({ keys: "another key for tests, of 32 bytes or more" });
    await other.commit([{ op: "put", in: notes, record: note("foreign") }]);
    await refused(key, "foreign");
    expect(new Set(told.map(({ flaw }) => flaw))).toEqual(new Set(["unsigned", "unknown_key"]));
    await Promise.all([unsigned.close(), other.close()]);
  });

  it("lets no lookup lead to somebody else", async () => {
    await store.commit([
      { op: "insert", in: people, record: person("alice") },
      { op: "insert", in: people, record: person("mallory") },
    ]);
    const lookup = `${prefix}u{d}people:email:alice@example.com`;
    expect(await client.get(lookup)).toBe("alice");
    await client.set(lookup, "mallory");
    expect(await store.find(people, "email", "alice@example.com")).toEqual([]);

    // With Alice's lookups written into Mallory's record as well.
    await rewrite(`${prefix}d{d}people:mallory`, (text) => text.replace("\u0019email:mallory@example.com", "\u0017email:alice@example.com").replace("\0\0\0\u002b", "\0\0\0\u0029")); // prettier-ignore
    await expect(store.find(people, "email", "alice@example.com")).rejects.toBeInstanceOf(StorageError);
    await expect(store.get(people, { partition: "", id: "mallory" })).rejects.toBeInstanceOf(StorageError);
    expect(await client.exists(`${prefix}d{d}people:mallory`)).toBe(1);
  });

  it("removes nothing that it refuses: what was to be taken is put back", async () => {
    const key = `${prefix}{p}notes`;
    await put(note("mine", { value: Buffer.from("one") }));
    const raw = Buffer.from((await field(key, "mine")).toString("latin1").replace("one", "two"), "latin1");
    await client.hset(key, "mine", raw);
    await expect(store.take(notes, { partition: "p", id: "mine" })).rejects.toBeInstanceOf(StorageError);
    expect((await field(key, "mine")).subarray(18)).toEqual(raw.subarray(18));
    await refused(key, "mine");

    await store.commit([{ op: "insert", in: people, record: person("alice") }]);
    await client.set(`${prefix}d{d}people:alice`, Buffer.concat([await bytes(`${prefix}d{d}people:alice`), Buffer.from("x")]));
    await expect(store.take(people, { partition: "", id: "alice" })).rejects.toBeInstanceOf(StorageError);
    expect(await client.get(`${prefix}u{d}people:email:alice@example.com`)).toBe("alice");
  });

  it("does not notice an older state of a record in its own place: who can write can go back", async () => {
    await put(note("mine", { value: Buffer.from("before") }));
    const raw = await field(`${prefix}{p}notes`, "mine");
    await put(note("mine", { value: Buffer.from("after") }));
    await client.hset(`${prefix}{p}notes`, "mine", raw);
    const read = await store.get(notes, { partition: "p", id: "mine" });
    expect(Buffer.from(read?.value ?? []).toString()).toBe("before");
  });
});

describe("a signed store", () => {
  it("reads what an older key signed, and refuses it for want of that key", async () => {
    await put(note("old"));
    const rotated = open({ keys: [NEXT_KEY, undefined, KEY] });
    expect(await rotated.get(notes, { partition: "p", id: "old" })).toMatchObject({ id: "old" });
    await rotated.commit([{ op: "put", in: notes, record: note("old", { value: Buffer.from("written anew") }) }]);
    const retired = open({ keys: [NEXT_KEY] });
    expect(await retired.get(notes, { partition: "p", id: "old" })).toMatchObject({ version: 2 });
    await expect(store.get(notes, { partition: "p", id: "old" })).rejects.toMatchObject({ cause: { option: "redisStore.signed.keys" } });
    expect(told).toMatchObject([{ flaw: "unknown_key" }]);
    await Promise.all([rotated.close(), retired.close()]);
  });

  it("sends no command more than an unsigned one", async () => {
    const connection = client.duplicate();
    const sent = sentCommands(connection);
    const commandsOf = async (signed: SignedOptions | undefined) => {
      const over = redisStore({ client: connection, clock, prefix: `${prefix}${signed ? "s" : "u"}:`, signed });
      const round = async () => {
        await over.commit([{ op: "insert", in: notes, record: note("one"), max: 5 }]);
        await over.commit([{ op: "insert", in: notes, record: note("one"), max: 5 }]);
        await over.get(notes, { partition: "p", id: "one" });
        await over.list(notes, "p");
        await over.commit([{ op: "replace", in: notes, record: note("one", { value: Buffer.from("two") }), ifVersion: 1 }]);
        await over.take(notes, { partition: "p", id: "one" });
        await over.commit([{ op: "insert", in: people, record: person("alice") }]);
        await over.find(people, "email", "alice@example.com");
        await over.take(people, { partition: "", id: "alice" });
      };
      await round(); // by then Redis knows the scripts
      sent.splice(0);
      await round();
      await over.close();
      return sent.splice(0);
    };
    const unsigned = await commandsOf(undefined);
    expect(unsigned).toHaveLength(9);
    expect(await commandsOf({ keys: KEY })).toEqual(unsigned);
    connection.disconnect();
  });

  it("needs a key, and says so", () => {
    for (const signed of [true, {}, { keys: "short" }, { keys: [] }, { keys: KEY, onUnreadable: "log" }, { key: KEY }]) {
      expect(() => open(signed as never), JSON.stringify(signed)).toThrow(ConfigError);
    }
    expect(() => open(true as never)).toThrow(/signed: \{ keys:/);
  });
});
