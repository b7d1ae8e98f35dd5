import { ConfigError } from "../../errors.ts";
import type { Collection } from "../../storage/record-store.ts";

/**
 * Where things are kept. What stands between the first braces of a key decides its slot in a Cluster:
 * - `{partition}collection`: a hash, all records of a partition; one owner's collections share a slot;
 * - `d{d}collection:id`: a directory record; `u{d}collection:lookup:value` the id that a unique lookup names;
 *   `p{d}collection:lookup:value` the ids that a plain one finds, a sorted set;
 * - `c{counter}`: a counter; `!`: the channel of changes.
 */
export interface Keys {
  readonly prefix: string;
  readonly channel: string;
  partition(from: Collection, partition: string): string;
  record(from: Collection, id: string): string;
  /** The part shared by a directory record's key and its lookups' keys. */
  directory(from: Collection): string;
  lookup(from: Collection, kind: "unique" | "plain", lookup: string, value: string): string;
  counter(counter: string): string;
  /** What a key holds; `null` for one of another layout. */
  parse(key: string): ParsedKey | null;
  /** A pattern for SCAN: all keys under the prefix, or those of one collection's records. */
  pattern(from?: Collection): string;
}

export type ParsedKey =
  | { readonly kind: "partition"; readonly collection: string; readonly partition: string }
  | { readonly kind: "record"; readonly collection: string; readonly base: string; readonly id: string }
  | { readonly kind: "plain"; readonly base: string }
  | { readonly kind: "counter" };

const SLOT = "{d}";
const PLAIN_NAME = /^[^%{}\0][^{}\0]*$/;

/** @throws {ConfigError} when the prefix has a brace: it would decide the slot of every key. */
export function createKeys(prefix: string): Keys {
  if (/[{}]/.test(prefix)) throw new ConfigError("redisStore.prefix", "must not have braces: they choose the slot in a Cluster");
  const directory = (from: Collection) => `${SLOT}${encodeURIComponent(from.name)}:`;

  return {
    prefix,
    channel: `${prefix}!`,
    partition: (from, partition) => `${prefix}{${tagOf(partition)}}${encodeURIComponent(from.name)}`,
    record: (from, id) => `${prefix}d${directory(from)}${id}`,
    directory,
    lookup: (from, kind, lookup, value) => `${prefix}${kind === "unique" ? "u" : "p"}${directory(from)}${lookupSuffix(lookup, value)}`,
    counter: (counter) => `${prefix}c{${tagOf(counter)}}`,
    pattern(from) {
      const start = escapeGlob(prefix);
      if (!from) return `${start}*`;
      return from.kind === "partitioned"
        ? `${start}{*}${escapeGlob(encodeURIComponent(from.name))}`
        : `${start}d${escapeGlob(directory(from))}*`;
    },
    parse(key) {
      if (!key.startsWith(prefix)) return null;
      try {
        return parseRest(key.slice(prefix.length));
      } catch {
        return null; // not spelled by us
      }
    },
  };
}

function parseRest(rest: string): ParsedKey | null {
  const open = rest.indexOf("{");
  const close = rest.indexOf("}", open);
  if (open < 0 || close < 0) return null;
  const [kind, tag, tail] = [rest.slice(0, open), rest.slice(open + 1, close), rest.slice(close + 1)];
  if (kind === "" && tail !== "") return { kind: "partition", collection: collectionOf(tail), partition: nameOf(tag) };
  if (kind === "c") return tail === "" ? { kind: "counter" } : null;
  const colon = tail.indexOf(":");
  if (colon < 0 || `{${tag}}` !== SLOT || (kind !== "d" && kind !== "p")) return null;
  const collection = collectionOf(tail.slice(0, colon));
  const base = `${SLOT}${tail.slice(0, colon + 1)}`;
  return kind === "p" ? { kind: "plain", base } : { kind: "record", collection, base, id: tail.slice(colon + 1) };
}

/** Refuses what we would not have written so: of another store, whose prefix begins with ours. */
function collectionOf(text: string): string {
  const collection = decodeURIComponent(text);
  if (encodeURIComponent(collection) !== text) throw new RangeError("not spelled by us");
  return collection;
}

/** What a lookup's key ends in; also how a record notes its lookups. */
export function lookupSuffix(lookup: string, value: string): string {
  return `${encodeURIComponent(lookup)}:${value}`;
}

export function parseLookupSuffix(suffix: string): { lookup: string; value: string } {
  const colon = suffix.indexOf(":");
  return { lookup: decodeURIComponent(suffix.slice(0, colon)), value: suffix.slice(colon + 1) };
}

/** A name as it may stand between braces; one that may not is spelled in base64url behind a `%`. */
function tagOf(name: string): string {
  return PLAIN_NAME.test(name) ? name : `%${Buffer.from(name).toString("base64url")}`;
}

function nameOf(tag: string): string {
  return tag.startsWith("%") ? Buffer.from(tag.slice(1), "base64url").toString() : tag;
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}
