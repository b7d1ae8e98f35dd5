import type {
  Change,
  DeleteWrite,
  InsertWrite,
  NewRecord,
  PutWrite,
  ReplaceWrite,
  StoredRecord,
  Write,
} from "../../storage/record-store.ts";
import { partitionOf } from "../../storage/commit.ts";
import type { Announcements } from "./announcements.ts";
import type { Dialect } from "./dialect.ts";
import type { Heads } from "./heads.ts";
import { ask, type Program, type SqlValue, type Statement } from "./program.ts";
import { keyBytes, keyValues, readNumber, readRecord, recordValues, wholeMs } from "./rows.ts";
import type { Statements } from "./statements.ts";
import { lookupsOf } from "./tables.ts";

export interface CommitParts {
  readonly dialect: Dialect;
  readonly statementsOf: (from: Write["in"]) => Statements;
  readonly heads: Heads;
  readonly announcements: Announcements;
}

/** The programs behind `commit`. */
export interface Commits {
  /**
   * One write without a cap, by one statement where it finds what is usual. `null`: that could not decide it, and changed nothing;
   * it takes a transaction.
   */
  alone(write: Write, now: number): Program<boolean | null>;
  /** All writes, in a transaction that is rolled back for `null`; else what to announce when it was committed. */
  together(writes: readonly Write[], now: number): Program<readonly Change[] | null>;
}

export function createCommits({ dialect, statementsOf, heads, announcements }: CommitParts): Commits {
  /** How many rows a statement changes; `null` when a unique key is taken, which may have ended the transaction. */
  function* change(statement: Statement): Program<number | null> {
    try {
      return (yield* ask(statement)).affected;
    } catch (error) {
      if (dialect.failures.isTaken(error)) return null;
      throw error;
    }
  }

  function* alone(write: Write, now: number): Program<boolean | null> {
    const of = statementsOf(write.in);
    const told = changeOf(write);
    const send = (statement: Statement) => ask(told ? announcements.within(statement, told) : statement);
    const changed = function* (statement: Statement): Program<boolean> {
      const { affected } = yield* send(statement);
      if (affected > 0 && told) announcements.committed([told]);
      return affected > 0;
    };
    try {
      switch (write.op) {
        case "insert":
          return (yield* changed(of.insert({ ...recordValues(write.in, write.record), now }))) || null;
        case "put": {
          const values = { ...recordValues(write.in, write.record), now };
          return (yield* changed(of.insert(values))) || (yield* changed(of.update(values))) || null;
        }
        case "replace":
          return yield* changed(of.replace({ ...recordValues(write.in, write.record), now, ifVersion: write.ifVersion }));
        case "delete": {
          const done = yield* changed(removal(of, write, now));
          return done || write.ifVersion === undefined;
        }
        case "clear":
          yield* changed(clearing(of, write));
          return true;
      }
    } catch (error) {
      // Perhaps by a record that has expired: a transaction looks.
      if (dialect.failures.isTaken(error)) return null;
      throw error;
    }
  }

  function* together(writes: readonly Write[], now: number): Program<readonly Change[] | null> {
    const [first] = writes;
    if (first?.in.kind === "partitioned") yield* heads.lock(partitionOf(first), now);
    const told: Change[] = [];
    for (const write of writes) {
      const changes = yield* apply(write, now);
      if (!changes) return null;
      told.push(...changes);
    }
    for (const statement of announcements.statements(told)) yield* ask(statement);
    return told;
  }

  function* apply(write: Write, now: number): Program<readonly Change[] | null> {
    const of = statementsOf(write.in);
    const own = changeOf(write);
    const told = own ? [own] : [];
    switch (write.op) {
      case "insert":
        return yield* insert(of, write, now);
      case "put":
        return (yield* put(of, write, now)) ? told : null;
      case "replace": {
        yield* freeLookups(of, write, now);
        const statement = of.replace({ ...recordValues(write.in, write.record), now, ifVersion: write.ifVersion });
        return (yield* change(statement)) ? told : null;
      }
      case "delete": {
        const { affected } = yield* ask(removal(of, write, now));
        return affected > 0 ? told : write.ifVersion === undefined ? [] : null;
      }
      case "clear":
        yield* ask(clearing(of, write));
        return told;
    }
  }

  function* insert(of: Statements, write: InsertWrite, now: number): Program<readonly Change[] | null> {
    const { in: into, record } = write;
    const values = { ...recordValues(into, record), now };
    for (let round = 1; !(yield* change(of.insert(values))); round += 1) {
      const { rows } = yield* ask(of.get({ ...keyValues(into, record), now }));
      if (rows[0]) return isRepeated(readRecord(into, rows[0]), record) ? [] : null;
      const freed = yield* makePlace(of, write, now);
      // What was in the way may have gone by itself meanwhile, but not time and again.
      if (!freed && round === ROUNDS) return null;
    }
    return write.max === undefined ? [] : yield* keepCap(of, write, write.max, now);
  }

  /** Removes what has expired and holds the key or a unique lookup of a record. Whether anything did. */
  function* makePlace(of: Statements, write: InsertWrite | PutWrite, now: number): Program<boolean> {
    const { affected } = yield* ask(of.removeExpired({ ...keyValues(write.in, write.record), now }));
    return (yield* freeLookups(of, write, now)) || affected > 0;
  }

  function* freeLookups(of: Statements, { in: into, record }: InsertWrite | PutWrite | ReplaceWrite, now: number): Program<boolean> {
    let freed = 0;
    for (const lookup of lookupsOf(into, "unique")) {
      const named = record.lookups?.[lookup] ?? null;
      const free = of.freeLookup[lookup];
      if (named !== null && free) freed += (yield* ask(free({ value: keyBytes(named), now }))).affected;
    }
    return freed > 0;
  }

  /** With the partition locked and the record in it: lets the oldest others go, or refuses. */
  function* keepCap(of: Statements, { in: into, record, over = "evict" }: InsertWrite, max: number, now: number): Program<Change[] | null> {
    const values = { ...keyValues(into, record), now };
    const { rows } = yield* ask(of.countOthers(values));
    const excess = readNumber(rows[0]?.["count"]) + 1 - max;
    if (excess <= 0) return [];
    if (over === "refuse") return null;
    const evicted = (yield* ask(of.oldestOthers({ ...values, limit: excess }))).rows;
    const told: Change[] = [];
    for (const row of evicted) {
      const { partition, id } = readRecord(into, row);
      yield* ask(of.remove(keyValues(into, { partition, id })));
      told.push({ collection: into.name, partition, id });
    }
    return told;
  }

  function* put(of: Statements, write: PutWrite, now: number): Program<boolean> {
    const values = { ...recordValues(write.in, write.record), now };
    yield* makePlace(of, write, now);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const updated = yield* change(of.update(values));
      if (updated === null) return false;
      if (updated > 0 || (yield* change(of.insert(values)))) return true;
    }
    return false;
  }

  return { alone, together };
}

