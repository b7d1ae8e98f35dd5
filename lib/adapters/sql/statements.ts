import { sql, type ExpressionBuilder } from "kysely";
import type { Collection } from "../../storage/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { columnOf, lookupsOf, type RecordRow, type Tables } from "./tables.ts";
import { param, template, type Template } from "./template.ts";

/**
 * The statements on one collection's table, compiled once. Their values: `partition` (of partitioned collections) and `id`, `now`
 * (Unix ms), and those of the columns written. A record is live while it never expires, or expires later than `now`.
 */
export interface Statements {
  readonly get: Template;
  readonly list: Template;
  readonly find: Readonly<Record<string, Template>>;
  readonly findBehind: Readonly<Record<string, Template>>;
  readonly scan: Template;
  /** Inserts nothing when the key or a unique lookup is taken; MySQL says so by an error. */
  readonly insert: Template;
  /** Over a live record, whatever its version. */
  readonly update: Template;
  /** Over a live record at `ifVersion`. */
  readonly replace: Template;
  readonly remove: Template;
  readonly removeVersion: Template;
  /** The record that was read as `seq` at `ifVersion`, and no other in its place. */
  readonly removeRead: Template;
  readonly removeExpired: Template;
  /** By unique lookup: frees `value` from an expired record that still has it. */
  readonly freeLookup: Readonly<Record<string, Template>>;
  readonly clear: Template;
  readonly clearBut: Template;
  /** How many live records a partition has beside `id`, as `count`. */
  readonly countOthers: Template;
  readonly oldestOthers: Template;
  readonly expired: Template;
}

type Where = ExpressionBuilder<Record<string, RecordRow>, string>;

export function createStatements({ build, conflicts }: Dialect, tables: Tables, from: Collection): Statements {
  const db = build.records;
  const table = tables.of(from);
  const inPartition = from.kind === "partitioned";
  const lookups = lookupsOf(from);
  const bytes = param<Uint8Array>;
  const number = param<number>;

  const isLive = (eb: Where) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", number("now"))]);
  const isExpired = (eb: Where) => eb("expires_at", "<=", number("now"));
  const isKey = (eb: Where) =>
    inPartition ? eb.and([eb("partition", "=", bytes("partition")), eb("id", "=", bytes("id"))]) : eb("id", "=", bytes("id"));
  const isPartition = (eb: Where) => eb("partition", "=", bytes("partition"));

  const written = {
    expires_at: number("expires_at"),
    value: bytes("value"),
    ...Object.fromEntries(lookups.map((lookup) => [columnOf(lookup), bytes(columnOf(lookup))])),
  };
  const row = { ...(inPartition ? { partition: bytes("partition") } : {}), id: bytes("id"), version: 1, ...written };
  const inserted = db.insertInto(table).values(row as typeof row & { partition: typeof row.id });
  const change = db.updateTable(table).set((eb) => ({ version: eb("version", "+", 1), ...written }));
  const drop = db.deleteFrom(table);
  const all = db.selectFrom(table).selectAll();
  const byLookup = (lookup: string) => all.where(sql.ref<Uint8Array>(columnOf(lookup)), "=", bytes("value")).where(isLive);
  const eachLookup = (names: readonly string[], make: (lookup: string) => Template) =>
    Object.fromEntries(names.map((lookup) => [lookup, make(lookup)]));

  return {
    get: template(all.where(isKey).where(isLive), true),
    list: template(all.where(isPartition).where(isLive).orderBy("seq"), true),
    find: eachLookup(lookups, (lookup) => template(byLookup(lookup).orderBy("id").limit(number("limit")), true)),
    findBehind: eachLookup(lookups, (lookup) =>
      template(byLookup(lookup).where("id", ">", bytes("after")).orderBy("id").limit(number("limit")), true),
    ),
    scan: template(all.where("seq", ">", number("after")).where(isLive).orderBy("seq").limit(number("limit")), true),
    insert: template(conflicts === "on conflict" ? inserted.onConflict((conflict) => conflict.doNothing()) : inserted),
    update: template(change.where(isKey).where(isLive)),
    replace: template(change.where(isKey).where("version", "=", number("ifVersion")).where(isLive)),
    remove: template(drop.where(isKey)),
    removeVersion: template(drop.where(isKey).where("version", "=", number("ifVersion")).where(isLive)),
    removeRead: template(drop.where("seq", "=", number("seq")).where("version", "=", number("ifVersion"))),
    removeExpired: template(drop.where(isKey).where(isExpired)),
    freeLookup: eachLookup(lookupsOf(from, "unique"), (lookup) =>
      template(drop.where(sql.ref<Uint8Array>(columnOf(lookup)), "=", bytes("value")).where(isExpired)),
    ),
    clear: template(drop.where(isPartition)),
    clearBut: template(drop.where(isPartition).where("id", "<>", bytes("keep"))),
    countOthers: template(
      db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .where(isPartition)
        .where("id", "<>", bytes("id"))
        .where(isLive),
      true,
    ),
    oldestOthers: template(all.where(isPartition).where("id", "<>", bytes("id")).where(isLive).orderBy("seq").limit(number("limit")), true),
    expired: template(db.selectFrom(table).select("seq").where(isExpired).orderBy("expires_at").limit(number("limit")), true),
  };
}
