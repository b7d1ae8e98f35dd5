import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { apiKeyPattern, createApiKeys, looksLikeApiKey, type ApiKeysOptions } from "../../lib/core/api-keys.ts";
import { apiKeyCollection } from "../../lib/core/api-key-record.ts";
import { apiKeyTag, createApiKeyTexts } from "../../lib/core/api-key-text.ts";
import { createBackground } from "../../lib/core/background.ts";
import { createEvents, type AuthEvent } from "../../lib/core/events.ts";
import type { Membership } from "../../lib/core/membership.ts";
import { createPrincipals } from "../../lib/core/principals.ts";
import { base62Alphabet } from "../../lib/crypto/random.ts";
import { StorageError } from "../../lib/errors.ts";
import type { RecordStore } from "../../lib/storage/record-store.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { recordingStore } from "../support/recording-store.ts";

const DAY = 86_400;
const YEAR = 365 * DAY;

function createKit(
  options: ApiKeysOptions = {},
  wrap: (store: RecordStore) => RecordStore = (store) => store,
  membership: Membership | null = null,
) {
  const clock = createTestClock();
  const store = recordingStore(wrap(memoryStore({ clock })));
  const events = createEvents(clock);
  const told: AuthEvent[] = [];
  events.on("*", (event) => told.push(event));
  const errors: unknown[] = [];
  const background = createBackground((error) => errors.push(error));
  const principals = createPrincipals(store);
  const apiKeys = createApiKeys({ store, clock, principals, events, background, options, membership });
  const settled = () => background.drain(1000);
  /** Runs `work` and resolves to the store operations it took. */
  const operations = async (work: () => Promise<unknown>) => {
    store.calls.length = 0;
    await work();
    return store.calls.map(({ operation }) => operation);
  };
  const stored = async (userId: string) => store.list(apiKeyCollection, apiKeyTag(userId));
  return { apiKeys, clock, store, events, told, errors, principals, settled, operations, stored };
}

const source = { ip: "203.0.113.7", userAgent: "curl/8" };

describe("the text of an API key", () => {
  const texts = createApiKeyTexts("sk-");

  it("is the prefix, then id, owner tag, secret and checksum of fixed width", () => {
    const tag = apiKeyTag("user-1");
    const { key, id, keyPrefix } = texts.issue(tag);
    expect(key).toMatch(/^sk-[0-9A-Za-z]{22}[0-9A-Za-z]{22}[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/);
    expect(key.slice(3, 25)).toBe(id);
    expect(key.slice(25, 47)).toBe(tag);
    expect(keyPrefix).toBe(key.slice(0, 12));
    expect(texts.parse(key)).toMatchObject({ id, tag });
  });

  it("ends in the CRC-32 of all before it, in base62", () => {
    // CRC-32/ISO-HDLC, bit by bit; its check value is from the catalogue of parametrised CRC algorithms.
    const crc32 = (text: string) => {
      let crc = 0xffffffff;
      for (const byte of Buffer.from(text)) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
      }
      return (crc ^ 0xffffffff) >>> 0;
    };
    expect(crc32("123456789")).toBe(0xcbf43926);
    const { key } = texts.issue(apiKeyTag("user-1"));
    const value = [...key.slice(-6)].reduce((sum, digit) => sum * 62 + base62Alphabet.indexOf(digit), 0);
    expect(value).toBe(crc32(key.slice(0, -6)));
  });

  it("never repeats, and keeps leading zeros", () => {
    const keys = Array.from({ length: 500 }, () => texts.issue(apiKeyTag("user-1")).key);
    expect(new Set(keys).size).toBe(500);
    expect(new Set(keys.map(({ length }) => length))).toEqual(new Set([96]));
  });

  it("is found in any text by the published pattern", () => {
    const { key } = texts.issue(apiKeyTag("user-1"));
    expect(`API_KEY="${key}";`.match(new RegExp(apiKeyPattern().source))?.[0]).toBe(key);
    const dotted = createApiKeyTexts("acme.v1_").issue(apiKeyTag("user-1")).key;
    expect(apiKeyPattern("acme.v1_").exec(dotted)?.[0]).toBe(dotted);
    expect(apiKeyPattern("acme.v1_").test(dotted.replace("acme.", "acme-"))).toBe(false);
  });

  it("is told from other bearers by prefix and length", () => {
    const { key } = texts.issue(apiKeyTag("user-1"));
    expect(looksLikeApiKey(key, "sk-")).toBe(true);
    expect(looksLikeApiKey(`${key}x`, "sk-")).toBe(false);
    expect(looksLikeApiKey(`sk-${"A".repeat(104)}`, "sk-")).toBe(false);
  });

  it.each(["", "sk ", "schlüssel-", "a-very-long-prefix", "sk/", "sk-\n"])("refuses the prefix %j", (prefix) => {
    expect(() => createApiKeyTexts(prefix)).toThrow(expect.objectContaining({ code: "config_error", option: "apiKeys.prefix" }));
  });
});

