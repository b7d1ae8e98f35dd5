import { ConfigError, StorageError } from "../../errors.ts";
import type { Collection, Page, Scanned, StoredRecord } from "../../storage/record-store.ts";
import type { RedisClient } from "./client.ts";
import type { Commands } from "./commands.ts";
import { isExpired, readDirectoryRecord, readPartitionRecord } from "./envelope.ts";
import type { Keys } from "./keys.ts";

/** How far a scan has come; as base64url it is what callers pass back. */
interface Position {
  /** Masters that were scanned whole. */
  done: string[];
  /** The master being scanned, and SCAN's cursor there. */
  node: string | null;
  cursor: string;
  /** Keys that SCAN gave and that were not read yet; for hashes with HSCAN's cursor. */
  keys: [key: string, cursor: string][];
  /** Records that HSCAN gave and for which the page had no room. */
  fields: [key: string, id: string][];
}

/** Round trips for one page at most: a collection that is rare among millions of keys comes in short pages. */
const MAX_STEPS = 1000;
/** Keys asked for in one SCAN when those before had none of ours. */
const MAX_COUNT = 1000;
/** Hashes read at once. */
const MAX_PARALLEL = 100;

export interface ScanParts {
  readonly client: RedisClient;
  readonly commands: Commands;
  readonly keys: Keys;
  readonly now: () => number;
}

/** One page of a collection's live records, by SCAN and HSCAN on every master: what stays during the scan is shown. */
export async function scanPage(
  { client, commands, keys, now }: ScanParts,
  from: Collection,
  { limit = 100, after }: Page,
): Promise<Scanned> {
  const position: Position =
    after === undefined
      ? { done: [], node: null, cursor: "0", keys: [], fields: [] }
      : parsePosition(after, (key) => isOf(keys, from, key));
  const records: StoredRecord[] = [];
  let count = limit;
  let exhausted = false;
  let unreadable = 0;
  /** How many records the hashes read so far had. */
  let [hashes, inHashes] = [0, 0];

  const add = (read: () => StoredRecord) => {
    try {
      const record = read();
      if (!isExpired(record, now())) records.push(record);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      unreadable += 1;
    }
  };

  const readFields = async () => {
    const fields = position.fields.splice(0, limit - records.length);
    const read = async ([key, id]: [string, string]) => {
      const bytes = await commands.read(
        () => client.hgetBuffer(key, id),
        (found) => found,
      );
      return { key: { partition: partitionOf(keys, key), id }, bytes };
    };
    for (const { key, bytes } of await Promise.all(fields.map(read))) if (bytes) add(() => readPartitionRecord(key, bytes));
  };

  const readHashes = async () => {
    const room = limit - records.length;
    // As many as are likely to fill the page: what has no room goes into the position, which has to fit into a URL.
    const likely = hashes === 0 ? 1 : Math.ceil((room * hashes) / Math.max(1, inHashes));
    const batch = position.keys.splice(0, Math.min(room, likely, MAX_PARALLEL));
    const pages = await Promise.all(
      batch.map(([key, cursor]) =>
        commands.read(
          () => client.hscanBuffer(key, cursor, "COUNT", room),
          ([next, pairs]) => ({ key, next: next.toString(), pairs }),
        ),
      ),
    );
    for (const { key, next, pairs } of pages) {
      if (next !== "0") position.keys.push([key, next]);
      const partition = partitionOf(keys, key);
      [hashes, inHashes] = [hashes + 1, inHashes + pairs.length / 2];
      for (let i = 0; i + 1 < pairs.length; i += 2) {
        const [id, bytes] = [pairs[i]?.toString() ?? "", pairs[i + 1]];
        if (records.length >= limit) position.fields.push([key, id]);
        else if (bytes) add(() => readPartitionRecord({ partition, id }, bytes));
      }
    }
  };

  const readRecords = async () => {
    const batch = position.keys.splice(0, limit - records.length).map(([key]) => key);
    const found = await commands.read(
      () => client.mgetBuffer(batch),
      (all) => all,
    );
    for (const [index, bytes] of found.entries()) {
      const key = keys.parse(batch[index] ?? "");
      if (bytes && key?.kind === "record") add(() => readDirectoryRecord(key.id, bytes));
    }
  };

  const findKeys = async () => {
    const masters = commands.masters().filter(({ name }) => !position.done.includes(name));
    const current = masters.find(({ name }) => name === position.node) ?? masters[0];
    if (!current) {
      exhausted = true;
      return;
    }
    if (current.name !== position.node) Object.assign(position, { node: current.name, cursor: "0" });
    const type = from.kind === "partitioned" ? "hash" : "string";
    const [next, found] = await commands.read(
      () => current.node.scan(position.cursor, "MATCH", keys.pattern(from), "COUNT", count, "TYPE", type),
      (page) => page,
    );
    for (const key of found) if (isOf(keys, from, key)) position.keys.push([key, "0"]);
    count = found.length === 0 ? Math.min(count * 2, MAX_COUNT) : limit;
    position.cursor = next;
    if (next === "0") Object.assign(position, { done: [...position.done, current.name], node: null });
  };

  for (let step = 0; step < MAX_STEPS && records.length < limit && !exhausted; step += 1) {
    if (position.fields.length > 0) await readFields();
    else if (position.keys.length === 0) await findKeys();
    else if (from.kind === "partitioned") await readHashes();
    else await readRecords();
  }
  const left = position.fields.length + position.keys.length > 0 || commands.masters().some(({ name }) => !position.done.includes(name));
  const next = left ? Buffer.from(JSON.stringify(position)).toString("base64url") : null;
  return { records, next, ...(unreadable === 0 ? {} : { unreadable }) };
}

function isOf(keys: Keys, from: Collection, key: string): boolean {
  const parsed = keys.parse(key);
  return (
    (parsed?.kind === "partition" || parsed?.kind === "record") &&
    parsed.collection === from.name &&
    (parsed.kind === "partition") === (from.kind === "partitioned")
  );
}

function partitionOf(keys: Keys, key: string): string {
  const parsed = keys.parse(key);
  return parsed?.kind === "partition" ? parsed.partition : "";
}

/**
 * Callers may hand on what came with a request, so a position names keys of this collection only.
 * @throws {ConfigError} for what no scan of it gave.
 */
function parsePosition(after: string, isOurs: (key: string) => boolean): Position {
  try {
    const { done, node, cursor, keys, fields } = JSON.parse(Buffer.from(after, "base64url").toString()) as Position;
    const pairs = [...keys, ...fields];
    const texts: unknown[] = [...done, node ?? "", cursor, ...pairs.flat()];
    const cursors = [cursor, ...keys.map(([, at]) => at)];
    if (
      texts.every((text) => typeof text === "string") &&
      cursors.every((at) => /^\d{1,20}$/.test(at)) &&
      pairs.every(([key]) => isOurs(key))
    )
      return { done, node, cursor, keys, fields };
  } catch {
    // refused below
  }
  throw new ConfigError("scan", "`after` must be the `next` of the page before");
}
