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
