import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { encrypted } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { accountCollection } from "../../lib/core/account-record.ts";
import type { RecordStore, Write } from "../../lib/storage/record-store.ts";
import { google } from "../../strategies/google.ts";
import { startFakeGoogle, type FakeGoogle } from "../support/fake-google.ts";
import { locationOf, startProviderApp, userOf, type Person, type ProviderApp } from "../support/provider-app.ts";

const INDEX_KEY = "an index key for tests, of 32 bytes";
const [KEY, NEXT_KEY] = ["a key for tests, of 32 bytes or more", "the key after it, of 32 bytes or more"];

let fake: FakeGoogle;
const closing: ProviderApp[] = [];

beforeAll(async () => {
  fake = await startFakeGoogle();
});
afterEach(async () => {
  for (const app of closing.splice(0)) await app.close();
});
afterAll(() => fake.close());

/** A store that notes, as text, all that it is asked to keep, and every lookup that it is asked for. */
function noting(inner: RecordStore): { store: RecordStore; noted: string[] } {
  const noted: string[] = [];
  const note = (write: Write) => {
    if (!("record" in write)) return;
    const { partition, id, lookups, value } = write.record;
    noted.push(JSON.stringify([write.in.name, partition, id, lookups]), Buffer.from(value).toString("latin1"));
  };
  return {
    noted,
    store: {
      ...inner,
      commit: (writes) => (writes.forEach(note), inner.commit(writes)),
      find: (from, lookup, value, page) => (noted.push(value), inner.find(from, lookup, value, page)),
      count: (counter, change) => (noted.push(counter), inner.count(counter, change)),
    },
  };
}

/** Signs in by code and by Google, makes an API key, and goes on using what came of it. */
async function walk(app: ProviderApp): Promise<{ byCode: Person; byGoogle: Person; key: string; canaries: string[] }> {
  const byCode = app.person();
  const address = "canary.person@example.com";
  const headers = { "user-agent": "CanaryBrowser/7 (canary)" };
  await byCode.send("POST", "/auth/magic/send", { email: address });
  const code = await app.mailbox.waitForCode(address);
  expect((await byCode.send("POST", "/auth/magic/verify", { code })).status).toBe(200);
  const made = await byCode.send("POST", "/auth/api-keys", { name: "canary of a key" });
  const { key } = (await made.json()) as { key: string };
  const user = await userOf(byCode);
  if (!user) throw new Error("nobody is signed in");
  await app.auth.users.update(user.id, { name: "Canary the Person" });

  const byGoogle = app.person();
  fake.user.sub = "canary-subject-1234";
  fake.user.email = "canary.person@gmail.example";
  fake.user.name = "Canary at Google";
  await byGoogle.go(fake.authorize(locationOf(await byGoogle.go("/auth/login/google?return_to=/canary-page", { headers }))), { headers });
  const known = await userOf(byGoogle);
  if (!known) throw new Error("nobody is signed in by Google");
  const token = await app.auth.accounts.freshToken(known.id, "google");
  expect(typeof token.accessToken).toBe("string");
  const cookies = [byCode, byGoogle].flatMap((person) => person.cookie("__Host-sid") ?? []);
  const canaries = ["canary", "Canary", "gmail.example", key, code, token.accessToken, ...cookies];
  return { byCode, byGoogle, key, canaries };
}

async function start(store: (clock: ProviderApp["clock"]) => RecordStore): Promise<ProviderApp> {
  const strategies = [google({ clientId: "g-client", clientSecret: "g-secret", fetch: fake.fetch })];
  const app = await startProviderApp({ strategies, apiKeys: true, makeStore: store });
  closing.push(app);
  return app;
}

describe("rule 27: what rests under an encrypted store", () => {
  it("holds nothing of a person in the clear, token sets included, after signing in by code, by provider, and with an API key", async () => {
    let noted: string[] = [];
    let inner: RecordStore | null = null;
    const app = await start((clock) => {
      const notes = noting((inner = memoryStore({ clock })));
      noted = notes.noted;
      return encrypted(notes.store, { keys: KEY, indexKey: INDEX_KEY });
    });

    const { canaries } = await walk(app);

    expect(noted.length).toBeGreaterThan(20);
    for (const canary of canaries) expect(noted.filter((text) => text.includes(canary))).toEqual([]);
    expect((await inner!.scan(accountCollection)).records.length).toBe(2); // one, and the mark of the index key
  });

  it("would be seen by that test: without encryption the same walk leaves plain text", async () => {
    let noted: string[] = [];
    const app = await start((clock) => {
      const notes = noting(memoryStore({ clock }));
      noted = notes.noted;
      return notes.store;
    });

    await walk(app);

    for (const canary of ["canary.person@example.com", "Canary the Person", "canary of a key", "canary-subject-1234", "CanaryBrowser"]) {
      expect(
        noted.some((text) => text.includes(canary)),
        canary,
      ).toBe(true);
    }
  });
});

describe("a rotation of keys under a running kit", () => {
  it("ends nobody's session, key or account", async () => {
    let inner: RecordStore | null = null;
    const first = await start((clock) => encrypted((inner = memoryStore({ clock })), { keys: KEY, indexKey: INDEX_KEY }));
    const { byCode, key } = await walk(first);
    const sid = byCode.cookie("__Host-sid") ?? "";
    const { id } = (await userOf(byCode)) ?? { id: "" };

    const second = await start(() => encrypted(inner!, { keys: [NEXT_KEY, KEY], indexKey: INDEX_KEY }));
    const resolved = await second.auth.sessions.resolve(sid);
    const again = second.person();
    await again.go(fake.authorize(locationOf(await again.go("/auth/login/google"))));

    expect(resolved.session?.userId).toBe(id);
    expect((await second.auth.apiKeys.authenticate(key)).userId).toBe(id);
    expect((await userOf(again))?.email).toBe("canary.person@gmail.example");
  });
});

describe("rule 49: a kit that lacks a key", () => {
  it("answers 503 with Retry-After, leaves the cookie alone, and serves again once the key is back", async () => {
    let inner: RecordStore | null = null;
    const first = await start((clock) => encrypted((inner = memoryStore({ clock })), { keys: KEY, indexKey: INDEX_KEY }));
    const { byCode } = await walk(first);
    const cookie = `__Host-sid=${byCode.cookie("__Host-sid")}`;
    const me = (app: ProviderApp) => fetch(`${app.url}/auth/me`, { headers: { cookie } });

    const without = await start(() => encrypted(inner!, { keys: NEXT_KEY, indexKey: INDEX_KEY, onUnreadable: () => {} }));
    const refused = await me(without);

    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, "storage_unavailable"]);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(refused.headers.get("set-cookie")).toBeNull();
    expect((await me(await start(() => encrypted(inner!, { keys: [NEXT_KEY, KEY], indexKey: INDEX_KEY })))).status).toBe(200);
  });
});
