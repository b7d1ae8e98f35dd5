import type { RecordStore, Write } from "../../storage/record-store.ts";
import { readableOnly } from "../../storage/refused-records.ts";
import type { Signatures } from "./signatures.ts";

/** The same store, with every record signed as it is written and checked as it is read. No further commands but to put a refused record back. */
export function signed(store: RecordStore, { sign, verify, refuse }: Signatures): RecordStore {
  return {
    ...store,

    async get(from, key) {
      const stored = await store.get(from, key);
      return stored && verify(from, stored);
    },

    async list(from, partition) {
      return (await store.list(from, partition)).map((stored) => verify(from, stored));
    },

    async find(from, lookup, value, page) {
      return (await store.find(from, lookup, value, page)).map((stored) => {
        const record = verify(from, stored);
        if (record.lookups[lookup] !== value) throw refuse(from, stored, "not_authentic");
        return record;
      });
    },

    async take(from, key) {
      const stored = await store.take(from, key);
      if (!stored) return null;
      try {
        return verify(from, stored);
      } catch (refusal) {
        // For somebody to look at. It is no more there than it was: whoever reads it refuses it again.
        await store.commit([{ op: "insert", in: from, record: stored }]);
        throw refusal;
      }
    },

    commit: async (writes) =>
      store.commit(writes.map((write): Write => ("record" in write ? { ...write, record: sign(write.in, write.record) } : write))),

    async scan(from, page) {
      return readableOnly(await store.scan(from, page), (stored) => verify(from, stored));
    },
  };
}