describe("API keys", () => {
  it("are shown once, and authenticate as their owner", async () => {
    const { apiKeys, principals, clock } = createKit();
    await principals.setRoles("user-1", ["editor"]);
    const { apiKey, key } = await apiKeys.create({
      userId: "user-1",
      name: "  CI  ",
      scopes: ["reports:read", "reports:read"],
      tenantId: "acme",
    });
    expect(apiKey).toEqual({
      id: key.slice(3, 25),
      userId: "user-1",
      name: "CI",
      keyPrefix: key.slice(0, 12),
      scopes: ["reports:read"],
      roles: ["editor"],
      tenantId: "acme",
      createdAt: clock.now(),
      expiresAt: clock.now() + YEAR * 1000,
      idleExpiresAt: null,
      lastUsedAt: null,
      replacedBy: null,
    });
    expect(await apiKeys.authenticate(key, { source })).toEqual(apiKey);
    expect(JSON.stringify(await apiKeys.list("user-1"))).not.toContain(key.slice(47, 90));
  });

  it("rest as a hash: what is stored opens nothing", async () => {
    const { apiKeys, store, stored } = createKit();
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const [record] = await stored("user-1");
    expect(Buffer.from(record!.value).toString()).not.toContain(key.slice(47));
    expect(JSON.stringify(store.calls)).not.toContain(key.slice(47));
  });

  it("cost one store read a request, and a write at most once a minute", async () => {
    const { apiKeys, clock, operations, settled } = createKit();
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const use = () => operations(() => apiKeys.authenticate(key));
    const useAndSettle = () => operations(() => apiKeys.authenticate(key).then(settled));

    expect(await use()).toEqual(["get"]);
    await settled();
    clock.advance(59.9);
    expect(await useAndSettle()).toEqual(["get"]);
    clock.advance(0.1);
    expect(await useAndSettle()).toEqual(["get", "get", "get", "commit"]);
    expect(await useAndSettle()).toEqual(["get"]);
  });

  it("note their last use, off the response path", async () => {
    const { apiKeys, clock, settled, told } = createKit();
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    clock.advance(5);
    await apiKeys.authenticate(key, { source });
    await settled();
    expect(await apiKeys.get("user-1", apiKey.id)).toMatchObject({ lastUsedAt: clock.now() });
    expect(told.at(-1)).toMatchObject({ type: "api_key.used", userId: "user-1", details: { keyId: apiKey.id }, source });
  });

  it("rule 35: stay as they are, whatever the application makes of the object it was given", async () => {
    const { apiKeys, settled } = createKit();
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI", scopes: ["read"] });
    const given = await apiKeys.authenticate(key);
    (given.scopes as string[]).push("write");
    Object.assign(given, { userId: "boss", roles: ["admin"], tenantId: "acme" });
    await settled();
    expect(await apiKeys.authenticate(key)).toMatchObject({ userId: "user-1", scopes: ["read"], roles: [], tenantId: null });
  });

  it("write one use back, however many requests come at once", async () => {
    const { apiKeys, operations, settled } = createKit();
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const used = await operations(async () => {
      await Promise.all(Array.from({ length: 50 }, () => apiKeys.authenticate(key)));
      await settled();
    });
    expect(used.filter((operation) => operation === "commit")).toHaveLength(1);
  });

  it("are refused without asking the store when mistyped", async () => {
    const { apiKeys, operations } = createKit();
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const position = fc.integer({ min: 0, max: key.length - 1 });
    const mangled = fc.oneof(
      // one or more characters changed
      fc
        .array(fc.tuple(position, fc.constantFrom(...base62Alphabet.split(""))), { minLength: 1, maxLength: 4 })
        .map((changes) => changes.reduce((text, [at, digit]) => text.slice(0, at) + digit + text.slice(at + 1), key)),
      // two neighbours swapped, cut short, doubled, other case, rubbish around it
      position.map(
        (at) =>
          key.slice(0, at) +
          key
            .slice(at, at + 2)
            .split("")
            .toReversed()
            .join("") +
          key.slice(at + 2),
      ),
      position.map((at) => key.slice(0, at)),
      position.map((at) => key + key.slice(at)),
      fc.constantFrom(key.toUpperCase(), key.toLowerCase(), ` ${key}`, `${key}\n`, `${key}\0`, key.replace("sk-", "pk-"), key.slice(3)),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(mangled, async (text) => {
        fc.pre(text !== key);
        const used = await operations(() =>
          expect(apiKeys.authenticate(text)).rejects.toMatchObject({ code: "invalid_token", status: 401 }),
        );
        expect(used).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("are refused alike when well-formed but unknown, or with another's secret", async () => {
    const { apiKeys, operations, store, stored } = createKit();
    const { key, apiKey } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const unknown = createApiKeyTexts("sk-").issue(apiKeyTag("user-1")).key;
    expect(await operations(() => expect(apiKeys.authenticate(unknown)).rejects.toMatchObject({ code: "invalid_token" }))).toEqual(["get"]);

    // The record of one key under the id of another: what it was made with does not match.
    const forged = createApiKeyTexts("sk-").issue(apiKeyTag("user-1"));
    const [record] = await stored("user-1");
    await store.commit([{ op: "insert", in: apiKeyCollection, record: { ...record!, id: forged.id } }]);
    await expect(apiKeys.authenticate(forged.key)).rejects.toMatchObject({ code: "invalid_token" });
    expect(await apiKeys.authenticate(key)).toMatchObject({ id: apiKey.id });
  });

  it.each([[""], ["   "], ["x".repeat(101)], ["a\nb"], ["a\u0000b"]])("need a name: %j is refused", async (name) => {
    const { apiKeys } = createKit();
    await expect(apiKeys.create({ userId: "user-1", name })).rejects.toMatchObject({ code: "invalid_name", status: 400 });
  });

  it("count the characters of a name as people do", async () => {
    const { apiKeys } = createKit();
    expect((await apiKeys.create({ userId: "user-1", name: "🔑".repeat(100) })).apiKey.name).toBe("🔑".repeat(100));
  });

  it.each([[["two words"]], [[""]], [['a"b']], [["a\\b"]], [["ü"]], [Array.from({ length: 101 }, (_, n) => `s${n}`)]])(
    "refuse misshapen scopes",
    async (scopes) => {
      const { apiKeys } = createKit();
      await expect(apiKeys.create({ userId: "user-1", name: "CI", scopes })).rejects.toMatchObject({ code: "invalid_scope" });
    },
  );

  it("rule 33: get no scope that whoever asks could not pass on", async () => {
    const { apiKeys } = createKit();
    const grantable = new Set(["read"]);
    await expect(apiKeys.create({ userId: "user-1", name: "CI", scopes: ["read", "write"], grantable })).rejects.toMatchObject({
      code: "insufficient_scope",
      status: 403,
    });
    expect((await apiKeys.create({ userId: "user-1", name: "CI", scopes: ["read"], grantable })).apiKey.scopes).toEqual(["read"]);
  });

  it("rule 33: hold at most the roles that their owner still has", async () => {
    const { apiKeys, principals, clock, settled } = createKit();
    await principals.setRoles("user-1", ["admin", "editor"]);
    const all = await apiKeys.create({ userId: "user-1", name: "all" });
    const narrow = await apiKeys.create({ userId: "user-1", name: "narrow", roles: ["editor", "owner"] });
    expect(all.apiKey.roles).toEqual(["admin", "editor"]);
    expect(narrow.apiKey.roles).toEqual(["editor"]);

    await principals.setRoles("user-1", ["viewer"]);
    clock.advance(60);
    await Promise.all([apiKeys.authenticate(all.key), apiKeys.authenticate(narrow.key)]);
    await settled();
    expect((await apiKeys.authenticate(all.key)).roles).toEqual(["viewer"]);
    expect((await apiKeys.authenticate(narrow.key)).roles).toEqual([]);
  });

  it("tell watchers of changed roles, but not of activity", async () => {
    const { apiKeys, principals, store, clock, settled } = createKit();
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const changes: unknown[] = [];
    await store.watch((change) => change.collection === "api_keys" && changes.push(change.id));
    await apiKeys.authenticate(key);
    await settled();
    expect(changes).toEqual([]);
    await principals.setRoles("user-1", ["editor"]);
    clock.advance(60);
    await apiKeys.authenticate(key);
    await settled();
    expect(changes).toEqual([apiKey.id]);
  });

  it("refuse at the cap: of 20 made at once where 5 fit, 5 are", async () => {
    const { apiKeys } = createKit({ max: 5 });
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => apiKeys.create({ userId: "user-1", name: `key ${n}` })));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    for (const result of all)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "too_many_api_keys", status: 409 });
    expect(await apiKeys.list("user-1")).toHaveLength(5);
    await apiKeys.create({ userId: "user-2", name: "theirs" });
  });

  it("list an owner's own, the oldest first", async () => {
    const { apiKeys } = createKit();
    for (const name of ["first", "second"]) await apiKeys.create({ userId: "user-1", name });
    await apiKeys.create({ userId: "user-2", name: "other" });
    expect((await apiKeys.list("user-1")).map(({ name }) => name)).toEqual(["first", "second"]);
  });

  it("rule 49: refuse and report a record that does not parse, and keep it", async () => {
    const { apiKeys, store, told, stored } = createKit();
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    for (const value of ["{", "null", "[]", "{}", '{"userId":"user-1"}']) {
      const record = { partition: apiKeyTag("user-1"), id: apiKey.id, value: Buffer.from(value), expiresAt: null };
      await store.commit([{ op: "put", in: apiKeyCollection, record }]);
      await expect(apiKeys.authenticate(key)).rejects.toBeInstanceOf(StorageError);
      expect(told.at(-1)).toMatchObject({ type: "record.unreadable", details: { collection: "api_keys" } });
    }
    expect(await stored("user-1")).toHaveLength(1);
  });

  it("rule 43: cannot be judged while the store is down", async () => {
    const { apiKeys, store } = createKit();
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const failing = { ...store, get: () => Promise.reject(new StorageError()) } as RecordStore;
    const kit = createKit({}, () => failing);
    await expect(kit.apiKeys.authenticate(key)).rejects.toMatchObject({ status: 503, retryAfter: 1 });
  });

  it("rule 48: survive a write-back that fails, and report it", async () => {
    const { apiKeys, errors, settled, clock } = createKit({}, (store) => {
      let commits = 0;
      return { ...store, commit: (writes) => ((commits += 1) === 1 ? store.commit(writes) : Promise.reject(new StorageError())) };
    });
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    clock.advance(60);
    await apiKeys.authenticate(key);
    await settled();
    expect(errors).toEqual([expect.any(StorageError)]);
    await apiKeys.authenticate(key);
    await settled();
  });
});

describe("the life of an API key", () => {
  it("rule 7: ends at its expiry, by the time inside the record", async () => {
    const { apiKeys, clock } = createKit({}, (store) => ({
      ...store,
      // a store that never drops anything by itself
      commit: (writes) =>
        store.commit(writes.map((write) => ("record" in write ? { ...write, record: { ...write.record, expiresAt: null } } : write))),
    }));
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI", ttl: 3600 });
    clock.advance(3599.999);
    await apiKeys.authenticate(key);
    clock.advance(0.001);
    await expect(apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
    expect(await apiKeys.list("user-1")).toEqual([]);
    expect(await apiKeys.get("user-1", apiKey.id)).toBeNull();
  });

  it("ends when it was not used for the idle time, and is prolonged by use", async () => {
    const { apiKeys, clock, settled } = createKit({ idleTtl: 7 * DAY });
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    for (let week = 0; week < 4; week += 1) {
      clock.advance(6 * DAY);
      await apiKeys.authenticate(key);
      await settled();
    }
    clock.advance(7 * DAY);
    await expect(apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
  });

  it.each([[YEAR + 1], [null], [0], [-1], [1.5], [Number.NaN], [Number.POSITIVE_INFINITY]])(
    "is not %s seconds unless that is allowed",
    async (ttl) => {
      const { apiKeys } = createKit();
      await expect(apiKeys.create({ userId: "user-1", name: "CI", ttl })).rejects.toMatchObject({ code: "invalid_ttl", status: 400 });
    },
  );

  it("has no end where the application allows that", async () => {
    const { apiKeys, clock } = createKit({ allowNoExpiry: true });
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI", ttl: null });
    expect(apiKey.expiresAt).toBeNull();
    clock.advance(50 * YEAR);
    expect(await apiKeys.authenticate(key)).toMatchObject({ id: apiKey.id });
    await expect(apiKeys.create({ userId: "user-1", name: "CI", ttl: 0 })).rejects.toMatchObject({ code: "invalid_ttl" });
  });

  it.each([[{ ttl: 0 }], [{ idleTtl: 0.5 }], [{ max: 0 }], [{ ttl: Number.NaN }]])("cannot be configured as %j", (options) => {
    expect(() => createKit(options)).toThrow(
      expect.objectContaining({ code: "config_error", option: `apiKeys.${Object.keys(options)[0]}` }),
    );
  });
});

describe("ending API keys", () => {
  it("takes effect at once", async () => {
    const { apiKeys, told } = createKit();
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    expect(await apiKeys.revoke("user-1", apiKey.id, { source })).toEqual(apiKey);
    expect(told.at(-1)).toMatchObject({ type: "api_key.revoked", userId: "user-1", details: { keyId: apiKey.id }, source });
    await expect(apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
  });

  it("is for the owner: to others a key is unknown, and stays", async () => {
    const { apiKeys } = createKit();
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    await expect(apiKeys.revoke("user-2", apiKey.id)).rejects.toMatchObject({ code: "not_found", status: 404 });
    await expect(apiKeys.rotate("user-2", apiKey.id)).rejects.toMatchObject({ code: "not_found", status: 404 });
    expect(await apiKeys.get("user-2", apiKey.id)).toBeNull();
    await expect(apiKeys.revoke("user-1", "no-such-key")).rejects.toMatchObject({ code: "not_found" });
    expect(await apiKeys.authenticate(key)).toMatchObject({ id: apiKey.id });
  });

  it("rule 1: of 20 who revoke one key, one does", async () => {
    const { apiKeys, told } = createKit();
    const { apiKey } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => apiKeys.revoke("user-1", apiKey.id)));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(told.filter(({ type }) => type === "api_key.revoked")).toHaveLength(1);
  });

  it("ends all of an owner's in one command, and nobody else's", async () => {
    const { apiKeys, operations } = createKit();
    const mine = await Promise.all(Array.from({ length: 10 }, (_, n) => apiKeys.create({ userId: "user-1", name: `${n}` })));
    const theirs = await apiKeys.create({ userId: "user-2", name: "CI" });
    expect(await operations(() => apiKeys.revokeAll("user-1"))).toEqual(["commit"]);
    for (const { key } of mine) await expect(apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
    expect(await apiKeys.authenticate(theirs.key)).toMatchObject({ userId: "user-2" });
    await apiKeys.revokeAll("user-1");
  });

  it("rule 8: a removed key does not come back, however late its last use is written", async () => {
    const { apiKeys, clock, settled, stored } = createKit();
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    clock.advance(60);
    await apiKeys.authenticate(key);
    await apiKeys.revoke("user-1", apiKey.id);
    await settled();
    expect(await stored("user-1")).toEqual([]);
    await expect(apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
  });

  it("rule 9: a raised epoch ends keys at the next minute's check", async () => {
    const { apiKeys, principals, clock, settled, stored, told } = createKit();
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    await principals.raiseEpoch("user-1");
    clock.advance(60);
    await apiKeys.authenticate(key);
    await settled();
    expect(await stored("user-1")).toEqual([]);
    expect(told.at(-1)).toMatchObject({ type: "api_key.revoked", details: { keyId: apiKey.id } });
    await expect(apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
  });

  it("rule 9: so does a raised global epoch, and a disabled owner", async () => {
    for (const end of [
      (kit: ReturnType<typeof createKit>) => kit.principals.raiseGlobalEpoch(),
      (kit: ReturnType<typeof createKit>) => kit.principals.setStatus("user-1", "disabled"),
    ]) {
      const kit = createKit();
      const { key } = await kit.apiKeys.create({ userId: "user-1", name: "CI" });
      await end(kit);
      kit.clock.advance(60);
      await kit.apiKeys.authenticate(key);
      await kit.settled();
      await expect(kit.apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
    }
  });

  it.each([true, false])("rule 9: a key that raced with the ending of everything is never given out (ordered: %s)", async (ordered) => {
    let raise = async () => {};
    const kit = createKit({}, (store) => ({
      ...store,
      ordered,
      // The epoch moves after the first reading of it, and takes effect before the insert does.
      async commit(writes) {
        if (writes.some(({ in: { name }, op }) => name === "api_keys" && op === "insert")) await raise();
        return store.commit(writes);
      },
    }));
    const { standing } = kit.principals;
    raise = async () => void (await kit.principals.raiseEpoch("user-1"));
    if (ordered) {
      // Both commands leave at once, so what the second sees is what was raised before it.
      raise = async () => {};
      kit.principals.standing = (userId) => kit.principals.raiseEpoch(userId).then(() => standing(userId));
    }
    await expect(kit.apiKeys.create({ userId: "user-1", name: "CI" })).rejects.toMatchObject({ status: 401, code: "credentials_ended" });
    expect(await kit.stored("user-1")).toEqual([]);
    expect(kit.told.filter(({ type }) => type === "api_key.created")).toEqual([]);
  });

  it("rule 9: a key asked for in a session that was ended before it is made, is not made", async () => {
    const { apiKeys, principals } = createKit();
    const { epoch } = await principals.standing("user-1");
    await expect(apiKeys.create({ userId: "user-1", name: "in time", epoch })).resolves.toBeDefined();
    await principals.raiseEpoch("user-1");
    await expect(apiKeys.create({ userId: "user-1", name: "late", epoch })).rejects.toMatchObject({ code: "credentials_ended" });
    expect((await apiKeys.list("user-1")).map(({ name }) => name)).toEqual(["in time"]);
  });

  it("rule 9: 64 made at once against the ending of all: none is still good", async () => {
    const { apiKeys, principals, clock, settled } = createKit();
    const making = Promise.allSettled(Array.from({ length: 64 }, (_, n) => apiKeys.create({ userId: "user-1", name: `${n}` })));
    const ending = principals.setStatus("user-1", "disabled").then(() => apiKeys.revokeAll("user-1"));
    const made = (await making).flatMap((result) => (result.status === "fulfilled" ? [result.value.key] : []));
    await ending;
    clock.advance(60);
    await Promise.allSettled(made.map((key) => apiKeys.authenticate(key)));
    await settled();
    for (const key of made) await expect(apiKeys.authenticate(key)).rejects.toMatchObject({ code: "invalid_token" });
    await expect(apiKeys.create({ userId: "user-1", name: "late" })).rejects.toMatchObject({ code: "user_disabled" });
  });
});

describe("an API key of a tenant", () => {
  it("rule 34: ends within a minute of use when its owner is no member any more", async () => {
    const members = new Set(["user-1"]);
    const { apiKeys, clock, told, settled } = createKit({}, undefined, (userId) => members.has(userId));
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI", tenantId: "acme" });
    const own = await apiKeys.create({ userId: "user-1", name: "own" });
    const use = async (text: string) => {
      clock.advance(60);
      const { tenantId } = await apiKeys.authenticate(text);
      await settled();
      return tenantId;
    };

    expect(await use(key)).toBe("acme");
    members.clear();
    expect(await use(key)).toBe("acme");
    await expect(use(key)).rejects.toMatchObject({ code: "invalid_token" });
    expect(told.at(-1)).toMatchObject({ type: "api_key.revoked", userId: "user-1" });
    expect(await use(own.key)).toBeNull();
    expect(await use(own.key)).toBeNull();
  });

  it("rule 34: is asked about again at the next use, when the callback could not tell", async () => {
    const { apiKeys, errors, settled } = createKit({}, undefined, () => Promise.reject(new Error("down")));
    const { key } = await apiKeys.create({ userId: "user-1", name: "CI", tenantId: "acme" });
    for (let use = 1; use <= 2; use += 1) {
      await apiKeys.authenticate(key);
      await settled();
      expect(errors).toHaveLength(use);
    }
  });
});

describe("rotating an API key", () => {
  it("gives a successor that is like it, and lets the old one live for the overlap", async () => {
    const { apiKeys, clock, told } = createKit();
    const old = await apiKeys.create({ userId: "user-1", name: "CI", scopes: ["read"], tenantId: "acme", ttl: 30 * DAY });
    clock.advance(10 * DAY);
    const next = await apiKeys.rotate("user-1", old.apiKey.id, { source });
    expect(next.apiKey).toMatchObject({
      name: "CI",
      scopes: ["read"],
      tenantId: "acme",
      expiresAt: clock.now() + 30 * DAY * 1000,
      replacedBy: null,
    });
    expect(await apiKeys.authenticate(old.key)).toMatchObject({ replacedBy: next.apiKey.id, expiresAt: clock.now() + DAY * 1000 });
    expect(told.find(({ type }) => type === "api_key.rotated")).toMatchObject({
      details: { keyId: old.apiKey.id, replacedBy: next.apiKey.id },
      source,
    });
    clock.advance(DAY);
    await expect(apiKeys.authenticate(old.key)).rejects.toMatchObject({ code: "invalid_token" });
    expect(await apiKeys.authenticate(next.key)).toMatchObject({ id: next.apiKey.id });
  });

  it("does not prolong a key that ends before the overlap does", async () => {
    const { apiKeys, clock } = createKit();
    const old = await apiKeys.create({ userId: "user-1", name: "CI", ttl: 3600 });
    await apiKeys.rotate("user-1", old.apiKey.id);
    expect(await apiKeys.get("user-1", old.apiKey.id)).toMatchObject({ expiresAt: clock.now() + 3_600_000 });
  });

  it("without overlap ends the old key in the same commit", async () => {
    const { apiKeys } = createKit({ max: 1 });
    const old = await apiKeys.create({ userId: "user-1", name: "CI" });
    const next = await apiKeys.rotate("user-1", old.apiKey.id, { overlap: 0 });
    await expect(apiKeys.authenticate(old.key)).rejects.toMatchObject({ code: "invalid_token" });
    expect(await apiKeys.list("user-1")).toEqual([next.apiKey]);
  });

  it("rule 1: has one winner of 20 at once", async () => {
    const { apiKeys } = createKit();
    const { apiKey } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => apiKeys.rotate("user-1", apiKey.id)));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of all)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "api_key_rotated", status: 409 });
    expect(await apiKeys.list("user-1")).toHaveLength(2);
  });

  it("is not lost to a use that is written back meanwhile", async () => {
    let interfere: (() => Promise<void>) | null = null;
    const { apiKeys, settled, clock } = createKit({}, (store) => ({
      ...store,
      async commit(writes) {
        const work = writes.length === 2 ? interfere : null;
        if (work) interfere = null;
        await work?.();
        return store.commit(writes);
      },
    }));
    const { apiKey, key } = await apiKeys.create({ userId: "user-1", name: "CI" });
    clock.advance(60);
    interfere = async () => {
      await apiKeys.authenticate(key);
      await settled();
    };
    const next = await apiKeys.rotate("user-1", apiKey.id);
    expect(interfere).toBeNull();
    expect(await apiKeys.get("user-1", apiKey.id)).toMatchObject({ replacedBy: next.apiKey.id, lastUsedAt: clock.now() });
  });

  it("rule 45: succeeds once more when the store ran its commit twice", async () => {
    const { apiKeys } = createKit({}, (store) => ({
      ...store,
      async commit(writes) {
        if (writes.length === 2) await store.commit(writes);
        return store.commit(writes);
      },
    }));
    const { apiKey } = await apiKeys.create({ userId: "user-1", name: "CI" });
    const next = await apiKeys.rotate("user-1", apiKey.id);
    expect(await apiKeys.authenticate(next.key)).toMatchObject({ id: next.apiKey.id });
    expect(await apiKeys.list("user-1")).toHaveLength(2);
  });

  it("works at the cap, but fills no store when done in a loop", async () => {
    const { apiKeys } = createKit({ max: 3 });
    const made = await Promise.all([1, 2, 3].map((n) => apiKeys.create({ userId: "user-1", name: `${n}` })));
    let last = made[0]!.apiKey.id;
    for (let turn = 0; turn < 3; turn += 1) last = (await apiKeys.rotate("user-1", last)).apiKey.id;
    await expect(apiKeys.rotate("user-1", last)).rejects.toMatchObject({ code: "too_many_api_keys" });
    expect(await apiKeys.list("user-1")).toHaveLength(6);
    expect((await apiKeys.rotate("user-1", last, { overlap: 0 })).apiKey.replacedBy).toBeNull();
  });

  it("rule 9: gives no new life to a key whose owner's credentials were ended", async () => {
    const { apiKeys, principals, stored } = createKit();
    const { apiKey } = await apiKeys.create({ userId: "user-1", name: "CI" });
    await principals.raiseEpoch("user-1");
    await expect(apiKeys.rotate("user-1", apiKey.id)).rejects.toMatchObject({ status: 404 });
    await principals.setStatus("user-1", "disabled");
    await expect(apiKeys.rotate("user-1", apiKey.id)).rejects.toMatchObject({ code: "user_disabled" });
    expect(await stored("user-1")).toHaveLength(1);
  });

  it.each([[-1], [0.5], [31 * DAY], [Number.NaN]])("refuses an overlap of %s seconds", async (overlap) => {
    const { apiKeys } = createKit();
    const { apiKey } = await apiKeys.create({ userId: "user-1", name: "CI" });
    await expect(apiKeys.rotate("user-1", apiKey.id, { overlap })).rejects.toMatchObject({ code: "invalid_overlap" });
  });
});
