import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { clientOptions, redisStore } from "../../lib/adapters/redis/index.ts";
import { userCollection } from "../../lib/core/user-directory.ts";
import { sessionCollection } from "../../lib/core/session-record.ts";
import { directoryKey } from "../../lib/storage/collection.ts";
import { redisUrl } from "../support/services.ts";
import { runLatchkey } from "./cli-run.ts";

const [OLD, NEW, INDEX_KEY] = [
  "the old key for tests, of 32 bytes",
  "the new key for tests, of 32 bytes",
  "an index key for tests, of 32 bytes",
];
let client: Redis;

beforeAll(async () => {
  client = new Redis(await redisUrl(), clientOptions);
  await new Promise((resolve) => client.once("ready", resolve));
});
afterAll(() => client.disconnect());

describe("latchkey reencrypt, of a Redis", { timeout: 60_000 }, () => {
  it("goes on in another process where one was stopped, and leaves nothing out", async () => {
    const open = (keys: readonly string[]) => {
      const store = redisStore({ client, prefix: "cli-reencrypt:", timeout: 2000 });
      return { inner: store, store: encrypted(store, { keys, indexKey: INDEX_KEY }) };
    };
    const { store } = open([OLD]);
    const value = Buffer.from("{}");
    for (let id = 0; id < 450; id += 1) {
      await store.commit([{ op: "insert", in: userCollection, record: { ...directoryKey(`u${id}`), value, expiresAt: null } }]);
      await store.commit([{ op: "insert", in: sessionCollection, record: { partition: `p${id}`, id: "s", value, expiresAt: null } }]);
    }

    const stop = new AbortController();
    const { inner } = open([NEW, OLD]);
    let scans = 0;
    const scan: typeof inner.scan = async (from, page) => {
      const answer = await inner.scan(from, page);
      if (from.name === "users" && (scans += 1) === 3) stop.abort();
      return answer;
    };
    const half = encrypted({ ...inner, scan }, { keys: [NEW, OLD], indexKey: INDEX_KEY });
    const stopped = await runLatchkey(["reencrypt"], { config: { store: half }, signal: stop.signal });
    const cursor = /--from (users:\S+)$/m.exec(stopped.err)?.[1] ?? "";
    const rest = await runLatchkey(["reencrypt", "--from", cursor], { config: { store: open([NEW, OLD]).store } });
    const check = await runLatchkey(["reencrypt", "--check"], { config: { store: open([NEW, OLD]).store } });

    expect([stopped.code, rest.code, check.code]).toEqual([1, 0, 0]);
    expect(Number(/^(\d+) records/.exec(rest.out)?.[1])).toBeLessThan(450);
    expect(check.out).toContain("all 901 records rest under the first key");
  });
});
