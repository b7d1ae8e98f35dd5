import { Redis, type RedisOptions } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientOptions, redisStore, type RedisStoreOptions } from "../../../lib/adapters/redis/index.ts";
import { StorageError } from "../../../lib/errors.ts";
import { startRedis, type RedisServer } from "../../support/services.ts";
import { note, notes, people, person } from "./samples.ts";
import { sentCommands } from "./sent-commands.ts";

let server: RedisServer;
const ends: (() => unknown)[] = [];

beforeEach(async () => {
  server = await startRedis();
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await server.stop();
});

/** A store on the test's server, with a client of its own; short of patience, so that tests are. */
const open = (options: Pick<RedisOptions, "lazyConnect" | "socketTimeout"> = {}, more: Partial<RedisStoreOptions> = {}) => {
  const client = new Redis(server.url, { ...clientOptions, ...options });
  client.on("error", () => {});
  const store = redisStore({ client, timeout: 200, ...more });
  ends.push(
    () => client.disconnect(),
    () => store.close(),
  );
  return { client, store };
};

/** One of each operation, all at once; each must be refused as an outage. Resolves to the messages. */
const refuseAll = async (store: ReturnType<typeof redisStore>): Promise<string[]> => {
  const attempts: Promise<unknown>[] = [
    store.get(notes, note("a")),
    store.get(people, person("a")),
    store.list(notes, "p"),
    store.find(people, "email", "a@example.com"),
    store.take(notes, note("a")),
    store.commit([{ op: "put", in: notes, record: note("late") }]),
    store.commit([{ op: "put", in: people, record: person("late") }]),
    store.count("limit", { by: 1, window: 60, now: Date.now() }),
    store.scan(notes),
    store.sweep(),
  ];
  const errors = await Promise.all(
    attempts.map((attempt) =>
      attempt.then(
        () => null,
        (error: unknown) => error,
      ),
    ),
  );
  for (const error of errors) {
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ code: "storage_unavailable", status: 503, retryAfter: 1 });
  }
  return errors.map((error) => (error as StorageError).message);
};

