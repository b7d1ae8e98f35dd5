import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import type { NewRecord, RecordStore, Write } from "../../../lib/storage/record-store.ts";
import { createTestClock, type TestClock } from "../../../lib/testing/index.ts";
import { redisUrl } from "../../support/services.ts";
import { note, notes, people, person } from "./samples.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** How long a key outlives what it holds, in ms. */
const SLACK = MINUTE;

let client: Redis;
let clock: TestClock;
let prefix: string;
let store: RecordStore;
let opened = 0;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
});

afterAll(() => client.disconnect());

beforeEach(() => {
  prefix = `keys ${process.pid} ${(opened += 1)}:`;
  clock = createTestClock();
  store = redisStore({ client, clock, prefix });
});

afterEach(() => store.close());

const keysNow = async () => (await client.keys(`${prefix}*`)).map((key) => key.slice(prefix.length)).sort();
const put = (record: NewRecord): Write => ({ op: "put", in: "lookups" in record ? people : notes, record });
const written = async (...writes: Write[]) => expect(await store.commit(writes)).toBe(true);

/** Ms that a key of this store has left, counted from now, within the time a test may take; `null` for ever. */
const lifeOf = async (key: string) => {
  const left = await client.pttl(`${prefix}${key}`);
  expect(left, `${key} is there`).not.toBe(-2);
  return left === -1 ? null : Math.ceil(left / MINUTE) * MINUTE;
};

