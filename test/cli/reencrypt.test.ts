import { describe, expect, it } from "vitest";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { userCollection } from "../../lib/core/user-directory.ts";
import { accountCollection } from "../../lib/core/account-record.ts";
import { directoryKey } from "../../lib/storage/collection.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { runLatchkey } from "./cli-run.ts";

const [OLD, NEW, INDEX_KEY] = [
  "the old key for tests, of 32 bytes",
  "the new key for tests, of 32 bytes",
  "an index key for tests, of 32 bytes",
];
const under = (inner: RecordStore, keys: readonly string[], indexKey = INDEX_KEY) =>
  encrypted({ ...inner, close: async () => {} }, { keys, indexKey, onUnreadable: () => {} });

async function filled(keys: readonly string[] = [OLD], records = 250) {
  const inner = memoryStore();
  const store = under(inner, keys);
  for (let id = 0; id < records; id += 1) {
    const user = { ...directoryKey(`u${id}`), value: Buffer.from("{}"), expiresAt: null, lookups: { email: `${id}@example.com` } };
    await store.commit([{ op: "insert", in: userCollection, record: user }]);
  }
  return inner;
}

describe("latchkey reencrypt", () => {
  it("moves everything under the first key, and --check says before and after whether the old one can go", async () => {
    const inner = await filled();
    const config = () => ({ store: under(inner, [NEW, OLD]) });

    const before = await runLatchkey(["reencrypt", "--check"], { config: config() });
    const dry = await runLatchkey(["reencrypt", "--dry-run"], { config: config() });
    const done = await runLatchkey(["reencrypt"], { config: config() });
    const after = await runLatchkey(["reencrypt", "--check"], { config: config() });

    expect(before).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^key 2 \(\S{8}\): 251 records\n251 of 251 records need an old key, 0 cannot be read$/),
    });
    expect(dry).toMatchObject({ code: 0, out: "251 records: 251 would be rewritten, 0 current, 0 removed meanwhile, 0 unreadable" });
    expect(done).toMatchObject({ code: 0, out: "251 records: 251 rewritten, 0 current, 0 removed meanwhile, 0 unreadable" });
    expect(after).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^key 1 \(\S{8}\): 251 records\nall 251 records rest under the first key/),
    });
    expect(await under(inner, [NEW]).find(userCollection, "email", "7@example.com")).toHaveLength(1);
  });

  it("when stopped says where, and goes on from there", async () => {
    const inner = await filled();
    const config = () => ({ store: under(inner, [NEW, OLD]) });
    const stop = new AbortController();
    let pages = 0;
    const clock = { now: () => (pages += 1) * 2000 }; // so that every page is told of

    const first = await runLatchkey(["reencrypt"], { config: config(), clock, signal: stop.signal });
    expect(first.err).toMatch(/^\d+ records, at users:$/m);

    const half = await filled();
    const told: string[] = [];
    const scan: RecordStore["scan"] = async (from, page) => {
      const answer = await half.scan(from, page);
      if (from.name === "users" && page?.after !== undefined) stop.abort();
      return answer;
    };
    const stopped = await runLatchkey(["reencrypt"], { config: { store: under({ ...half, scan }, [NEW, OLD]) }, signal: stop.signal });
    expect(stopped).toMatchObject({ code: 1, out: expect.stringMatching(/^100 records: 100 rewritten/) });
    const cursor = /^stopped; go on with: latchkey reencrypt --from (users:\S+)$/m.exec(stopped.err)?.[1] ?? "";
    told.push(cursor);

    const rest = await runLatchkey(["reencrypt", "--from", cursor], { config: { store: under(half, [NEW, OLD]) } });
    expect(rest).toMatchObject({ code: 0, out: expect.stringMatching(/^151 records: 151 rewritten/) });
    expect((await runLatchkey(["reencrypt", "--check"], { config: { store: under(half, [NEW, OLD]) } })).code).toBe(0);
    expect(await runLatchkey(["reencrypt", "--from", "nowhere"], { config: config() })).toMatchObject({
      code: 1,
      err: expect.stringContaining("reencrypt.from: give the `next` of a report"),
    });
  });

  it("names records that cannot be read without naming whose they are, goes on, and ends with 1", async () => {
    const inner = await filled([OLD], 3);
    const broken = { ...directoryKey("secret-id"), value: Buffer.from("plain"), expiresAt: null };
    await inner.commit([{ op: "insert", in: accountCollection, record: broken }]);
    const config = () => ({ store: under(inner, [NEW, OLD]) });

    const { code, out, err } = await runLatchkey(["reencrypt"], { config: config() });

    expect([code, out]).toEqual([1, "5 records: 4 rewritten, 0 current, 0 removed meanwhile, 1 unreadable"]);
    expect(err).toMatch(/^unreadable: accounts [0-9a-f]{16}: malformed$/m);
    expect(err).not.toContain("secret-id");
    expect(await runLatchkey(["reencrypt", "--check"], { config: config() })).toMatchObject({
      code: 1,
      out: expect.stringContaining("not sealed: 1 records"),
    });
  });

  it("seals what was written in the clear, and hashes lookups anew, when told so", async () => {
    const inner = await filled([OLD], 3);
    const plain = { ...directoryKey("p"), value: Buffer.from("{}"), expiresAt: null, lookups: { email: "p@example.com" } };
    await inner.commit([{ op: "insert", in: userCollection, record: plain }]);
    const other = "another index key, of 32 bytes or more";

    const sealed = await runLatchkey(["reencrypt", "--seal-plaintext"], { config: { store: under(inner, [OLD]) } });
    const reindexed = await runLatchkey(["reencrypt", "--reindex"], { config: { store: under(inner, [OLD], other) } });

    expect([sealed.code, reindexed.code]).toEqual([0, 0]);
    expect(await under(inner, [OLD], other).find(userCollection, "email", "p@example.com")).toHaveLength(1);
  });

  it("refuses a store that is not encrypted, and --check beside what it would not do", async () => {
    expect(await runLatchkey(["reencrypt"], { config: { store: memoryStore() } })).toMatchObject({
      code: 2,
      err: expect.stringContaining("is memory"),
    });
    expect((await runLatchkey(["reencrypt", "--check", "--dry-run"], { config: {} })).code).toBe(2);
  });
});
