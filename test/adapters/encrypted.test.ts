import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { encrypted, type EncryptedOptions, type UnreadableRecord } from "../../lib/adapters/encrypted/index.ts";
import { ENVELOPE_OVERHEAD } from "../../lib/adapters/encrypted/envelope.ts";
import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { StorageError } from "../../lib/errors.ts";
import { directoryCollection, directoryKey, partitionedCollection } from "../../lib/storage/collection.ts";
import type { Collection, NewRecord, RecordKey, RecordStore, StoredRecord } from "../../lib/storage/record-store.ts";
import { createTestClock, recordStoreConformance } from "../../lib/testing/index.ts";

const KEY = "a key for tests, of 32 bytes or more";
const NEXT_KEY = "the key after it, of 32 bytes or more";
const INDEX_KEY = "an index key for tests, of 32 bytes";
const KEYS = { keys: KEY, indexKey: INDEX_KEY };

// Rule 11: the contract suite, races included, through the wrapper.
recordStoreConformance("encrypted(memory)", async ({ clock }) => encrypted(memoryStore({ clock }), KEYS), { describe, it });

const notes = partitionedCollection("notes");
const marks = partitionedCollection("marks");
const people = directoryCollection("people", { email: "unique", team: "plain" });
const badges = directoryCollection("badges", { email: "unique", team: "plain" });

const SECRET = "the plain text";

function note(id: string, rest: Partial<NewRecord> = {}): NewRecord {
  return { partition: "p", id, value: Buffer.from(`${SECRET} of ${id}`), expiresAt: null, ...rest };
}

function person(id: string, lookups: NewRecord["lookups"] = { email: `${id}@example.com` }): NewRecord {
  return { ...directoryKey(id), value: Buffer.from(`${SECRET} of ${id}`), expiresAt: null, lookups };
}

function open(options: Partial<EncryptedOptions> = {}) {
  const clock = createTestClock();
  const inner = memoryStore({ clock });
  const unreadable: UnreadableRecord[] = [];
  const store = encrypted(inner, { ...KEYS, onUnreadable: (record) => unreadable.push(record), ...options });
  return { clock, inner, store, unreadable };
}

const put = (into: Collection, record: NewRecord) => ({ op: "put" as const, in: into, record });
const insert = (into: Collection, record: NewRecord) => ({ op: "insert" as const, in: into, record });
const stored = async (inner: RecordStore, from: Collection, key: RecordKey): Promise<StoredRecord> => {
  const record = await inner.get(from, key);
  if (!record) throw new Error("nothing is stored there");
  return record;
};

