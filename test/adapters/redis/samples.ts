import type { NewRecord } from "../../../lib/storage/record-store.ts";
import { directoryCollection, partitionedCollection } from "../../../lib/storage/collection.ts";

export const notes = partitionedCollection("notes");
export const people = directoryCollection("people", { email: "unique", team: "plain" });

/** A record of {@link notes}: in partition `p`, never expiring, unless said otherwise. */
export function note(id: string, rest: Partial<NewRecord> = {}): NewRecord {
  return { partition: "p", id, value: Buffer.from(`value of ${id}`), expiresAt: null, ...rest };
}

/** A record of {@link people}, found by an email address and by its team, red. */
export function person(id: string, rest: Partial<NewRecord> = {}): NewRecord {
  const lookups = { email: `${id}@example.com`, team: "red" };
  return { partition: "", id, value: Buffer.from(`value of ${id}`), expiresAt: null, lookups, ...rest };
}
