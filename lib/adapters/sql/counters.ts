import { sql } from "kysely";
import { sha256 } from "../../crypto/hash.ts";
import type { CountChange } from "../../storage/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { ask, type Program } from "./program.ts";
import { keyBytes, MAX_KEY_BYTES, readNumber } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { param, template, type Template } from "./template.ts";

export interface Counters {
  count(counter: string, change: CountChange): Program<{ count: number; resetAt: number }>;
  /** Counters whose window ended, at most `limit`; and the statement that removes one of them. */
  readonly expired: Template;
  readonly removeExpired: Template;
}

export function createCounters({ build, conflicts }: Dialect, { counters: table }: Tables): Counters {
  const db = build.counters;
  const counter = param<Uint8Array>("counter");
  const now = param<number>("now");
  const resetAt = param<number>("resetAt");
  const stored = (column: "count" | "reset_at") => sql.ref<number>(`${table}.${column}`);
  const isOpen = sql<boolean>`${stored("reset_at")} > ${now}`;
  const raised = sql<number>`case when ${isOpen} then ${stored("count")} + 1 else 1 end`;
  const lowered = sql<number>`case when ${stored("count")} > 0 then ${stored("count")} - 1 else 0 end`;
  const kept = sql<number>`case when ${isOpen} then ${stored("reset_at")} else ${resetAt} end`;
  const first = db.insertInto(table).values({ counter, count: 1, reset_at: resetAt });
  const open = db.updateTable(table).where("counter", "=", counter).where("reset_at", ">", now);
  const answered = ["count", "reset_at"] as const;

  const withReturning = () => {
    const raise = template(
      first.onConflict((conflict) => conflict.column("counter").doUpdateSet({ count: raised, reset_at: kept })).returning(answered),
      true,
    );
    const lower = template(open.set({ count: lowered }).returning(answered), true);
    return function* (values: Parameters<Template>[0], by: 1 | -1): Program<{ count: number; resetAt: number } | null> {
      const { rows } = yield* ask((by > 0 ? raise : lower)(values));
      return rows[0] ? { count: readNumber(rows[0]["count"]), resetAt: readNumber(rows[0]["reset_at"]) } : null;
    };
  };

  /** `last_insert_id` hands the count over with the answer. The end of a window never moves while it is open, so it may be read behind. */
  const withInsertId = () => {
    const raise = template(first.onDuplicateKeyUpdate({ count: sql`last_insert_id(${raised})`, reset_at: kept }));
    const lower = template(open.set({ count: sql`last_insert_id(${lowered})` }));
    const end = template(db.selectFrom(table).select("reset_at").where("counter", "=", counter), true);
    return function* (values: Parameters<Template>[0], by: 1 | -1): Program<{ count: number; resetAt: number } | null> {
      const { affected, insertId } = yield* ask((by > 0 ? raise : lower)(values));
      if (affected === 0) return null;
      const { rows } = yield* ask(end(values));
      return { count: by > 0 ? insertId || 1 : insertId, resetAt: readNumber(rows[0]?.["reset_at"]) };
    };
  };

  const ask1 = conflicts === "on conflict" ? withReturning() : withInsertId();

  return {
    *count(name, { by, window, now: at }) {
      const values = { counter: counterKey(name), now: at, resetAt: at + window * 1000 };
      return (yield* ask1(values, by)) ?? { count: 0, resetAt: at };
    },
    expired: template(
      db.selectFrom(table).select("counter").where("reset_at", "<=", now).orderBy("reset_at").limit(param<number>("limit")),
      true,
    ),
    removeExpired: template(db.deleteFrom(table).where("counter", "=", counter).where("reset_at", "<=", now)),
  };
}

/** A counter's name; of one that is too long for a key, what no text begins with and its hash. */
function counterKey(name: string): Uint8Array {
  const bytes = keyBytes(name);
  return bytes.byteLength <= MAX_KEY_BYTES ? bytes : Buffer.concat([Buffer.from([0xff]), sha256(name)]);
}
