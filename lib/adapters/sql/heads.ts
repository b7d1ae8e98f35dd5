import type { Dialect } from "./dialect.ts";
import { ask, type Program } from "./program.ts";
import { writtenKey } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { param, template } from "./template.ts";

/** A row for each partition that was locked lately: caps and clears of one partition take turns by it. */
export interface Heads {
  /** Waits until nobody else has the partition, and has it until the transaction ends. */
  lock(partition: string, now: number): Program<void>;
  /** Removes rows not locked for an hour, at most `limit`: far longer than any transaction takes. */
  sweep(now: number, limit: number): Program<void>;
}

const IDLE_MS = 3_600_000;

export function createHeads({ build, conflicts, oneWriter }: Dialect, { heads: table }: Tables): Heads {
  const db = build.heads;
  const partition = param<Uint8Array>("partition");
  const now = param<number>("now");
  const row = db.insertInto(table).values({ partition, locked_at: now });
  const lock = template(
    conflicts === "on conflict"
      ? row.onConflict((conflict) => conflict.column("partition").doUpdateSet({ locked_at: now }))
      : row.onDuplicateKeyUpdate({ locked_at: now }),
  );
  const idle = template(
    db.selectFrom(table).select("partition").where("locked_at", "<=", now).orderBy("locked_at").limit(param<number>("limit")),
    true,
  );
  const remove = template(db.deleteFrom(table).where("partition", "=", partition).where("locked_at", "<=", now));

  return {
    *lock(name, at) {
      if (!oneWriter) yield* ask(lock({ partition: writtenKey(name), now: at }));
    },
    *sweep(at, limit) {
      if (oneWriter) return;
      const { rows } = yield* ask(idle({ now: at - IDLE_MS, limit }));
      for (const { partition: found } of rows) if (found instanceof Uint8Array) yield* ask(remove({ partition: found, now: at - IDLE_MS }));
    },
  };
}
