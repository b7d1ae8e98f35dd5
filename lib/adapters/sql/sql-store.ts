import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../errors.ts";
import { assertCommit } from "../../storage/commit.ts";
import type { Collection, RecordStore, Write } from "../../storage/record-store.ts";
import type { Announcements } from "./announcements.ts";
import { createCommits } from "./commit.ts";
import { createCounters } from "./counters.ts";
import type { Dialect } from "./dialect.ts";
import type { Executor } from "./executor.ts";
import { createHeads } from "./heads.ts";
import { createSqlInspection } from "./inspection.ts";
import { migration } from "./migrations.ts";
import { ask } from "./program.ts";
import { keyBytes, keyValues, readNumber, readRecord } from "./rows.ts";
import { createStatements, type Statements } from "./statements.ts";
import { createSweep } from "./sweep.ts";
import { lookupsOf, type Tables } from "./tables.ts";

export interface SqlStoreParts {
  readonly dialect: Dialect;
  readonly tables: Tables;
  readonly executor: Executor;
  readonly announcements: Announcements;
  readonly clock: Clock;
  /** See {@link RecordStore.ordered}. */
  readonly ordered: boolean;
}

/** The store, over any of the databases: one table a collection, one column a lookup. */
export function createSqlStore({ dialect, tables, executor, announcements, clock, ordered }: SqlStoreParts): RecordStore {
  const compiled = new Map<string, Statements>();
  const statementsOf = (from: Collection): Statements => {
    const table = tables.of(from);
    let statements = compiled.get(table);
    if (!statements) compiled.set(table, (statements = createStatements(dialect, tables, from)));
    return statements;
  };
  const heads = createHeads(dialect, tables);
  const counters = createCounters(dialect, tables);
  const commits = createCommits({ dialect, statementsOf, heads, announcements });
  const sweep = createSweep({ dialect, tables, statementsOf, heads, counters });
  const now = () => Math.floor(clock.now());
  const inspect = createSqlInspection({ dialect, tables, statementsOf, executor, now });

  return {
    name: dialect.name,
    persistent: true,
    keepsExpired: true,
    ordered,

    async get(from, key) {
      const statement = statementsOf(from).get({ ...keyValues(from, key), now: now() });
      const { rows } = await executor.run(() => ask(statement));
      return rows[0] ? readRecord(from, rows[0]) : null;
    },

    async list(from, partition) {
      if (from.kind !== "partitioned") throw new ConfigError("list", `"${from.name}" is a directory: use find`);
      const statement = statementsOf(from).list({ partition: keyBytes(partition), now: now() });
      const { rows } = await executor.run(() => ask(statement));
      return rows.map((row) => readRecord(from, row));
    },

    async find(from, lookup, value, { limit = 100, after } = {}) {
      if (!lookupsOf(from).includes(lookup)) throw new ConfigError("find", `"${from.name}" has no lookup "${lookup}"`);
      const { find, findBehind } = statementsOf(from);
      const values = { value: keyBytes(value), now: now(), limit };
      const statement = after === undefined ? find[lookup]?.(values) : findBehind[lookup]?.({ ...values, after: keyBytes(after) });
      if (!statement) throw new ConfigError("find", `"${from.name}" has no lookup "${lookup}"`);
      const { rows } = await executor.run(() => ask(statement));
      return rows.map((row) => readRecord(from, row));
    },

    async take(from, key) {
      const of = statementsOf(from);
      const at = now();
      const told = { collection: from.name, ...key };
      return executor.run(function* () {
        for (;;) {
          const { rows } = yield* ask(of.get({ ...keyValues(from, key), now: at }));
          if (!rows[0]) return null;
          const record = readRecord(from, rows[0]);
          const removal = of.removeRead({ seq: readNumber(rows[0]["seq"]), ifVersion: record.version });
          const { affected } = yield* ask(announcements.within(removal, told));
          if (affected === 0) continue; // taken, removed or written to since: look again
          announcements.committed([told]);
          return record;
        }
      });
    },

    async commit(writes) {
      assertCommit(writes);
      const [first] = writes;
      if (!first) return true;
      const at = now();
      // Where nothing comes between transactions one of them costs nothing, and a second try would let reads pass the first.
      if (writes.length === 1 && !dialect.oneWriter && !isCapped(first)) {
        const done = await executor.run(() => commits.alone(first, at));
        if (done !== null) return done;
      }
      const told = await executor.transact(() => commits.together(writes, at));
      if (told) announcements.committed(told);
      return told !== null;
    },

    count: (counter, change) => executor.run(() => counters.count(counter, change)),

    async scan(from, { limit = 100, after } = {}) {
      if (after !== undefined && !/^\d{1,16}$/.test(after)) throw new ConfigError("scan", "`after` must be the `next` of the page before");
      const statement = statementsOf(from).scan({ after: Number(after ?? 0), now: now(), limit: limit + 1 });
      const { rows } = await executor.run(() => ask(statement));
      const page = rows.slice(0, limit);
      return {
        records: page.map((row) => readRecord(from, row)),
        next: rows.length > limit ? String(readNumber(page.at(-1)?.["seq"])) : null,
      };
    },

    sweep: ({ limit = 1000 } = {}) => executor.run(() => sweep(now(), limit)),

    watch: announcements.watch,

    inspect: () => inspect(),

    migrate: () => executor.migrate(() => migration(dialect, tables, now())),

    async close() {
      await announcements.close();
      await executor.close();
    },
  };
}

function isCapped(write: Write): boolean {
  return write.op === "insert" && write.max !== undefined;
}
