import { ConfigError } from "../../errors.ts";
import type { Finding } from "../../storage/finding.ts";
import { directoryKey } from "../../storage/collection.ts";
import type { DirectoryCollection, RecordStore, StoredRecord } from "../../storage/record-store.ts";
import { kitCollections } from "../sql/collections.ts";
import { sealedUnder, type Envelopes } from "./envelope.ts";
import { assertMark, INDEX_MARK } from "./index-mark.ts";
import { resolveKeyIds, type StoreKeys } from "./keys.ts";

/** What the first records of each collection show of the keys. A read and a page a collection: `checkKeys` counts all. */
export async function inspectKeys(store: RecordStore, keys: StoreKeys["keys"], envelopes: Envelopes): Promise<readonly Finding[]> {
  const ids = resolveKeyIds("encrypted.keys", keys);
  const found = new Set<string | null>();
  const misplaced: Finding[] = [];
  for (const from of kitCollections) {
    const mark = from.kind === "directory" ? await store.get(from, directoryKey(INDEX_MARK)) : null;
    if (from.kind === "directory" && mark) misplaced.push(...markFindings(from, mark, envelopes));
    const { records } = await store.scan(from);
    for (const { value } of records) found.add(sealedUnder(value));
  }
  const findings: Finding[] = [...misplaced];
  const unknown = [...found].filter((id) => id !== null && !ids.includes(id));
  if (unknown.length > 0) {
    const message = `records are sealed under ${unknown.join(", ")}, which is none of the keys: nobody can read them`;
    findings.push({ code: "encryption_key_missing", level: "problem", message, fix: "put the secret back into `keys`" });
  }
  if (found.has(null)) {
    const fix = "stop the application and run latchkey reencrypt --seal-plaintext";
    findings.push({ code: "plaintext_records", level: "problem", message: "records are not sealed, and so are refused", fix });
  }
  if (new Set(ids).size < ids.length) {
    const fix = "drop it: what was meant may be a key left out";
    findings.push({ code: "encryption_key_duplicate", level: "warning", message: "one of the store's keys is given twice", fix });
  }
  for (const [position, id] of ids.entries()) {
    if (position === 0 || ids.indexOf(id) < position) continue;
    const which = `store key ${position + 1} of ${ids.length} (${id})`;
    findings.push(
      found.has(id)
        ? {
            code: "old_key_needed",
            level: "warning",
            message: `${which} is still needed: records rest under it`,
            fix: "run latchkey reencrypt before it is dropped",
          }
        : {
            code: "old_key_unused",
            level: "note",
            message: `${which}: none of the records looked at rests under it`,
            fix: "latchkey reencrypt --check says whether it can be dropped",
          },
    );
  }
  return findings;
}

/** A mark that cannot be opened is told of with the other records. */
function markFindings(from: DirectoryCollection, mark: StoredRecord, envelopes: Envelopes): Finding[] {
  try {
    assertMark(from, mark, envelopes);
    return [];
  } catch (error) {
    const cause = error instanceof Error ? error.cause : null;
    if (!(cause instanceof ConfigError) || cause.option !== "encrypted.indexKey") return [];
    const message = `nothing is found by its lookups: ${cause.message.replace(/^latchkey: encrypted\.indexKey: /, "")}`;
    return [
      {
        code: "index_key_mismatch",
        level: "problem",
        message,
        fix: "latchkey reencrypt --reindex is for an indexKey that was meant to change",
      },
    ];
  }
}
