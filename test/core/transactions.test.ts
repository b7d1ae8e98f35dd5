import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import { createTransactions, transactionCollection, type TransactionData, type TransactionKey } from "../../lib/core/transactions.ts";
import { createKeyRing } from "../../lib/crypto/key-ring.ts";
import { newAttempt } from "../../lib/oauth/flow.ts";
import { createTestClock } from "../../lib/testing/index.ts";

const keys = createKeyRing(["the secret of an application, of some length"]);
const DATA: TransactionData = { session: { "latchkey:google": { s: { nonce: "n" } } }, intent: "sign_in", returnTo: "/home" };

function createKit() {
  const clock = createTestClock();
  const store = memoryStore({ clock });
  return { clock, store, transactions: createTransactions({ store, clock, keys }) };
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

  it("rule 7: end after ten minutes, and for half an hour say no more than what they were for", async () => {
    const { transactions, clock } = createKit();
    const key = { provider: "google", state: "s", binding: "b" };
    await transactions.begin({ ...key, data: DATA });
    clock.advance(599.999);
    expect(await transactions.take(key)).toEqual(DATA);

    await transactions.begin({ ...key, data: DATA });
    clock.advance(600);
    expect(await transactions.take(key)).toEqual({ session: null, intent: "sign_in", returnTo: "/home" });
    expect(await transactions.take(key)).toBeNull();

    await transactions.begin({ ...key, data: DATA });
    clock.advance(1800);
    expect(await transactions.take(key)).toBeNull();
  });

  it("rule 27: rest without the state, the binding, the nonce and the PKCE verifier", async () => {
    const { transactions, store, clock } = createKit();
    const attempt = newAttempt("https://app.example.com/auth/callback/google", clock.now(), { reauthenticate: false });
    const { state, nonce, codeVerifier } = attempt;
    const data = { ...DATA, session: { "latchkey:google": { [state]: attempt } } };
    await transactions.begin({ provider: "google", state, binding: "the-binding", data });

    const { records } = await store.scan(transactionCollection);

    const resting = records.map(({ partition, id, value }) => `${partition} ${id} ${Buffer.from(value).toString()}`).join();
    expect(records).toHaveLength(1);
    expect([state, nonce, codeVerifier, "the-binding"].filter((secret) => resting.includes(secret))).toEqual([]);
    expect(await transactions.take({ provider: "google", state, binding: "the-binding" })).toEqual(data);
  });

  it("rule 27: open under every secret there is, and are lost, not a crash, under another", async () => {
    const { transactions, store, clock } = createKit();
    const told: AuthEvent[] = [];
    const events = createEvents(clock);
    events.on("*", (event) => told.push(event));
    const under = (...secrets: string[]) => createTransactions({ store, clock, keys: createKeyRing(secrets), events });
    const key = { provider: "google", state: "s", binding: "b" };

    await transactions.begin({ ...key, data: DATA });
    expect(await under("a newer secret of the application", "the secret of an application, of some length").take(key)).toEqual(DATA);
    expect(told).toEqual([]);

    await transactions.begin({ ...key, data: DATA });
    expect(await under("a newer secret of the application").take(key)).toBeNull();
    expect(told).toMatchObject([{ type: "record.unreadable", details: { collection: "oauth_transactions" } }]);
  });

  it("rule 27: are lost when their data was put into another's record", async () => {
    const { transactions, store } = createKit();
    const [hers, his] = ["hers", "his"].map((binding) => ({ provider: "google", state: "s", binding })) as [TransactionKey, TransactionKey];
    await transactions.begin({ ...hers, data: { ...DATA, returnTo: "/hers" } });
    const [herRecord] = (await store.scan(transactionCollection)).records;
    expect((await transactions.take(hers))?.returnTo).toBe("/hers");
    await transactions.begin({ ...his, data: DATA });
    const [hisRecord] = (await store.scan(transactionCollection)).records;
    if (!herRecord || !hisRecord) throw new Error("A transaction was not kept");
    const { partition, id, expiresAt } = hisRecord;
    await store.commit([{ op: "put", in: transactionCollection, record: { partition, id, expiresAt, value: herRecord.value } }]);

    expect(await transactions.take(his)).toBeNull();
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
    const transactions = createTransactions({ store: broken, clock, keys, events });
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
