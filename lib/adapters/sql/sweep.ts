import type { Collection } from "../../storage/record-store.ts";
import type { Counters } from "./counters.ts";
import type { Dialect } from "./dialect.ts";
import type { Heads } from "./heads.ts";
import { ask, type Program } from "./program.ts";
import { readNumber } from "./rows.ts";
import type { Statements } from "./statements.ts";
import type { Tables } from "./tables.ts";
import { template } from "./template.ts";

export interface SweepParts {
  readonly dialect: Dialect;
  readonly tables: Tables;
  readonly statementsOf: (from: Collection) => Statements;
  readonly heads: Heads;
  readonly counters: Counters;
}

/** Rows removed by one statement. */
const BATCH = 200;

/** Removes what has expired, by the index on expiry and in small statements, so that none holds locks for long. Counts by collection. */
export function createSweep({ dialect, tables, statementsOf, heads, counters }: SweepParts) {
  const removeExpired = (from: Collection, seqs: readonly number[], now: number) =>
    template(dialect.build.records.deleteFrom(tables.of(from)).where("seq", "in", seqs).where("expires_at", "<=", now))();

  return function* sweep(now: number, limit: number): Program<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    let left = limit;
    const tally = (name: string, removed: number) => {
      if (removed > 0) counts[name] = (counts[name] ?? 0) + removed;
      left -= removed;
    };
    for (const from of tables.collections) {
      let removed = 1;
      while (left > 0 && removed > 0) {
        const { rows } = yield* ask(statementsOf(from).expired({ now, limit: Math.min(BATCH, left) }));
        const seqs = rows.map(({ seq }) => readNumber(seq));
        removed = seqs.length === 0 ? 0 : (yield* ask(removeExpired(from, seqs, now))).affected;
        tally(from.name, removed);
      }
    }
    if (left > 0) {
      const { rows } = yield* ask(counters.expired({ now, limit: left }));
      for (const { counter } of rows) {
        if (counter instanceof Uint8Array || counter instanceof ArrayBuffer)
          tally("counters", (yield* ask(counters.removeExpired({ counter: new Uint8Array(counter), now }))).affected);
      }
    }
    yield* heads.sweep(now, limit);
    return counts;
  };
}
