import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cached } from "../../lib/adapters/cached/index.ts";
import { checkKeys, encrypted, reencrypt } from "../../lib/adapters/encrypted/index.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { routed } from "../../lib/adapters/routed/index.ts";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { createTestClock, recordStoreConformance } from "../../lib/testing/index.ts";
import { startApp } from "../support/app.ts";

const [KEY, NEXT_KEY] = ["a key for tests, of 32 bytes or more", "the key after it, of 32 bytes or more"];
const KEYS = { keys: KEY, indexKey: "an index key for tests, of 32 bytes" };

const dir = mkdtempSync(join(tmpdir(), "latchkey-encrypted-"));
let opened = 0;
const newPath = () => join(dir, `${(opened += 1)}.db`);

afterAll(() => rmSync(dir, { recursive: true }));

// Rule 11: the contract suite, races included, through all wrappers at once.
recordStoreConformance(
  "encrypted(cached(routed(sqlite, memory)))",
  async ({ clock, collections }) => {
    const directory = sqliteStore({ path: newPath(), clock, collections });
    const both = routed({ directory, ephemeral: memoryStore({ clock }) });
    const store = encrypted(cached(both, { clock, collections: ["conformance_notes", "conformance_marks"] }), KEYS);
    await store.migrate();
    return store;
  },
  { describe, it },
);

describe("an encrypted store over SQLite", () => {
  it("leaves nothing of a person in its files in the clear, and loses nobody when its keys are rotated", async () => {
    const [path, clock] = [newPath(), createTestClock()];
    const sqlite = sqliteStore({ path, clock });
    const store = encrypted(sqlite, KEYS);
    await store.migrate();
    const app = await startApp({ clock, store });
    const email = "canary.person@example.com";
    const user = await app.auth.users.create({ email, name: "Canary the Person" });
    const source = { ip: "203.0.113.77", userAgent: "CanaryBrowser/7" };
    const { token } = await app.auth.sessions.create({ userId: user.id, source });
    const { key } = await app.auth.apiKeys.create({ userId: user.id, name: "canary of a key" });
    await app.auth.magicCodes.request({ email, purpose: "sign_in", source });

    const files = readdirSync(dir).filter((name) => join(dir, name).startsWith(path));
    const text = files.map((name) => readFileSync(join(dir, name)).toString("latin1")).join("");
    expect(text).toContain("latchkey_users");
    for (const canary of [email, "anary", "203.0.113.77", token, key]) expect(text).not.toContain(canary);

    const rotation = { ...KEYS, keys: [NEXT_KEY, KEY] };
    const report = await reencrypt(sqlite, rotation);
    expect(report).toMatchObject({ failed: 0, vanished: 0, finished: true });
    expect(report.rewritten).toBeGreaterThanOrEqual(5);
    expect((await checkKeys(sqlite, { keys: rotation.keys })).map(({ position }) => position)).toEqual([0]);
    await app.close();

    const next = await startApp({ clock, store: encrypted(sqliteStore({ path, clock }), { ...KEYS, keys: NEXT_KEY }) });
    expect((await next.auth.sessions.resolve(token)).session?.userId).toBe(user.id);
    expect((await next.auth.apiKeys.authenticate(key)).userId).toBe(user.id);
    await expect(next.auth.users.create({ email })).rejects.toMatchObject({ code: "email_taken" });
    await next.close();
  });
});