/** Others may insert and remove between two statements of a transaction. */
const ROUNDS = 3;

function removal(of: Statements, { in: from, key, ifVersion }: DeleteWrite, now: number): Statement {
  const values = { ...keyValues(from, key), now };
  return ifVersion === undefined ? of.remove(values) : of.removeVersion({ ...values, ifVersion });
}

function clearing(of: Statements, { partition, keep }: Extract<Write, { op: "clear" }>): Statement {
  const values: Record<string, SqlValue> = { partition: keyBytes(partition) };
  return keep === undefined ? of.clear(values) : of.clearBut({ ...values, keep: keyBytes(keep) });
}

/** What watchers are told of a write that succeeded. */
function changeOf(write: Write): Change | null {
  const collection = write.in.name;
  switch (write.op) {
    case "insert":
      return null;
    case "put":
    case "replace":
      return write.quiet ? null : { collection, partition: write.record.partition, id: write.record.id };
    case "delete":
      return { collection, partition: write.key.partition, id: write.key.id };
    case "clear":
      return { collection, partition: write.partition, id: null, ...(write.keep === undefined ? {} : { keep: write.keep }) };
  }
}

/** Whether inserting `record` only repeats how `current` was inserted. */
function isRepeated(current: StoredRecord, { value, expiresAt, lookups = {} }: NewRecord): boolean {
  return (
    current.version === 1 &&
    current.expiresAt === wholeMs(expiresAt) &&
    Buffer.compare(current.value, value) === 0 &&
    Object.keys(current.lookups).every((name) => (current.lookups[name] ?? null) === (lookups[name] ?? null))
  );
}
