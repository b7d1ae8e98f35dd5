import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions, redisStore } from "../../../lib/adapters/redis/index.ts";
import type { RecordStore } from "../../../lib/storage/record-store.ts";
import { startRedis, type RedisServer } from "../../support/services.ts";
import { note, notes, people, person } from "./samples.ts";
import { sentCommands } from "./sent-commands.ts";

let server: RedisServer;
let client: Redis;
let store: RecordStore;
let sent: string[];

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, clientOptions);
  sent = sentCommands(client);
  store = redisStore({ client });
});

afterAll(async () => {
  await store.close();
  client.disconnect();
  await server.stop();
});

/** One of each operation that a request may cause. */
const operations: Record<string, () => Promise<unknown>> = {
  "get of a partition's record": () => store.get(notes, note("a")),
  "get of a directory record": () => store.get(people, person("a")),
  list: () => store.list(notes, "p"),
  "find by a unique lookup": () => store.find(people, "email", "a@example.com"),
  "find by a plain lookup": () => store.find(people, "team", "red", { limit: 1, after: "a" }),
  "take from a partition": () => store.take(notes, note("taken")),
  "take from a directory": () => store.take(people, person("taken")),
  "commit of an insert with a cap": () => store.commit([{ op: "insert", in: notes, record: note("b"), max: 5 }]),
  "commit of several writes": () =>
    store.commit([
      { op: "put", in: notes, record: note("c") },
      { op: "delete", in: notes, key: note("d") },
    ]),
  "commit to a directory": () =>
    store.commit([
      { op: "put", in: people, record: person("b") },
      { op: "delete", in: people, key: person("d") },
    ]),
  "count up": () => store.count("counter", { by: 1, window: 60, now: Date.now() }),
  "count down": () => store.count("counter", { by: -1, window: 60, now: Date.now() }),
};

describe("the Redis store", () => {
  it("asks with one command for everything that a request needs", async () => {
    for (const run of Object.values(operations)) await run();

    for (const [what, run] of Object.entries(operations)) {
      sent.splice(0);
      await run();
      expect(sent, what).toHaveLength(1);
      expect(sent[0], what).toMatch(what.startsWith("get") ? /^h?get$/ : what === "list" ? /^hgetall$/ : /^evalsha$/);
    }
  });

  it("sends in one write what one turn of the event loop asks for", async () => {
    const reads = async () => Number(/total_reads_processed:(\d+)/.exec(await client.info("stats"))?.[1]);
    const before = await reads();
    const asked = [];
    for (let turn = 0; turn < 50; turn += 1) {
      asked.push(store.get(notes, note(`n${turn}`)));
      await Promise.resolve();
    }
    await Promise.all(asked);

    expect((await reads()) - before).toBe(2); // that write, and the question about it
  });

  it("clears a partition of 5,000 records with one command, and with one to keep too", async () => {
    for (const keep of [undefined, "n17"]) {
      for (let start = 0; start < 5000; start += 500) {
        const writes = Array.from({ length: 500 }, (_, index) => ({ op: "put", in: notes, record: note(`n${start + index}`) }) as const);
        await store.commit(writes);
      }
      sent.splice(0);

      await store.commit([{ op: "clear", in: notes, partition: "p", ...(keep === undefined ? {} : { keep }) }]);

      expect(sent).toEqual(["evalsha"]);
      expect((await store.list(notes, "p")).map(({ id }) => id)).toEqual(keep === undefined ? [] : [keep]);
    }
  });

  it("sends a script whole when Redis forgot it, once, and by its name from then on", async () => {
    for (const [what, run] of Object.entries(operations)) {
      if (/^(get|list)/.test(what)) continue;
      await client.script("FLUSH");
      sent.splice(0);
      await run();
      await run();
      expect(sent, what).toEqual(["evalsha", "eval", "evalsha"]);
    }
  });

  it("runs nothing twice when Redis forgot its scripts", async () => {
    const now = Date.now();
    await client.script("FLUSH");

    const counts = await Promise.all(Array.from({ length: 20 }, () => store.count("flushed", { by: 1, window: 60, now })));

    expect(counts.map(({ count }) => count).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect((await store.count("flushed", { by: 1, window: 60, now })).count).toBe(21);
  });

  it("keeps reads behind the writes they were started after, also when Redis forgot the script of either", async () => {
    await store.find(people, "team", "red");
    for (const forget of [() => client.script("FLUSH"), () => Promise.resolve()]) {
      await forget();
      const record = person("late");
      const done = store.commit([{ op: "insert", in: people, record }]);
      const [got, found] = [store.get(people, record), store.find(people, "email", "late@example.com")];

      expect(await done).toBe(true);
      expect((await got)?.id).toBe("late");
      expect((await found).map(({ id }) => id)).toEqual(["late"]);
      await store.take(people, record);
    }
  });

  it("keeps a lookup behind a write of which only the write's script was forgotten", async () => {
    await client.script("FLUSH");
    await store.find(people, "team", "red");
    const record = person("later");

    const done = store.commit([{ op: "insert", in: people, record }]);
    const found = store.find(people, "email", "later@example.com");

    expect(await done).toBe(true);
    expect((await found).map(({ id }) => id)).toEqual(["later"]);
  });
});
