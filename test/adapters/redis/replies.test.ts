import { inspect } from "node:util";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import { StorageError } from "../../../lib/errors.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import { startRedis } from "../../support/services.ts";
import { startFakeRedis } from "./fake-redis.ts";
import { note, notes, people, person } from "./samples.ts";

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const open = (url: string) => {
  const client = new Redis(url, clientOptions);
  client.on("error", () => {});
  const store = redisStore({ client });
  ends.push(
    () => client.disconnect(),
    () => store.close(),
  );
  return { client, store };
};

const secret = "the bytes of a record";
const put = (store: RecordStore) => store.commit([{ op: "put", in: notes, record: note("a", { value: Buffer.from(secret) }) }]);

const refusalOf = async (work: Promise<unknown>): Promise<StorageError> => {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError;
};

const until = async (attempt: () => Promise<unknown>) => {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries > 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
};

describe("an error that Redis answers", () => {
  it.each([
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "NOAUTH Authentication required.",
    "CLUSTERDOWN The cluster is down",
    "ERR unknown command 'EVALSHA'",
    "NOSCRIPT No matching script. Please use EVAL.",
  ])("is an outage to whoever asked, and no more than that: %s", async (message) => {
    const fake = await startFakeRedis();
    ends.push(fake.stop);
    const { store } = open(`redis://127.0.0.1:${fake.port}`);
    await store.get(notes, note("a"));
    fake.answer = `-${message}`;

    for (let round = 0; round < 7; round += 1) {
      for (const ask of [
        () => store.get(notes, note("a")),
        () => store.list(notes, "p"),
        () => put(store),
        () => store.take(people, person("a")),
      ]) {
        const error = await refusalOf(ask());
        expect(error).toMatchObject({ code: "storage_unavailable", status: 503, message: "The session store is unavailable" });
        expect((error.cause as Error).message).toBe(message);
      }
    }
    fake.answer = "$-1";
    expect(await store.get(notes, note("a")), "it has answered all the time, so it is asked").toBeNull();
  });

  it("does not carry what was to be stored into a log", async () => {
    const fake = await startFakeRedis();
    ends.push(fake.stop);
    const { store } = open(`redis://127.0.0.1:${fake.port}`);
    await store.get(notes, note("a"));
    fake.answer = "-OOM command not allowed when used memory > 'maxmemory'.";

    const error = await refusalOf(put(store));

    const logged = inspect(error, { depth: 10, showHidden: true });
    expect(logged).toContain("OOM");
    expect(logged).not.toContain(secret);
    expect(logged).not.toContain(Buffer.from(secret).toString("hex").replace(/../g, "$& ").trim().slice(0, 30));
  });

  it("refuses an answer of another kind than was asked for", async () => {
    const fake = await startFakeRedis();
    ends.push(fake.stop);
    const { store } = open(`redis://127.0.0.1:${fake.port}`);
    await store.get(notes, note("a"));
    for (const answer of ["+QUEUED", ":5", "*1\r\n$1\r\na", "$5\r\nhello"]) {
      fake.answer = answer;
      await refusalOf(store.get(notes, note("a")));
      await refusalOf(store.get(people, person("a")));
      await refusalOf(store.take(notes, note("a")));
    }
  });
});

describe("a Redis that is full", () => {
  it("refuses what adds, whole, and still reads and removes", async () => {
    const server = await startRedis({ args: ["--maxmemory-policy", "noeviction"] });
    ends.push(() => server.stop());
    const { client, store } = open(server.url);
    await store.commit([{ op: "put", in: notes, record: note("kept") }]);
    await store.commit([{ op: "put", in: people, record: person("kept") }]);
    await client.set("ballast", "x".repeat(2_000_000));
    await client.config("SET", "maxmemory", "1mb");

    const other = note("b", { value: Buffer.from("changed") });
    const error = await refusalOf(
      store.commit([
        { op: "delete", in: notes, key: note("kept") },
        { op: "put", in: notes, record: other },
      ]),
    );
    expect((error.cause as Error).message).toMatch(/^OOM /);
    await refusalOf(store.commit([{ op: "put", in: people, record: person("new") }]));
    await refusalOf(store.count("limit", { by: 1, window: 60, now: Date.now() }));

    expect((await store.list(notes, "p")).map(({ id }) => id)).toEqual(["kept"]);
    expect((await store.find(people, "email", "kept@example.com")).map(({ id }) => id)).toEqual(["kept"]);
    expect(await client.keys("lk:*new*")).toEqual([]);
    expect(await client.zrange("lk:p{d}people:team:red", 0, "-1")).toEqual(["kept"]);
    expect((await store.take(people, person("kept")))?.id).toBe("kept");
    expect(await store.commit([{ op: "clear", in: notes, partition: "p" }])).toBe(true);
    expect(await store.list(notes, "p")).toEqual([]);
  });
});

describe("a Redis that became a replica", () => {
  it("refuses writes, and is asked again on a new connection until there is a master", async () => {
    const server = await startRedis();
    ends.push(() => server.stop());
    const { client, store } = open(server.url);
    expect(await put(store)).toBe(true);
    await client.replicaof("127.0.0.1", "1");
    const lost = new Promise((resolve) => client.once("close", resolve));

    const error = await refusalOf(put(store));
    expect((error.cause as Error).message).toMatch(/READONLY /);
    await lost;

    const other = new Redis(server.url);
    ends.push(() => other.disconnect());
    await other.replicaof("NO", "ONE");
    await until(async () => expect(await put(store)).toBe(true));
  });
});
