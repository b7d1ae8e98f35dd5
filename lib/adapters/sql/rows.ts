import { StorageError, ConfigError } from "../../errors.ts";
import type { Collection, NewRecord, RecordKey, StoredRecord } from "../../storage/record-store.ts";
import type { Answer, SqlValue } from "./program.ts";
import { columnOf, lookupsOf } from "./tables.ts";

/** The most bytes of a partition, an id or a lookup: two of them fit into the key of any index. */
export const MAX_KEY_BYTES = 1024;

/** A key or a lookup as it stands in its column. */
export function keyBytes(text: string): Buffer {
  return Buffer.from(text);
}

/** The same, to be written. @throws {ConfigError} for more than 1024 bytes: some databases would cut them. */
export function writtenKey(text: string): Buffer {
  const bytes = keyBytes(text);
  if (bytes.byteLength > MAX_KEY_BYTES) throw new ConfigError("commit", `a key or lookup has at most ${MAX_KEY_BYTES} bytes`);
  return bytes;
}

/** The values that name a record. */
export function keyValues(from: Collection, { partition, id }: RecordKey): Record<string, SqlValue> {
  return from.kind === "partitioned" ? { partition: keyBytes(partition), id: keyBytes(id) } : { id: keyBytes(id) };
}

/** The values of a record that is written. */
export function recordValues(into: Collection, { partition, id, value, expiresAt, lookups = {} }: NewRecord): Record<string, SqlValue> {
  const values: Record<string, SqlValue> = { id: writtenKey(id), value: Buffer.from(value), expires_at: wholeMs(expiresAt) };
  if (into.kind === "partitioned") values["partition"] = writtenKey(partition);
  for (const lookup of lookupsOf(into)) {
    const named = lookups[lookup] ?? null;
    values[columnOf(lookup)] = named === null ? null : writtenKey(named);
  }
  return values;
}

/** An instant may have fractions; a record is absent from the first whole millisecond on that is not before it. */
export function wholeMs(instant: number | null): number | null {
  return instant === null ? null : Math.ceil(instant);
}

type Row = Answer["rows"][number];

/** A record as its row has it. */
export function readRecord(from: Collection, row: Row): StoredRecord {
  const expiresAt = row["expires_at"];
  return {
    partition: from.kind === "partitioned" ? readBytes(row["partition"]).toString() : "",
    id: readBytes(row["id"]).toString(),
    value: readBytes(row["value"]),
    version: readNumber(row["version"]),
    expiresAt: expiresAt === null ? null : readNumber(expiresAt),
    lookups: Object.fromEntries(
      lookupsOf(from).map((lookup) => {
        const named = row[columnOf(lookup)];
        return [lookup, named === null || named === undefined ? null : readBytes(named).toString()];
      }),
    ),
  };
}

/** Drivers give bytes as a Buffer, a view or what a view is of. They become the caller's own. */
function readBytes(value: unknown): Buffer {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new StorageError("A stored record could not be read");
}

/** Drivers give a bigint as a number, a BigInt or text. */
export function readNumber(value: unknown): number {
  const number = Number(value);
  if (value === null || value === undefined || !Number.isSafeInteger(number)) throw new StorageError("A stored record could not be read");
  return number;
}
