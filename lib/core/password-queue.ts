import { AuthError } from "../errors.ts";

/** Lets so many jobs run at once, and so many wait, so that hashing never takes the whole machine. */
export interface PasswordQueue {
  /** @throws {AuthError} 503 `too_busy`, with `retryAfter`, when too many wait already, or its turn did not come in time. */
  run<T>(job: () => Promise<T>): Promise<T>;
}

export interface PasswordQueueOptions {
  readonly concurrency: number;
  /** Default: 64. */
  readonly waiting?: number | undefined;
  /** Milliseconds a job waits at most. Default: 2,000. */
  readonly patience?: number | undefined;
}

export function createPasswordQueue({ concurrency, waiting = 64, patience = 2000 }: PasswordQueueOptions): PasswordQueue {
  const queue = new Set<() => void>();
  let running = 0;

  const turn = () =>
    new Promise<void>((resolve, reject) => {
      if (queue.size >= waiting) return reject(tooBusy());
      const timer = setTimeout(() => {
        queue.delete(start);
        reject(tooBusy());
      }, patience);
      const start = () => {
        clearTimeout(timer);
        resolve();
      };
      queue.add(start);
    });

  return {
    async run(job) {
      // The one who is done hands over its place, so that nobody overtakes those who wait.
      if (running < concurrency) running += 1;
      else await turn();
      try {
        return await job();
      } finally {
        const [next] = queue;
        if (next) {
          queue.delete(next);
          next();
        } else running -= 1;
      }
    },
  };
}

/** A class of its own, as the jobs may be the application's: what they throw may have any code. */
class TooBusy extends AuthError {}

function tooBusy(): AuthError {
  return new TooBusy("too_busy", "Too many passwords are being checked: try again in a moment", 503, { retryAfter: 1 });
}

/** Whether a job was not run at all. */
export function isTooBusy(error: unknown): boolean {
  return error instanceof TooBusy;
}
