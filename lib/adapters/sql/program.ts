/** What stands in a column, or is given for one. */
export type SqlValue = Uint8Array | number | string | null;

/** One statement, ready to be sent. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  /** Whether it answers with rows, as a select does; otherwise with how many it changed. */
  readonly reads: boolean;
}

/** What came back. */
export interface Answer {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Rows that a statement inserted, updated or deleted. */
  readonly affected: number;
  /** What MySQL's `last_insert_id(expression)` was given; elsewhere 0. */
  readonly insertId: number;
}

/**
 * A piece of work on a database: statements one after another, each chosen by the answers to those before it. It says nothing of
 * how they are sent, so one program runs over a pool, and over SQLite in one go, where nothing else of the process comes between.
 */
export type Program<T> = Generator<Statement, T, Answer>;

/** Sends one statement: `const { rows } = yield* ask(statement)`. Its error is thrown there. */
export function* ask(statement: Statement): Program<Answer> {
  return yield statement;
}

/** Runs a program in one go. */
export function runAtOnce<T>(program: Program<T>, send: (statement: Statement) => Answer): T {
  let step = program.next();
  while (!step.done) {
    let answer: Answer;
    try {
      answer = send(step.value);
    } catch (error) {
      step = program.throw(error);
      continue;
    }
    step = program.next(answer);
  }
  return step.value;
}

/** Runs a program, waiting for each answer. */
export async function runInTurn<T>(program: Program<T>, send: (statement: Statement) => Promise<Answer>): Promise<T> {
  let step = program.next();
  while (!step.done) {
    let answer: Answer;
    try {
      answer = await send(step.value);
    } catch (error) {
      step = program.throw(error);
      continue;
    }
    step = program.next(answer);
  }
  return step.value;
}
