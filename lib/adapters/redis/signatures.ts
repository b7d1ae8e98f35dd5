import { createHmac } from "node:crypto";
import { assertOptions } from "../../check-options.ts";
import { constantTimeEqual } from "../../crypto/hash.ts";
import { createKeyRing, type DerivedKey, type KeyRing } from "../../crypto/key-ring.ts";
import { ConfigError, StorageError } from "../../errors.ts";
import type { Collection, NewRecord, RecordKey, StoredRecord } from "../../storage/record-store.ts";
import { digestOf, warnOnce } from "../../storage/refused-records.ts";
import { readSecrets, type StoreKeys } from "../encrypted/keys.ts";

/** Where the key of a signed store comes from. */
export interface SignedOptions {
  /**
   * A secret of 32 bytes or more, a list of which the first signs and all verify, or a file with one a line that nobody but its owner may
   * read. It must not rest in Redis.
   */
  keys: StoreKeys["keys"];
  /** Hears of every record that is refused. Default: a process warning, once a collection and flaw. */
  onUnreadable?: ((record: RefusedRecord) => void) | undefined;
}

/** A record that was not what we had written: it was refused, and is still there. */
export interface RefusedRecord {
  readonly collection: string;
  /** Tells it from others without naming it, as ids may be secret: 16 hexadecimal digits of a hash of its key. */
  readonly record: string;
  /** `unsigned`: it has no room for a signature. `unknown_key`: none of `keys` has its id. `not_authentic`: changed, or put in another's place. */
  readonly flaw: "unsigned" | "unknown_key" | "not_authentic";
}

/**
 * Signs what is written and checks what is read. A value ends with the id of the key (6 bytes) and a MAC: the first 16 bytes of HMAC-SHA256 of
 * prefix, collection, partition, id, expiry, lookups and value. The same record has the same MAC, so that an insert that is repeated is known as such.
 */
export interface Signatures {
  sign(into: Collection, record: NewRecord): NewRecord;
  /** The record without its signature. @throws {StorageError} when it does not hold; it was reported. */
  verify(from: Collection, stored: StoredRecord): StoredRecord;
  /** Reports a record that leads where it should not. */
  refuse(from: Collection, key: RecordKey, flaw: RefusedRecord["flaw"]): StorageError;
}

const KEY_ID = 6;
const MAC = 16;
const TRAILER = KEY_ID + MAC;

/** @throws {ConfigError} when there is no key, or one is too short or open to others. */
export function createSignatures(options: SignedOptions, prefix: string): Signatures {
  if ((options as unknown) === true)
    throw new ConfigError("redisStore.signed", "needs a key, which Redis does not have: signed: { keys: [process.env.STORE_KEY] }");
  assertOptions("redisStore.signed", options, ["keys", "onUnreadable"]);
  const { onUnreadable = warnOnce() } = options;
  if (typeof onUnreadable !== "function") throw new ConfigError("redisStore.signed.onUnreadable", "give a function");
  const ring = createKeyRing(readSecrets("redisStore.signed.keys", options.keys), "redisStore.signed.keys");

  /** JSON holds no NUL, so it is clear where the value begins. The expiry is as it rests: whole, and above 0. */
  const macOf = ({ id: keyId, key }: DerivedKey, { kind, name }: Collection, record: NewRecord, value: Uint8Array): Buffer => {
    const { partition, id, expiresAt, lookups } = record;
    const expiry = expiresAt === null ? null : Math.max(1, Math.ceil(expiresAt));
    const place = JSON.stringify([keyId, prefix, kind, name, partition, id, expiry, lookups ? named(lookups) : []]);
    return createHmac("sha256", key).update(`${place}\0`).update(value).digest().subarray(0, MAC);
  };

  const refuse: Signatures["refuse"] = ({ name }, key, flaw) => {
    onUnreadable({ collection: name, record: digestOf(key), flaw });
    return new StorageError("A stored record is not what was written", { cause: explain(flaw) });
  };

  return {
    refuse,

    sign(into, record) {
      const { id, key } = ring.current(PURPOSE);
      const mac = macOf({ id, key }, into, record, record.value);
      return { ...record, value: Buffer.concat([record.value, Buffer.from(id, "base64url"), mac]) };
    },

    verify(from, stored) {
      const end = stored.value.length - TRAILER;
      if (end < 0) throw refuse(from, stored, "unsigned");
      const known = keyOf(ring, stored.value.subarray(end, end + KEY_ID));
      if (!known) throw refuse(from, stored, "unknown_key");
      const value = stored.value.subarray(0, end);
      const mac = stored.value.subarray(end + KEY_ID);
      if (!constantTimeEqual(mac, macOf(known, from, stored, value))) throw refuse(from, stored, "not_authentic");
      return { ...stored, value };
    },
  };
}

const PURPOSE = "redis store: signatures";

function keyOf(ring: KeyRing, id: Uint8Array): DerivedKey | null {
  return ring.find(PURPOSE, Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("base64url"));
}

/** In one order, and without those that are `null`, which are as good as left out. */
function named(lookups: Readonly<Record<string, string | null>>): [string, string | null][] {
  return Object.entries(lookups)
    .filter(([, value]) => value !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function explain(flaw: RefusedRecord["flaw"]): Error {
  if (flaw === "unknown_key") return new ConfigError("redisStore.signed.keys", "none of them signed it: put the secret back that did");
  return new Error(flaw === "unsigned" ? "it is not signed" : "it was changed, or belongs elsewhere");
}
