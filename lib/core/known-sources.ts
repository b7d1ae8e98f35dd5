import type { Clock } from "../clock.ts";
import { hmacSha256 } from "../crypto/hash.ts";
import type { KeyRing } from "../crypto/key-ring.ts";
import { partitionedCollection } from "../storage/collection.ts";
import type { RecordKey, RecordStore } from "../storage/record-store.ts";
import { addressTag } from "./magic-code-record.ts";

/** Where the people of an address were seen, for 30 days: no strangers, then. `null` is no source, and never known. */
export interface KnownSources {
  /** Whether this address was proven from this source lately. One read. */
  has(email: string, source: string | null): Promise<boolean>;
  /** One write. */
  remember(email: string, source: string | null): Promise<void>;
}

/** How long a source stays known to an address, ms. */
const KNOWN = 30 * 86_400_000;

export const knownSources = partitionedCollection("code_sources");

export function createKnownSources({
  store,
  keys,
  clock,
}: {
  readonly store: RecordStore;
  readonly keys: KeyRing;
  readonly clock: Clock;
}): KnownSources {
  const keyOf = (email: string, source: string): RecordKey => ({
    partition: addressTag(email),
    id: hmacSha256(keys.current("known source").key, source).subarray(0, 16).toString("base64url"),
  });

  return {
    has: async (email, source) => source !== null && (await store.get(knownSources, keyOf(email, source))) !== null,

    async remember(email, source) {
      if (source === null) return;
      const record = { ...keyOf(email, source), value: Buffer.from("1"), expiresAt: clock.now() + KNOWN };
      await store.commit([{ op: "put", in: knownSources, record, quiet: true }]);
    },
  };
}
