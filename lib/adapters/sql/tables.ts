import type { Generated } from "kysely";
import { ConfigError } from "../../errors.ts";
import type { Collection } from "../../storage/record-store.ts";

/** A row of a collection's table. Those of directories have no partition, but a column for each lookup. */
export interface RecordRow {
  /** In the order of insertion; of no other row before or after, so it tells a record from one that takes its place. */
  seq: Generated<number>;
  partition: Uint8Array;
  id: Uint8Array;
  version: number;
  expires_at: number | null;
  value: Uint8Array;
  [lookup: `by_${string}`]: Uint8Array | null;
}

export interface CounterRow {
  counter: Uint8Array;
  count: number;
  reset_at: number;
}

/** What is locked by who needs a partition for himself. */
export interface HeadRow {
  partition: Uint8Array;
  locked_at: number;
}

export interface VersionRow {
  version: number;
  applied_at: number;
}

/** Where things are kept: all names begin with one prefix. */
export interface Tables {
  readonly prefix: string;
  readonly counters: string;
  readonly heads: string;
  readonly versions: string;
  readonly collections: readonly Collection[];
  /** The table of a collection. @throws {ConfigError} when the store was not told of it. */
  of(from: Collection): string;
}

/** Names must fit, with the longest index's on them, into the 63 bytes that PostgreSQL allows. */
const PREFIX = /^[a-z_][a-z0-9_]{0,19}$/;
const NAME = /^[A-Za-z0-9_]{1,30}$/;

/** @throws {ConfigError} for names that cannot be those of tables or columns. */
export function createTables(factory: string, prefix: string, collections: readonly Collection[]): Tables {
  if (typeof prefix !== "string" || !PREFIX.test(prefix))
    throw new ConfigError(`${factory}.prefix`, "use 1 to 20 of a-z, 0-9 and _, not beginning with a digit");
  for (const { name, ...rest } of collections) {
    const names = [name, ...("lookups" in rest ? Object.keys(rest.lookups) : [])];
    const wrong = names.find((each) => !NAME.test(each));
    if (wrong !== undefined) throw new ConfigError(`${factory}.collections`, `"${wrong}" cannot be the name of a table or column`);
  }
  const own = { counters: `${prefix}_counters`, heads: `${prefix}_heads`, versions: `${prefix}_versions` };
  const known = new Map(collections.map(({ name }) => [name, `${prefix}_${snakeCase(name)}`]));
  const all = [...Object.values(own), ...known.values()];
  if (new Set(all).size < collections.length + 3) throw new ConfigError(`${factory}.collections`, "two tables would have the same name");
  return {
    ...own,
    prefix,
    collections,
    of({ name }) {
      const table = known.get(name);
      if (table === undefined) throw new ConfigError(`${factory}.collections`, `"${name}" has no table: list it there, and migrate`);
      return table;
    },
  };
}

/** The column of a lookup. */
export function columnOf(lookup: string): `by_${string}` {
  return `by_${snakeCase(lookup)}`;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The names of a collection's lookups; of those that are unique. */
export function lookupsOf(from: Collection, kind?: "unique"): string[] {
  if (from.kind !== "directory") return [];
  return Object.entries(from.lookups).flatMap(([lookup, each]) => (kind === undefined || each === kind ? [lookup] : []));
}
