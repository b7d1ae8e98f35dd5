import type { Collection } from "../../storage/record-store.ts";
import { clockFindings, MIGRATION_PENDING, type Finding } from "../../storage/finding.ts";
import type { Dialect } from "./dialect.ts";
import type { Executor } from "./executor.ts";
import { ask, type Program } from "./program.ts";
import { readNumber } from "./rows.ts";
import { pendingMigrations } from "./schema.ts";
import type { Statements } from "./statements.ts";
import type { Tables } from "./tables.ts";

export interface SqlInspectionParts {
  readonly dialect: Dialect;
  readonly tables: Tables;
  readonly statementsOf: (from: Collection) => Statements;
  readonly executor: Executor;
  readonly now: () => number;
}

/** What expired this long ago shows that nobody sweeps, ms. */
const UNSWEPT = 24 * 3600_000;

/** What an operator should know of the tables: migrations that are due, rows that nobody sweeps, a clock that is off. */
export function createSqlInspection({ dialect, tables, statementsOf, executor, now }: SqlInspectionParts) {
  const sayTime = function* (): Program<readonly Finding[]> {
    if (dialect.serverTime === null) return [];
    const before = now();
    const { rows } = yield* ask({ sql: dialect.serverTime, values: [], reads: true });
    return clockFindings(dialect.name, readNumber(rows[0]?.["now"]), { before, after: now() });
  };

  const sayUnswept = function* (): Program<readonly Finding[]> {
    const left: string[] = [];
    for (const from of tables.collections) {
      const { rows } = yield* ask(statementsOf(from).expired({ now: now() - UNSWEPT, limit: 1 }));
      if (rows.length > 0) left.push(tables.of(from));
    }
    const message = `rows that expired over a day ago are still in ${left.join(", ")}`;
    const fix = "leave createAuth's `sweepEvery` on, or call auth.sweep() every minute or so, in one process";
    return left.length === 0 ? [] : [{ code: "unswept", level: "warning", message, fix }];
  };

  return async (): Promise<readonly Finding[]> => {
    const pending = await executor.run(() => pendingMigrations(dialect, tables));
    const due = pending.map((message): Finding => ({ code: MIGRATION_PENDING, level: "problem", message, fix: "run latchkey migrate" }));
    return [...due, ...(due.length > 0 ? [] : await executor.run(sayUnswept)), ...(await executor.run(sayTime))];
  };
}
