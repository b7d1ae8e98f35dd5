import {
  DummyDriver,
  Kysely,
  type DialectAdapter,
  type QueryCompiler,
  type RawBuilder,
  type ColumnDefinitionBuilder,
  type CreateTableBuilder,
} from "kysely";
import type { Failures } from "./failures.ts";
import type { CounterRow, HeadRow, RecordRow, VersionRow } from "./tables.ts";

/** Builds queries for one database, and sends none. */
export interface Builder {
  readonly records: Kysely<Record<string, RecordRow>>;
  readonly counters: Kysely<Record<string, CounterRow>>;
  readonly heads: Kysely<Record<string, HeadRow>>;
  readonly versions: Kysely<Record<string, VersionRow>>;
}

/** What differs between the databases. */
export interface Dialect {
  readonly name: "postgres" | "mysql" | "sqlite";
  readonly build: Builder;
  /** How an insert says what happens when its place is taken; with `on conflict` statements can also return rows. */
  readonly conflicts: "on conflict" | "on duplicate key";
  /** Whether transactions run one at a time, so that none needs to lock a partition. */
  readonly oneWriter: boolean;
  /** Types of columns: keys are compared byte by byte, values may be 64 KB and more. */
  readonly keyType: RawBuilder<unknown>;
  readonly valueType: RawBuilder<unknown>;
  /** A column that numbers rows as they are inserted, and never gives a number twice. */
  readonly seqType: "bigint" | "integer";
  seq(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder;
  /** Makes these columns the key of a table that has a `seq`. */
  keyed(table: CreateTableBuilder<string, string>, name: string, columns: readonly string[]): CreateTableBuilder<string, string>;
  /** Whether `create index` may say `if not exists`. */
  readonly indexIfNotExists: boolean;
  readonly failures: Failures;
  /** Asks the server for its time, Unix ms, as `now`; `null`: it has no clock of its own. */
  readonly serverTime: string | null;
}

export function createBuilder(createAdapter: () => DialectAdapter, createQueryCompiler: () => QueryCompiler): Builder {
  const cold = <Tables>() =>
    new Kysely<Tables>({
      dialect: {
        createAdapter,
        createQueryCompiler,
        createDriver: () => new DummyDriver(),
        createIntrospector: () => {
          throw new TypeError("nothing is asked by the builder");
        },
      },
    });
  return { records: cold(), counters: cold(), heads: cold(), versions: cold() };
}