/** Tries until `attempt` does not reject; resolves to the ms that took. */
const until = async (attempt: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  for (;;) {
    try {
      await attempt();
      return performance.now() - start;
    } catch (error) {
      if (performance.now() - start > 10_000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
};

const timed = async <T>(work: Promise<T>): Promise<{ result: T; ms: number }> => {
  const start = performance.now();
  return { result: await work, ms: performance.now() - start };
};

describe("when Redis stands still, the store", () => {
  it("refuses within the deadline, then at once and without sending, and works again when Redis goes on", async () => {
    const { client, store } = open();
    await store.commit([{ op: "put", in: notes, record: note("a") }]);
    const sent = sentCommands(client);

    server.pause();
    const first = await timed(refuseAll(store));
    expect(first.ms).toBeLessThan(1500);
    expect(new Set(first.result)).toEqual(new Set(["Redis did not answer within 200 ms"]));

    sent.splice(0);
    const then = await refuseAll(store);
    expect(new Set(then)).toEqual(new Set(["Redis does not answer"]));
    expect(sent.filter((name) => name !== "ping")).toEqual([]);

    server.resume();
    expect(await until(() => store.get(notes, note("a")))).toBeLessThan(1500);
    expect((await store.get(notes, note("a")))?.id).toBe("a");
  });

  it("asks it again with one PING at a time", async () => {
    const { client, store } = open({ socketTimeout: 10_000 });
    await store.get(notes, note("a"));
    const sent = sentCommands(client);
    server.pause();
    await refuseAll(store);

    await new Promise((resolve) => setTimeout(resolve, 1200));

    expect(sent.filter((name) => name === "ping")).toHaveLength(1);
    server.resume();
    await until(() => store.get(notes, note("a")));
  });

  it("rule 45: answers each caller once, though late commands still run when Redis goes on", async () => {
    const { store } = open();
    await store.commit([{ op: "put", in: notes, record: note("a") }]);
    let settled = 0;
    server.pause();
    const late = Array.from({ length: 4 }, (_, index) =>
      store.commit([{ op: "insert", in: notes, record: note(`late ${index}`) }]).finally(() => (settled += 1)),
    );
    expect((await Promise.allSettled(late)).map(({ status }) => status)).toEqual(Array(4).fill("rejected"));

    server.resume();
    await until(async () => expect(await store.list(notes, "p")).toHaveLength(5));

    expect(settled).toBe(4);
    const again = await Promise.all(
      [0, 1, 2, 3].map((index) => store.commit([{ op: "insert", in: notes, record: note(`late ${index}`) }])),
    );
    expect(again, "each may be repeated").toEqual(Array(4).fill(true));
    expect(await store.list(notes, "p")).toHaveLength(5);
  });

  it("keeps answering while fewer than five commands in a row were too late", async () => {
    const { store } = open();
    await store.get(notes, note("a"));
    for (let round = 0; round < 2; round += 1) {
      server.pause();
      await Promise.allSettled([1, 2, 3, 4].map(() => store.get(notes, note("a"))));
      server.resume();
      await store.get(notes, note("a"));
    }
  });
});

describe("when Redis dies, the store", () => {
  it("refuses at once, works again when it is back, and sends its scripts anew", async () => {
    const { client, store } = open();
    await store.commit([{ op: "put", in: notes, record: note("a") }]);
    const closed = new Promise((resolve) => client.once("close", resolve));
    const inFlight = store.get(notes, note("a"));
    await inFlight;

    await server.kill("SIGKILL");
    await closed;
    for (const message of await refuseAll(store)) expect(message).toMatch(/^Redis is not connected \(\w+\)$/);

    await server.restart();
    expect(await until(() => store.commit([{ op: "insert", in: notes, record: note("b") }]))).toBeLessThan(5000);
    expect((await store.list(notes, "p")).map(({ id }) => id)).toEqual(["b"]);
  });

  it("refuses commands that were on their way, once each", async () => {
    const { store } = open();
    await store.get(notes, note("a"));
    server.pause();
    const flying = Array.from({ length: 20 }, (_, index) => store.count("limit", { by: 1, window: 60, now: index + 1 }));
    const outcome = Promise.allSettled(flying);

    await server.kill("SIGKILL");

    for (const result of await outcome) expect(result).toMatchObject({ status: "rejected", reason: { code: "storage_unavailable" } });
  });

  it("tells watchers of changes again when it is back", async () => {
    const { store } = open();
    const heard: string[] = [];
    await store.watch(({ id }) => heard.push(id ?? ""));
    await store.commit([{ op: "put", in: notes, record: note("before") }]);
    await until(async () => expect(heard).toContain("before"));

    await server.kill("SIGKILL");
    await server.restart();

    await until(async () => {
      await store.commit([{ op: "put", in: notes, record: note("after") }]);
      expect(heard).toContain("after");
    });
  });
});

describe("when Redis is not there yet, the store", () => {
  it("refuses within the deadline and works once it is", async () => {
    await server.kill("SIGKILL");
    const { store } = open();

    expect((await timed(refuseAll(store))).ms).toBeLessThan(1500);
    await expect(store.watch(() => {})).rejects.toBeInstanceOf(StorageError);

    await server.restart();
    await until(() => store.get(notes, note("a")));
    await store.watch(() => {});
  });

  it("waits for a client that is about to connect, and connects one that waits to be told", async () => {
    for (const lazyConnect of [false, true]) {
      const { client, store } = open({ lazyConnect }, { timeout: 5000 });
      expect(client.status).toBe(lazyConnect ? "wait" : "connecting");

      const [written, read] = await Promise.all([store.commit([{ op: "put", in: notes, record: note("a") }]), store.get(notes, note("a"))]);

      expect(written).toBe(true);
      expect(read?.id).toBe("a");
    }
  });

  it("refuses at once when the application has ended its client", async () => {
    const { client, store } = open();
    await store.get(notes, note("a"));
    client.disconnect();
    await until(async () => expect(client.status).toBe("end"));

    expect(new Set(await refuseAll(store))).toEqual(new Set(["Redis is not connected (end)"]));
  });
});

describe("a closed store", () => {
  it("refuses what waits and what comes, sends nothing, and leaves nothing on the client or the server", async () => {
    const { client, store } = open();
    await store.get(notes, note("a"));
    const listeners = () => Object.fromEntries(client.eventNames().map((name) => [String(name), client.listenerCount(name)]));
    const second = redisStore({ client, timeout: 200 });
    const before = { listeners: listeners(), connections: await connections(client) };
    await second.close();
    const bare = listeners();

    const third = redisStore({ client, timeout: 200 });
    await third.watch(() => {});
    expect(listeners()).toEqual(before.listeners);
    expect(await connections(client)).toBe(before.connections + 1);
    const sent = sentCommands(client);
    server.pause();
    const waiting = [third.get(notes, note("a")), third.list(notes, "p")];
    const closing = third.close();

    for (const one of waiting) await expect(one).rejects.toMatchObject({ message: "The Redis store was closed" });
    await closing;
    server.resume();
    await client.ping();
    sent.splice(0);
    expect(new Set(await refuseAll(third))).toEqual(new Set(["The Redis store is closed"]));
    await expect(third.watch(() => {})).rejects.toBeInstanceOf(StorageError);
    await third.close();

    expect(sent).toEqual([]);
    expect(listeners()).toEqual(bare);
    await until(async () => expect(await connections(client)).toBe(before.connections));
    expect((await store.get(notes, note("a"))) ?? null, "the client stays open").toBeNull();
  });

  it("leaves a subscriber that the application gave open, and unsubscribed", async () => {
    const subscriber = new Redis(server.url);
    ends.push(() => subscriber.disconnect());
    const { store } = open({}, { subscriber });
    await store.watch(() => {});
    expect(subscriber.listenerCount("message")).toBe(1);

    await store.close();

    expect(subscriber.listenerCount("message")).toBe(0);
    expect(await subscriber.ping()).toBe("PONG");
  });
});

describe("an idle watch", () => {
  it("stays connected, though the client gives up on connections that do not answer", async () => {
    const { client, store } = open({ socketTimeout: 100 });
    const heard: (string | null)[] = [];
    await store.watch(({ id }) => heard.push(id));
    const ids = async () => String(await client.client("LIST")).match(/\bid=\d+/g);
    const before = await ids();

    await new Promise((resolve) => setTimeout(resolve, 600));

    expect(await ids()).toEqual(before);
    await store.commit([{ op: "put", in: notes, record: note("a") }]);
    await until(async () => expect(heard).toEqual(["a"]));
  });
});

/** Clients that the server counts. */
async function connections(client: Redis): Promise<number> {
  return String(await client.client("LIST"))
    .trim()
    .split("\n").length;
}
