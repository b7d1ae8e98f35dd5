import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { createTransactions, type TransactionData } from "../../lib/core/transactions.ts";
import { createTestClock } from "../../lib/testing/index.ts";

const DATA: TransactionData = { session: { "latchkey:google": { s: { nonce: "n" } } }, intent: "sign_in", returnTo: "/home" };

function createKit() {
  const clock = createTestClock();
  const store = memoryStore({ clock });
  return { clock, store, transactions: createTransactions({ store, clock }) };
}

describe("transactions", () => {
  it("rule 1: are spent by one of ten who take them at once", async () => {
    const { transactions } = createKit();
    const key = { provider: "google", state: "s", binding: "b" };
    await transactions.begin({ ...key, data: DATA });

    const taken = await Promise.all(Array.from({ length: 10 }, () => transactions.take(key)));

    expect(taken.filter((data) => data !== null)).toEqual([DATA]);
    expect(await transactions.take(key)).toBeNull();
  });

  it("rule 23: are found by no other browser, provider or state, whose try spends nothing", async () => {
    const { transactions } = createKit();
    const key = { provider: "google", state: "s", binding: "b" };
    await transactions.begin({ ...key, data: DATA });

    expect(await transactions.take({ ...key, binding: "other" })).toBeNull();
    expect(await transactions.take({ ...key, provider: "github" })).toBeNull();
    expect(await transactions.take({ ...key, state: "other" })).toBeNull();
    expect(await transactions.take({ provider: "google", state: "sb", binding: "" })).toBeNull();
    expect(await transactions.take({ provider: "google1:", state: "s", binding: "b" })).toBeNull();
    expect(await transactions.take(key)).toEqual(DATA);
  });

  it("rule 23: may be open several at once in one browser", async () => {
    const { transactions } = createKit();
    const keys = ["s1", "s2", "s3"].map((state) => ({ provider: "google", state, binding: "b" }));
    for (const key of keys) await transactions.begin({ ...key, data: { ...DATA, returnTo: `/${key.state}` } });

    const taken = await Promise.all(keys.toReversed().map((key) => transactions.take(key)));

    expect(taken.map((data) => data?.returnTo)).toEqual(["/s3", "/s2", "/s1"]);
  });

  it("rule 7: end after ten minutes", async () => {
    const { transactions, clock } = createKit();
    const key = { provider: "google", state: "s", binding: "b" };
    await transactions.begin({ ...key, data: DATA });
    clock.advance(599.999);
    expect(await transactions.take(key)).toEqual(DATA);

    await transactions.begin({ ...key, data: DATA });
    clock.advance(600);
    expect(await transactions.take(key)).toBeNull();
  });

  it("rest without the state and the binding that find them", async () => {
    const { transactions, store } = createKit();
    await transactions.begin({ provider: "google", state: "the-state", binding: "the-binding", data: { ...DATA, session: {} } });

    const { records } = await store.scan({ kind: "partitioned", name: "oauth_transactions" });

    const resting = records.map(({ partition, id, value }) => `${partition} ${id} ${Buffer.from(value).toString()}`).join();
    expect(records).toHaveLength(1);
    expect(resting).not.toMatch(/the-state|the-binding/);
  });

  it("rule 49: are refused and reported when their record does not parse", async () => {
    const { store, clock } = createKit();
    const told: AuthEvent[] = [];
    const events = createEvents(clock);
    events.on("*", (event) => told.push(event));
    const broken = {
      ...store,
      take: async (...args: Parameters<typeof store.take>) => {
        const record = await store.take(...args);
        return record && { ...record, value: Buffer.from("null") };
      },
    };
    const transactions = createTransactions({ store: broken, clock, events });
    const key = { provider: "google", state: "state", binding: "binding" };
    await transactions.begin({ ...key, data: { session: {}, intent: "sign_in", returnTo: "/" } });
    await expect(transactions.take(key)).rejects.toMatchObject({ status: 503 });
    expect(told).toMatchObject([{ type: "record.unreadable", details: { collection: "oauth_transactions" } }]);
  });

  it("refuse what a strategy wants to remember beyond 16 KB", async () => {
    const { transactions } = createKit();
    const data = { ...DATA, session: { blob: "x".repeat(16 * 1024) } };

    await expect(transactions.begin({ provider: "google", state: "s", binding: "b", data })).rejects.toMatchObject({
      code: "provider_error",
    });
  });
});
