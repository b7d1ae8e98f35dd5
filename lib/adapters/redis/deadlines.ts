/** One wait that has a deadline. `expire` is `null` once it ended in time, or ran out. */
export interface Deadline {
  expire: (() => void) | null;
  /** The tick at which it runs out. */
  readonly due: number;
}

/**
 * Deadlines of one length over one timer, so that a command costs an object in a queue and no timer of its own. Time is
 * counted in ticks of the timer: while the event loop is blocked nothing runs out, since no answer could have been read.
 */
export interface Deadlines {
  /** Calls `expire` after the length, or up to a tenth of it sooner; set the deadline's `expire` to `null` to end it. */
  start(expire: () => void): Deadline;
  /** Runs out all at once, and stops the timer. */
  end(): void;
}

const TICKS = 10;

/** @param length in ms. */
export function createDeadlines(length: number): Deadlines {
  const queue: Deadline[] = [];
  let first = 0;
  let ticks = 0;
  let timer: NodeJS.Timeout | null = null;

  const drop = (isDue: (deadline: Deadline) => boolean) => {
    while (first < queue.length) {
      const deadline = queue[first];
      if (deadline?.expire) {
        if (!isDue(deadline)) break;
        const { expire } = deadline;
        deadline.expire = null;
        expire();
      }
      first += 1;
    }
    queue.splice(0, first);
    first = 0;
  };

  const stop = () => {
    if (timer) clearInterval(timer);
    timer = null;
  };

  const tick = () => {
    ticks += 1;
    drop(({ due }) => due <= ticks);
    if (queue.length === 0) stop();
  };

  return {
    start(expire) {
      timer ??= setInterval(tick, length / TICKS).unref();
      const deadline = { expire, due: ticks + TICKS };
      queue.push(deadline);
      return deadline;
    },
    end() {
      drop(() => true);
      stop();
    },
  };
}
