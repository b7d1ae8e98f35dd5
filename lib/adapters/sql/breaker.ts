/**
 * Keeps calls from queueing up for a database that is away: after five in a row that it did not answer, all are refused at once,
 * until it answers a probe, which is sent four times a second and never twice at once.
 */
export interface Breaker {
  /** Whether calls are to be refused. */
  readonly isOpen: boolean;
  /** What a call remembers from its start, for {@link Breaker.unanswered}. */
  readonly answers: number;
  answered(): void;
  /** A call ended without an answer. What others were answered since its start, `answersBefore`, tells that the database is there. */
  unanswered(answersBefore: number): void;
  /** Ends the probing. */
  close(): void;
}

const UNANSWERED_IN_A_ROW = 5;
const PROBE_MS = 250;

/** @param probe asks the database for nothing; it resolves when that was answered, and settles within a deadline of its own. */
export function createBreaker(probe: () => Promise<unknown>): Breaker {
  let inARow = 0;
  let answers = 0;
  let probing: NodeJS.Timeout | null = null;
  let isAsking = false;
  let closed = false;

  const stop = () => {
    if (probing) clearInterval(probing);
    probing = null;
    inARow = 0;
  };

  const ask = () => {
    if (isAsking) return;
    isAsking = true;
    probe()
      .then(stop, () => {})
      .finally(() => (isAsking = false));
  };

  return {
    get isOpen() {
      return probing !== null;
    },
    get answers() {
      return answers;
    },
    answered() {
      answers += 1;
      inARow = 0;
    },
    unanswered(answersBefore) {
      if (answers !== answersBefore) return;
      inARow += 1;
      if (inARow < UNANSWERED_IN_A_ROW || probing || closed) return;
      probing = setInterval(ask, PROBE_MS).unref();
      ask();
    },
    close() {
      closed = true;
      stop();
    },
  };
}