describe("a key in Redis", () => {
  it("is a hash for a partition, a string for a directory record, a unique lookup and a counter, a sorted set for a plain lookup", async () => {
    await written(put(note("a")), put(note("b")));
    await written(put(person("a")));
    await store.count("limit", { by: 1, window: 60, now: clock.now() });

    expect(await keysNow()).toEqual(["c{limit}", "d{d}people:a", "p{d}people:team:red", "u{d}people:email:a@example.com", "{p}notes"]);
  });

  it("outlives what it holds by a minute, after each kind of write", async () => {
    const soon = { expiresAt: clock.now() + HOUR };
    const later = { expiresAt: clock.now() + 2 * HOUR };

    await written({ op: "insert", in: notes, record: note("a", soon) });
    expect(await lifeOf("{p}notes")).toBe(HOUR + SLACK);
    await written({ op: "insert", in: notes, record: note("b", later), max: 5 });
    expect(await lifeOf("{p}notes")).toBe(2 * HOUR + SLACK);
    await written({ op: "replace", in: notes, record: note("b", soon), ifVersion: 1 });
    expect(await lifeOf("{p}notes"), "a write never shortens it").toBe(2 * HOUR + SLACK);
    await written({ op: "clear", in: notes, partition: "p", keep: "a" });
    expect(await lifeOf("{p}notes")).toBe(HOUR + SLACK);

    await written({ op: "insert", in: people, record: person("a", soon) });
    const ofPerson = ["d{d}people:a", "u{d}people:email:a@example.com", "p{d}people:team:red"];
    for (const key of ofPerson) expect(await lifeOf(key), key).toBe(HOUR + SLACK);
    await written({ op: "replace", in: people, record: person("a", later), ifVersion: 1 });
    for (const key of ofPerson) expect(await lifeOf(key), key).toBe(2 * HOUR + SLACK);
    await written(put(person("b", soon)));
    expect(await lifeOf("p{d}people:team:red"), "it covers all it names").toBe(2 * HOUR + SLACK);

    for (const by of [1, 1, -1] as const) {
      await store.count("limit", { by, window: 3600, now: clock.now() });
      expect(await lifeOf("c{limit}")).toBe(HOUR + SLACK);
    }
    clock.advance(1800);
    await store.count("limit", { by: 1, window: 3600, now: clock.now() });
    expect(await lifeOf("c{limit}"), "a window is not extended").toBe(HOUR / 2 + SLACK);
  });

  it("has no end while it holds something that never expires", async () => {
    const soon = { expiresAt: clock.now() + HOUR };
    await written(put(note("a", soon)));
    await written(put(note("b")));
    await written(put(note("c", soon)));
    await written(put(person("a", soon)));
    await written(put(person("b")));
    await written(put(person("c", soon)));

    expect(await lifeOf("{p}notes")).toBeNull();
    expect(await lifeOf("p{d}people:team:red")).toBeNull();
    expect(await lifeOf("d{d}people:b")).toBeNull();
  });

  it("ends soon when what was written had ended already", async () => {
    const longAgo = { expiresAt: clock.now() - 100 * HOUR };
    await written(put(note("a", longAgo)));
    await written(put(note("a", { partition: "q", expiresAt: 0 })));
    await written(put(person("a", longAgo)));

    for (const key of await keysNow()) expect(await lifeOf(key), key).toBe(SLACK);
    expect(await store.get(notes, note("a", { partition: "q" })), "the start of 1970 is not for ever").toBeNull();
  });

  it("goes by the clock of the application, however far that of Redis is from it", async () => {
    for (const year of [1999, 2150]) {
      clock.set(Date.UTC(year, 0, 1));
      const record = note("a", { partition: String(year), expiresAt: clock.now() + HOUR });
      await written(put(record));

      expect(await lifeOf(`{${year}}notes`)).toBe(HOUR + SLACK);
      clock.advance(3599);
      expect((await store.get(notes, record))?.expiresAt).toBe(record.expiresAt);
      clock.advance(1);
      expect(await store.get(notes, record)).toBeNull();
    }
  });

  it("goes with its last record, and lookups with theirs", async () => {
    await written(put(note("a")), put(note("b")));
    await written(put(person("a")), put(person("b")));

    await store.take(notes, note("a"));
    await written({ op: "delete", in: notes, key: note("b") });
    await store.take(people, person("a"));
    await written({ op: "delete", in: people, key: person("b") });

    expect(await keysNow()).toEqual([]);
  });

  it("is gone after a sweep once its records have expired, lookups included, also when Redis dropped the records by itself", async () => {
    const soon = { expiresAt: clock.now() + HOUR };
    await written(put(note("a", soon)), put(note("b", soon)));
    await written(put(person("a", soon)), put(person("dropped", soon)), put(person("stays")));
    await store.count("limit", { by: 1, window: 3600, now: clock.now() });
    await client.del(`${prefix}d{d}people:dropped`);
    clock.advance(3600);

    expect(await store.sweep()).toEqual({ notes: 2, people: 1, counters: 1 });

    expect(await keysNow()).toEqual([
      "d{d}people:stays",
      "p{d}people:team:red",
      "u{d}people:email:dropped@example.com", // ends by itself, in the same instant as the record did
      "u{d}people:email:stays@example.com",
    ]);
    expect(await lifeOf("u{d}people:email:dropped@example.com")).toBe(HOUR + SLACK);
    expect(await client.zrange(`${prefix}p{d}people:team:red`, 0, "-1")).toEqual(["stays"]);
  });

  it("of an owner who comes back again and again does not collect what has expired", async () => {
    for (let day = 0; day < 200; day += 1) {
      await written({ op: "insert", in: notes, record: note(`day ${day}`, { expiresAt: clock.now() + 20 * HOUR }), max: 100 });
      clock.advance(86_400);
    }

    expect(await client.hlen(`${prefix}{p}notes`)).toBeLessThan(10);
  });

  it("of another prefix is out of reach, even when one begins with the other", async () => {
    const prefixes = ["", "c", "d", "p", "u", "!"].map((end) => `${prefix}${end}`);
    const stores = prefixes.map((name) => redisStore({ client, clock, prefix: name }));
    const soon = { expiresAt: clock.now() + HOUR };
    for (const [index, one] of stores.entries()) {
      await one.commit([put(note(`of ${index}`)), put(note("expires", { partition: "p", ...soon }))]);
      await one.commit([put(note("d", { partition: "d" }))]);
      await one.commit([put(person(`of ${index}`)), put(person("shared", { value: Buffer.from(String(index)) }))]);
      await one.count("limit", { by: 1, window: 7200, now: clock.now() });
    }

    for (const [index, one] of stores.entries()) {
      const ids = (records: { id: string }[]) => records.map(({ id }) => id);
      expect(ids(await one.list(notes, "p"))).toEqual([`of ${index}`, "expires"]);
      expect(ids(await one.find(people, "team", "red"))).toEqual([`of ${index}`, "shared"]);
      expect(Buffer.from((await one.get(people, person("shared")))?.value ?? []).toString()).toBe(String(index));
      expect(ids((await one.scan(notes)).records).sort()).toEqual(["d", "expires", `of ${index}`]);
      expect(ids((await one.scan(people)).records).sort()).toEqual([`of ${index}`, "shared"]);
      expect((await one.count("limit", { by: 1, window: 7200, now: clock.now() })).count).toBe(2);
    }
    clock.advance(3600);
    for (const one of stores) expect(await one.sweep()).toEqual({ notes: 1 });
    await stores[0]?.commit([{ op: "clear", in: notes, partition: "p" }]);
    expect(await stores[1]?.list(notes, "p")).toHaveLength(1);
    for (const one of stores) await one.close();
  });

  it("is not reached by a scan told to go on where none of its collection was", async () => {
    await written(put(note("secret", { partition: "q" })));
    await client.set(`${prefix}elsewhere`, "not ours");
    const at = (position: object) => Buffer.from(JSON.stringify(position)).toString("base64url");
    const start = { done: [], node: null, cursor: "0", keys: [], fields: [] };

    for (const forged of [
      { ...start, keys: [[`${prefix}{q}notes`, "0"]] },
      { ...start, keys: [[`${prefix}elsewhere`, "0"]] },
      { ...start, fields: [[`${prefix}{q}notes`, "secret"]] },
      { ...start, keys: [[1, 2]] },
      { ...start, cursor: "0 MATCH *" },
      { ...start, done: {} },
      [],
      null,
    ]) {
      await expect(store.scan(people, { after: at(forged as object) })).rejects.toMatchObject({ code: "config_error" });
    }
    await expect(store.scan(people, { after: "%%%" })).rejects.toMatchObject({ code: "config_error" });
    expect((await store.scan(notes, { after: at({ ...start, keys: [[`${prefix}{q}notes`, "0"]] }) })).records).toHaveLength(2);
  });
});