describe("an encrypted store", () => {
  it("keeps neither values nor lookups in the clear, and passes keys and expiries through", async () => {
    const { store, inner, clock } = open();
    const expiresAt = clock.now() + 1000;

    await store.commit([put(notes, note("a", { expiresAt }))]);
    await store.commit([put(people, person("ann", { email: "ann@example.com", team: null }))]);

    const [a, ann] = [await stored(inner, notes, note("a")), await stored(inner, people, person("ann"))];
    expect([a.partition, a.id, a.expiresAt]).toEqual(["p", "a", expiresAt]);
    expect(ann.lookups).toEqual({ email: expect.stringMatching(/^[\w-]{43}$/), team: null });
    for (const { value, lookups } of [a, ann]) {
      expect(Buffer.from(value).includes(SECRET)).toBe(false);
      expect(Buffer.from(value).includes("ann@example.com")).toBe(false);
      expect(JSON.stringify(lookups)).not.toContain("ann@");
    }
    expect(a.value.length).toBe(note("a").value.length + ENVELOPE_OVERHEAD);
  });

  it("never uses a nonce twice: 1,000 seals of one record differ", async () => {
    const { store, inner } = open();
    const nonces = new Set<string>();
    for (let round = 0; round < 1000; round++) {
      await store.commit([put(notes, note("a"))]);
      nonces.add(
        Buffer.from((await stored(inner, notes, note("a"))).value)
          .subarray(8, 20)
          .toString("hex"),
      );
    }
    expect(nonces.size).toBe(1000);
  });

  it("hashes equal values of different lookups and collections differently", async () => {
    const { store, inner } = open();
    await store.commit([put(people, person("a", { email: "same", team: "same" })), put(badges, person("a", { email: "same" }))]);

    const [a, b] = [await stored(inner, people, person("a")), await stored(inner, badges, person("a"))];
    expect(new Set([a.lookups["email"], a.lookups["team"], b.lookups["email"]]).size).toBe(3);
  });

  it("lets an insert that is repeated after a rotation succeed, and another one fail", async () => {
    const { store, inner } = open();
    const rotated = encrypted(inner, { ...KEYS, keys: [NEXT_KEY, KEY] });
    await store.commit([insert(notes, note("a")), insert(notes, note("b"))]);
    await store.commit([insert(people, person("ann"))]);

    expect(await rotated.commit([insert(notes, note("a")), insert(notes, note("b"))])).toBe(true);
    expect(await rotated.commit([insert(people, person("ann"))])).toBe(true);
    expect(await rotated.commit([insert(notes, note("a", { value: Buffer.from("other") }))])).toBe(false);
    expect(await rotated.commit([insert(people, person("ann", { email: "other@example.com" }))])).toBe(false);
    expect(await rotated.commit([insert(notes, note("a")), { op: "delete", in: notes, key: note("absent"), ifVersion: 1 }])).toBe(false);
  });

  it("counts racing inserts of one and the same record as one, and lets each caller in", async () => {
    for (let round = 0; round < 20; round++) {
      const { store, inner } = open();
      const done = await Promise.all(Array.from({ length: 10 }, () => store.commit([insert(notes, note("a"))])));
      expect(done).toEqual(Array(10).fill(true));
      expect((await stored(inner, notes, note("a"))).version).toBe(1);
    }
  });

  it("lets an insert repeat a put of its own commit, as any store does", async () => {
    const writes = [put(notes, note("a")), insert(notes, note("a"))];

    expect(await memoryStore().commit(writes)).toBe(true);
    expect(await open().store.commit(writes)).toBe(true);
  });

  it("brings back what was written: any bytes, lookups and ids", async () => {
    const { store } = open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.string(), fc.string(), fc.option(fc.string()), async (value, partition, id, email) => {
        await store.commit([put(notes, { partition, id, value, expiresAt: null })]);
        await store.commit([put(people, { ...directoryKey(`.${id}`), value, expiresAt: null, lookups: { team: email } })]);
        expect(Buffer.compare((await store.get(notes, { partition, id }))?.value ?? Buffer.from("none"), value)).toBe(0);
        const found = await store.get(people, directoryKey(`.${id}`));
        expect(found?.lookups).toEqual({ team: email });
        expect(Buffer.compare(found?.value ?? Buffer.from("none"), value)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

describe("rule 49: a record that does not open", () => {
  /** What an attacker who can write to the store may do to `a` of `notes`. */
  const attacks: Record<string, (record: StoredRecord) => Uint8Array> = {
    "a bit of the version flipped": ({ value }) => flipped(value, 1),
    "a bit of the key id flipped": ({ value }) => flipped(value, 4),
    "a bit of the nonce flipped": ({ value }) => flipped(value, 10),
    "a bit of the ciphertext flipped": ({ value }) => flipped(value, 24),
    "a bit of the tag flipped": ({ value }) => flipped(value, value.length - 1),
    "a tag cut short": ({ value }) => value.subarray(0, -1),
    "a tag of 4 bytes": ({ value }) => value.subarray(0, -12),
    "nothing but a header": ({ value }) => value.subarray(0, 8),
    "plain text": () => Buffer.from('{"roles":["admin"]}'),
    nothing: () => Buffer.alloc(0),
  };

  it.each(Object.entries(attacks))("is refused by every read, left out by a scan, reported and kept: %s", async (_, attack) => {
    const { store, inner, unreadable } = open();
    await store.commit([put(notes, note("a"))]);
    const value = attack(await stored(inner, notes, note("a")));
    await inner.commit([put(notes, note("a", { value }))]);

    await store.commit([put(notes, note("b", { partition: "q" }))]);
    const { records, unreadable: leftOut } = await store.scan(notes);
    expect([records.map(({ id }) => id), leftOut]).toEqual([["b"], 1]);
    for (const read of [
      store.get(notes, note("a")),
      store.list(notes, "p"),
      store.take(notes, note("a")),
      store.commit([insert(notes, note("a"))]),
    ]) {
      const error: unknown = await read.then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StorageError);
      expect((error as StorageError).message).toBe("A stored record could not be opened");
    }
    expect(unreadable.length).toBe(5);
    expect(unreadable[0]).toMatchObject({ collection: "notes", record: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(Buffer.compare((await stored(inner, notes, note("a"))).value, value)).toBe(0);
  });

  it("is refused in whatever byte it was changed, or wherever it was cut", async () => {
    const { store, inner } = open();
    await store.commit([put(notes, note("a"))]);
    const { value } = await stored(inner, notes, note("a"));

    await fc.assert(
      fc.asyncProperty(fc.nat(value.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, bits, cut) => {
        const changed = cut ? value.subarray(0, at) : flipped(value, at, bits);
        await inner.commit([put(notes, note("a", { value: changed }))]);
        await expect(store.get(notes, note("a"))).rejects.toThrow(StorageError);
      }),
      { numRuns: 200 },
    );
  });

  it("is refused when it was moved: to another id, partition, collection or expiry", async () => {
    const { store, inner, clock, unreadable } = open();
    await store.commit([put(notes, note("a", { expiresAt: clock.now() + 1000 }))]);
    await store.commit([put(people, person("ann"))]);
    const [a, ann] = [await stored(inner, notes, note("a")), await stored(inner, people, person("ann"))];
    const moved: [Collection, NewRecord][] = [
      [notes, { ...a, id: "b" }],
      [notes, { ...a, partition: "q" }],
      [marks, a],
      [notes, { ...a, id: "endless", expiresAt: null }],
      [notes, { ...a, expiresAt: clock.now() + 1_000_000 }],
      [people, { ...ann, id: "bob", lookups: {} }],
      [badges, { ...ann, lookups: {} }],
    ];

    for (const [into, record] of moved) {
      await inner.commit([put(into, record)]);
      await expect(store.get(into, record)).rejects.toThrow(StorageError);
    }
    expect(unreadable.map(({ flaw }) => flaw)).toEqual(moved.map(() => "not_authentic"));
  });

  it("is refused when it is found by a lookup of somebody else", async () => {
    const { store, inner, unreadable } = open();
    await store.commit([put(people, person("ann")), put(people, person("eve"))]);
    const [ann, eve] = [await stored(inner, people, person("ann")), await stored(inner, people, person("eve"))];
    await inner.commit([
      { op: "delete", in: people, key: ann },
      { op: "put", in: people, record: { ...eve, lookups: ann.lookups } },
    ]);

    await expect(store.find(people, "email", "ann@example.com")).rejects.toThrow(StorageError);
    await expect(store.get(people, person("eve"))).rejects.toThrow(StorageError);
    expect(unreadable.map(({ flaw }) => flaw)).toEqual(["moved_lookups", "moved_lookups"]);

    // An index of the backend's own that leads astray, while the record itself is whole.
    await inner.commit([put(people, eve)]);
    const misled = encrypted({ ...inner, find: async () => [await stored(inner, people, eve)] }, { ...KEYS, onUnreadable: () => {} });
    await expect(misled.find(people, "email", "ann@example.com")).rejects.toThrow(StorageError);
  });

  it("sealed under an unknown key is a fault of the configuration (503) that names the key, and it is there once the key is back", async () => {
    const { store, inner, unreadable } = open();
    await store.commit([put(notes, note("a"))]);
    const without = encrypted(inner, { ...KEYS, keys: NEXT_KEY, onUnreadable: (record) => unreadable.push(record) });

    for (const read of [without.get(notes, note("a")), without.take(notes, note("a"))]) {
      await expect(read).rejects.toMatchObject({
        status: 503,
        code: "storage_unavailable",
        cause: {
          code: "config_error",
          message: expect.stringMatching(/encrypted.keys: none of them is key [\w-]{8}: put its secret back/),
        },
      });
    }

    expect(unreadable).toMatchObject([{ flaw: "unknown_key" }, { flaw: "unknown_key" }]);
    const back = encrypted(inner, { ...KEYS, keys: [NEXT_KEY, KEY] });
    expect(Buffer.from((await back.get(notes, note("a")))?.value ?? []).toString()).toBe("the plain text of a");
  });

  it("warns once a collection and flaw when nobody listens", async () => {
    const warnings: string[] = [];
    const listener = (warning: Error) => warnings.push(warning.message);
    process.on("warning", listener);
    const { inner } = open();
    const store = encrypted(inner, KEYS);
    for (const id of ["a", "b"]) await inner.commit([put(notes, note(id))]);

    for (const id of ["a", "b", "a"]) await expect(store.get(notes, note(id))).rejects.toThrow(StorageError);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listener);

    expect(warnings).toEqual([expect.stringMatching(/^latchkey: record [0-9a-f]{16} of "notes" is refused \(malformed\)$/)]);
  });
});

describe("keys of an encrypted store", () => {
  it("rotate: the first seals, all open, and lookups stay where they are", async () => {
    const { store, inner } = open();
    await store.commit([put(people, person("ann"))]);
    const rotated = encrypted(inner, { ...KEYS, keys: [NEXT_KEY, KEY] });

    const [found] = await rotated.find(people, "email", "ann@example.com");
    expect(found?.id).toBe("ann");
    expect(await rotated.commit([insert(people, person("bob", { email: "ann@example.com" }))])).toBe(false);
    await rotated.commit([put(people, person("ann"))]);

    await expect(store.get(people, person("ann"))).rejects.toThrow(StorageError);
    expect((await encrypted(inner, { ...KEYS, keys: NEXT_KEY }).get(people, person("ann")))?.lookups).toEqual({ email: "ann@example.com" });
  });

  it("for lookups may not change: nothing is looked up or written under another one", async () => {
    const { store, inner } = open();
    await store.commit([put(people, person("ann"))]);
    const other = encrypted(inner, { ...KEYS, indexKey: "another index key, of 32 bytes or more" });

    for (const use of [other.find(people, "email", "ann@example.com"), other.commit([insert(people, person("bob"))])]) {
      await expect(use).rejects.toMatchObject({
        status: 503,
        cause: { option: "encrypted.indexKey", message: expect.stringContaining("hashed under another key") },
      });
    }
    expect((await store.find(people, "email", "ann@example.com")).length).toBe(1);
  });

  it("are not used on a store that has records in the clear: nobody would be found, and sign up twice", async () => {
    const { store, inner } = open();
    await inner.commit([put(people, person("ann"))]);

    await expect(store.find(people, "email", "ann@example.com")).rejects.toMatchObject({
      status: 503,
      cause: { message: expect.stringContaining("reencrypt seals them with `sealPlaintext`") },
    });
    await expect(store.commit([insert(people, person("bob"))])).rejects.toThrow(StorageError);
  });

  it("are not used on a store of whose records none can be read either: those may be in the clear", async () => {
    const { store, inner } = open();
    const scan = inner.scan;
    inner.scan = async () => ({ records: [], next: null, unreadable: 1 });

    await expect(store.commit([insert(people, person("bob"))])).rejects.toThrow(StorageError);
    inner.scan = scan;
    expect(await store.scan(people)).toEqual({ records: [], next: null });
    expect(await store.commit([insert(people, person("bob"))])).toBe(true);
  });

  const dir = mkdtempSync(join(tmpdir(), "latchkey-keys-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const file = (name: string, content: string, mode: number) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return { file: path };
  };

  it("come from a file, one a line, the first sealing", async () => {
    const { inner } = open();
    const keys = file("both", `# rotated in spring\n${NEXT_KEY}\n\n  ${KEY}  \n`, 0o600);
    await encrypted(inner, { ...KEYS, keys: [NEXT_KEY] }).commit([put(notes, note("new"))]);
    await encrypted(inner, KEYS).commit([put(notes, note("old"))]);

    const store = encrypted(inner, { keys, indexKey: file("index", INDEX_KEY, 0o400) });
    await store.commit([put(notes, note("newer"))]);

    expect((await store.list(notes, "p")).length).toBe(3);
    expect(await encrypted(inner, { ...KEYS, keys: NEXT_KEY }).get(notes, note("newer"))).not.toBeNull();
  });

  it.each<[string, unknown, string]>([
    ["undefined", undefined, "encrypted.keys: is missing"],
    ["null", null, "encrypted.keys: is missing"],
    ["an empty list", [], "encrypted.keys: is missing"],
    ["a list of what the environment lacks", [undefined, ""], "encrypted.keys: is missing"],
    ["a short secret", "short", "encrypted.keys: each secret needs at least 32 bytes"],
    ["a short secret behind a good one", [KEY, "short"], "encrypted.keys: each secret needs at least 32 bytes"],
    ["a number", 7, "encrypted.keys: give secrets as text"],
    ["no path", { file: "" }, "encrypted.keys.file: give the path"],
    ["a missing file", { file: "/nowhere/at/all" }, 'encrypted.keys.file: "/nowhere/at/all" cannot be opened'],
    ["a folder", { file: tmpdir() }, "is no file"],
    ["an empty file", file("empty", "# nothing yet\n", 0o600), "has no secrets"],
    ["a file with a short secret", file("short", "short", 0o600), "encrypted.keys: each secret needs at least 32 bytes"],
    ["a file that a group may read", file("group", KEY, 0o640), "others than its owner may use"],
    ["a file that others may read", file("others", KEY, 0o604), "others than its owner may use"],
    ["a file that others may write", file("writable", KEY, 0o602), "others than its owner may use"],
    ["the index key among them", [KEY, INDEX_KEY], "encrypted.indexKey: give a secret that is none of `keys`"],
  ])("are refused at start: %s", (_, keys, message) => {
    expect(() => encrypted(memoryStore(), { ...KEYS, keys } as EncryptedOptions)).toThrow(message);
  });

  it("are refused at start for lookups: none, several, or under a misspelt name", () => {
    expect(() => encrypted(memoryStore(), { keys: KEY, indexKey: undefined })).toThrow("encrypted.indexKey: is missing");
    const two = { keys: KEY, indexKey: file("two", `${INDEX_KEY}\n${NEXT_KEY}`, 0o600) };
    expect(() => encrypted(memoryStore(), two)).toThrow("encrypted.indexKey: give one secret");
    expect(() => encrypted(memoryStore(), { ...KEYS, indexkey: "" } as EncryptedOptions)).toThrow('did you mean "indexKey"?');
    expect(() => encrypted(encrypted(memoryStore(), KEYS), KEYS)).toThrow("this store is encrypted already");
    expect(() => encrypted({} as RecordStore, KEYS)).toThrow("encrypted: lacks get()");
  });
});

function flipped(value: Uint8Array, at: number, bits = 1): Buffer {
  const changed = Buffer.from(value);
  changed[at] = (changed[at] ?? 0) ^ bits;
  return changed;
}
