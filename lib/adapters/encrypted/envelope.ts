import { hmacSha256 } from "../../crypto/hash.ts";
import type { KeyRing } from "../../crypto/key-ring.ts";
import { openBytes, SEAL_OVERHEAD, sealBytes } from "../../crypto/seal.ts";
import { ConfigError } from "../../errors.ts";
import type { Collection, NewRecord, StoredRecord } from "../../storage/record-store.ts";

/**
 * How a value rests: a mark that begins no UTF-8 text, the version of the envelope, the id of the key (6 bytes), then nonce (12),
 * ciphertext and tag (16). A directory record's plain text is its lookups (4-byte length, JSON), then the value; any other's is the value.
 */
const MARK = 0xe5;
const VERSION = 1;
const KEY_ID = 6;
const HEADER = 2 + KEY_ID;

/** What one envelope adds to the length of a value without lookups. */
export const ENVELOPE_OVERHEAD = HEADER + SEAL_OVERHEAD;

/** Why a record could not be opened. */
export type Flaw = "malformed" | "unknown_key" | "not_authentic" | "moved_lookups";

/** A record that could not be opened: it was refused, and is still there. */
export interface UnreadableRecord {
  readonly collection: string;
  /** Tells it from others without naming it, as ids may be secret: 16 hexadecimal digits of a hash of its key. */
  readonly record: string;
  readonly flaw: Flaw;
  /** Which key it says to be sealed under; `null` when it is not sealed. */
  readonly keyId: string | null;
}

/** An opened record, or what is wrong with it. */
export type Opened = { readonly record: StoredRecord; readonly keyId: string } | { readonly flaw: Flaw; readonly keyId: string | null };

/** Turns records as the kit knows them into records as they rest, and back. */
export interface Envelopes {
  seal(into: Collection, record: NewRecord): NewRecord;
  /** @param index whether lookups that were hashed under another index key make it unreadable. */
  open(from: Collection, stored: StoredRecord, index?: "this index" | "any index"): Opened;
  /** What stands in the place of a lookup's value. */
  hashLookup(from: Collection, lookup: string, value: string): string;
  /** Tells this index key from others, and nothing of it. */
  readonly indexFingerprint: Buffer;
}

/**
 * One key a collection, so that each has the 2^32 random nonces that a key may see to itself (NIST SP 800-38D, 8.3). Collection, key of the
 * record, version, key id and expiry are authenticated with the value: it opens nowhere else, and lives no longer than it was given.
 */
export function createEnvelopes(keys: { readonly values: KeyRing; readonly index: KeyRing }): Envelopes {
  const purposeOf = ({ name }: Collection) => `encrypted store: ${name}`;
  const indexKey = keys.index.current("encrypted store: lookups").key;

  const hashLookup: Envelopes["hashLookup"] = ({ name }, lookup, value) =>
    hmacSha256(indexKey, JSON.stringify([name, lookup, value])).toString("base64url");

  const hashLookups = (from: Collection, lookups: NewRecord["lookups"] = {}) =>
    Object.fromEntries(Object.entries(lookups).map(([lookup, value]) => [lookup, value === null ? null : hashLookup(from, lookup, value)]));

  return {
    hashLookup,

    indexFingerprint: hmacSha256(indexKey, "fingerprint").subarray(0, 16),

    seal(into, record) {
      const { id, key } = keys.values.current(purposeOf(into));
      const header = Buffer.concat([Buffer.from([MARK, VERSION]), Buffer.from(id, "base64url")]);
      const plain = into.kind === "directory" ? withLookups(record) : record.value;
      const value = Buffer.concat([header, sealBytes(key, plain, contextOf(into, record, VERSION, id))]);
      return { ...record, value, ...(record.lookups ? { lookups: hashLookups(into, record.lookups) } : {}) };
    },

    open(from, stored, index = "this index") {
      const keyId = sealedUnder(stored.value);
      if (keyId === null || stored.value[1] !== VERSION) return { flaw: "malformed", keyId };
      const known = keys.values.find(purposeOf(from), keyId);
      if (!known) return { flaw: "unknown_key", keyId };
      let plain: Buffer;
      try {
        plain = openBytes(known.key, stored.value.subarray(HEADER), contextOf(from, stored, VERSION, keyId));
      } catch {
        return { flaw: "not_authentic", keyId };
      }
      if (from.kind === "partitioned") return { record: { ...stored, value: plain }, keyId };
      const { lookups, value } = splitLookups(plain);
      if (index === "this index" && !sameLookups(hashLookups(from, lookups), stored.lookups)) return { flaw: "moved_lookups", keyId };
      return { record: { ...stored, value, lookups }, keyId };
    },
  };
}

/** The id of the key that bytes were sealed under; `null` for what is no envelope. */
export function sealedUnder(value: Uint8Array): string | null {
  if (value.length < ENVELOPE_OVERHEAD || value[0] !== MARK) return null;
  return Buffer.from(value.subarray(2, HEADER)).toString("base64url");
}

/** The cause of the refusal, for the log: it names the fix where there is one. */
export function explain(flaw: Flaw, keyId: string | null): Error {
  switch (flaw) {
    case "unknown_key":
      return new ConfigError("encrypted.keys", `none of them is key ${keyId}: put its secret back`);
    case "moved_lookups":
      return new Error("its lookups were changed, or hashed under another index key");
    case "malformed":
      return new Error("it is not sealed, or by a later version");
    case "not_authentic":
      return new Error("it was changed, moved or cut short");
  }
}

/** Whether two records have the same lookups; one that is left out is as good as `null`. */
export function sameLookups(left: NewRecord["lookups"] = {}, right: NewRecord["lookups"] = {}): boolean {
  return [...Object.keys(left), ...Object.keys(right)].every((lookup) => (left[lookup] ?? null) === (right[lookup] ?? null));
}

function contextOf({ kind, name }: Collection, { partition, id, expiresAt }: NewRecord, version: number, keyId: string): Buffer {
  const expiry = expiresAt === null ? null : Math.floor(expiresAt);
  return Buffer.from(JSON.stringify(["latchkey store", version, keyId, kind, name, partition, id, expiry]));
}

function withLookups({ lookups = {}, value }: NewRecord): Buffer {
  const names = Buffer.from(JSON.stringify(lookups));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(names.length);
  return Buffer.concat([length, names, value]);
}

/** Of what was authenticated, so it is as {@link withLookups} made it. */
function splitLookups(plain: Buffer): Pick<StoredRecord, "lookups" | "value"> {
  const end = 4 + plain.readUInt32BE();
  return { lookups: JSON.parse(plain.subarray(4, end).toString()) as StoredRecord["lookups"], value: plain.subarray(end) };
}
