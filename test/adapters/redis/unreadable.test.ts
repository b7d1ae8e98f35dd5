import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import { StorageError } from "../../../lib/errors.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../../lib/testing/index.ts";
import { redisUrl } from "../../support/services.ts";
import { note, notes, people, person } from "./samples.ts";

let client: Redis;
let store: RecordStore;
let prefix: string;
let opened = 0;
let clock: TestClock;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => client.disconnect());

beforeEach(() => {
  clock = createTestClock();
  prefix = `unreadable ${process.pid} ${(opened += 1)}:`;
  store = redisStore({ client, clock, prefix });
});

afterEach(() => store.close());

const expiry = createTestClock().now() + 1_000_000;

/** Bytes that no version of ours wrote, some of which begin as a record does. */
const foreign: Record<string, Buffer> = {
  empty: Buffer.alloc(0),
  "another program's": Buffer.from('{"cookie":{},"secret":"hunter2"}'),
  "of a later format": Buffer.concat([Buffer.from([9]), Buffer.alloc(60)]),
  "cut short": Buffer.from([1, 0, 0]),
  "cut short behind its expiry": Buffer.from(`0200000001${expiry.toString(16).padStart(12, "0")}0000000000c875`, "hex"),
};

const refused = async (work: Promise<unknown>, what: string) => {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error, what).toBeInstanceOf(StorageError);
  expect(String((error as StorageError).message), what).not.toContain("hunter2");
};

describe("rule 49: a record that cannot be read", () => {
  it.each(Object.entries(foreign))("is refused in a partition, and kept: %s", async (_, bytes) => {
    const key = `${prefix}{p}notes`;
    const bad = note("bad");
    await store.commit([{ op: "put", in: notes, record: note("good") }]);
    await client.hset(key, "bad", bytes);

    await refused(store.get(notes, bad), "get");
    await refused(store.list(notes, "p"), "list");
    expect(await store.scan(notes)).toMatchObject({ records: [{ id: "good" }], unreadable: 1 });
    await refused(store.take(notes, bad), "take");
    await refused(store.commit([{ op: "put", in: notes, record: bad }]), "put");
    await refused(store.commit([{ op: "insert", in: notes, record: bad }]), "insert");
    await refused(store.commit([{ op: "replace", in: notes, record: bad, ifVersion: 1 }]), "replace");
    await refused(store.commit([{ op: "delete", in: notes, key: bad, ifVersion: 1 }]), "delete by version");
    await refused(store.commit([{ op: "insert", in: notes, record: note("over"), max: 2 }]), "an insert that must count it");
    clock.advance(1e9);
    await store.sweep();

    expect(await client.hgetBuffer(key, "bad")).toEqual(bytes);
    expect((await client.hkeys(key)).sort()).toEqual(["bad", "good"]);
  });

  it("does not stand in the way of its neighbours, nor of its own removal", async () => {
    const key = `${prefix}{p}notes`;
    for (const [id, bytes] of Object.entries(foreign)) await client.hset(key, id, bytes);
    const expired = note("expired", { expiresAt: clock.now() + 1000 });
    await store.commit([{ op: "put", in: notes, record: expired }]);
    clock.advance(1);

    expect(await store.commit([{ op: "insert", in: notes, record: note("new"), max: 50 }])).toBe(true);
    expect((await store.get(notes, note("new")))?.id).toBe("new");
    await store.sweep();
    expect(await client.hexists(key, "expired")).toBe(0);

    expect(await store.commit([{ op: "delete", in: notes, key: note("empty") }])).toBe(true);
    expect(await client.hexists(key, "empty")).toBe(0);
    expect(await store.commit([{ op: "clear", in: notes, partition: "p", keep: "new" }])).toBe(true);
    expect(await client.hkeys(key)).toEqual(["new"]);
  });

  it.each(Object.entries(foreign))("is refused in a directory, and kept: %s", async (_, bytes) => {
    const key = `${prefix}d{d}people:bad`;
    const bad = person("bad");
    await store.commit([{ op: "put", in: people, record: bad }]);
    await store.commit([{ op: "put", in: people, record: person("good") }]);
    await client.set(key, bytes);

    await refused(store.get(people, bad), "get");
    await refused(store.find(people, "email", "bad@example.com"), "find by a unique lookup");
    await refused(store.find(people, "team", "red"), "find by a plain lookup");
    expect(await store.scan(people)).toMatchObject({ records: [{ id: "good" }], unreadable: 1 });
    await refused(store.take(people, bad), "take");
    await refused(store.commit([{ op: "put", in: people, record: bad }]), "put");
    await refused(store.commit([{ op: "replace", in: people, record: bad, ifVersion: 1 }]), "replace");
    await refused(
      store.commit([{ op: "insert", in: people, record: person("thief", { lookups: { email: "bad@example.com" } }) }]),
      "an insert that claims its lookup",
    );
    clock.advance(1e9);
    await store.sweep();

    expect(await client.getBuffer(key)).toEqual(bytes);
    expect((await store.get(people, person("good")))?.id).toBe("good");
    expect(await client.exists(`${prefix}d{d}people:thief`)).toBe(0);
  });

  it("is refused when its key holds another kind of thing, and nothing of the commit is written", async () => {
    await client.set(`${prefix}{p}notes`, "not a hash");
    await client.lpush(`${prefix}d{d}people:bad`, "not a string");
    await client.hset(`${prefix}c{limit}`, "not", "a counter");

    await refused(store.get(notes, note("a")), "get");
    await refused(store.commit([{ op: "put", in: notes, record: note("a") }]), "put");
    await refused(store.get(people, person("bad")), "get");
    const pair = [person("good"), person("bad")].map((record) => ({ op: "put", in: people, record }) as const);
    await refused(store.commit(pair), "commit");
    await refused(store.count("limit", { by: 1, window: 60, now: clock.now() }), "count");

    expect(await client.exists(`${prefix}d{d}people:good`)).toBe(0);
    expect(await client.get(`${prefix}{p}notes`)).toBe("not a hash");
  });

  it("rule 47: counts nothing as allowed when it is a counter", async () => {
    for (const bytes of ["", "5", "five 99", "-3 9999999999999"]) {
      await client.set(`${prefix}c{limit}`, bytes);
      await refused(store.count("limit", { by: 1, window: 60, now: clock.now() }), bytes);
      expect(await client.get(`${prefix}c{limit}`)).toBe(bytes);
    }
  });
});
