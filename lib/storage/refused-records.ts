import { sha256 } from "../crypto/hash.ts";
import type { RecordKey } from "./record-store.ts";

/** Tells a record from others in reports without naming it, as ids may be secret. */
export function digestOf({ partition, id }: RecordKey): string {
  return sha256(JSON.stringify([partition, id]))
    .toString("hex")
    .slice(0, 16);
}

/** A stored record that is not what was written, without its name: ids may be secret. */
interface Refused {
  readonly collection: string;
  readonly record: string;
  readonly flaw: string;
  /** The key that it asks for, where it tells. */
  readonly keyId?: string | null;
}

/** What hears of refused records where the application does not: warns the process, once for each collection and flaw. */
export function warnOnce(): (refused: Refused) => void {
  const told = new Set<string>();
  return ({ collection, record, flaw, keyId = null }) => {
    const kind = `${collection} ${flaw}`;
    if (told.has(kind)) return;
    told.add(kind);
    process.emitWarning(`latchkey: record ${record} of "${collection}" is refused (${flaw}${keyId === null ? "" : `, key ${keyId}`})`);
  };
}
