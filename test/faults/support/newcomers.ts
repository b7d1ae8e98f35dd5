import { kitCollections } from "../../../lib/adapters/sql/collections.ts";
import { sqliteStore } from "../../../lib/adapters/sqlite/index.ts";
import type { Collection, RecordStore } from "../../../lib/storage/record-store.ts";
import { connect } from "./connect.ts";
import type { StoreAddress } from "./app.ts";

/** A store that two processes share: a server, or a file. */
export type SharedStore = StoreAddress | { kind: "file"; path: string };

export function openShared(at: SharedStore): { store: RecordStore; disconnect(): Promise<void> } {
  if (at.kind !== "file") {
    const { store, client, disconnect } = connect(at);
    client.on("error", () => {});
    return { store, disconnect };
  }
  return { store: sqliteStore({ path: at.path }), disconnect: async () => {} };
}

/** What a newcomer has, made by one commit. */
export const parts: readonly Collection[] = ["users", "principals", "accounts"].flatMap((name) =>
  kitCollections.filter((collection) => collection.name === name),
);

/** Makes a newcomer, whole or not at all. Safe to repeat. */
export function insertNewcomer(store: RecordStore, id: string): Promise<boolean> {
  const lookups: Record<string, Record<string, string>> = { users: { email: id }, accounts: { identity: id, userId: id } };
  return store.commit(
    parts.map((from) => ({
      op: "insert",
      in: from,
      record: { partition: "", id, value: Buffer.from(`${from.name} ${id}`), expiresAt: null, lookups: lookups[from.name] ?? {} },
    })),
  );
}

/** The ids of all that are there of a part. */
export async function idsOf(store: RecordStore, part: Collection): Promise<string[]> {
  const ids: string[] = [];
  let after: string | null | undefined;
  do {
    const page = await store.scan(part, { limit: 1000, ...(after ? { after } : {}) });
    ids.push(...page.records.map(({ id }) => id));
    after = page.next;
  } while (after !== null);
  return [...new Set(ids)].sort();
}
