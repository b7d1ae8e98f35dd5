/** Work done off the response path, kept count of so that closing can wait for it. */
export interface Background {
  /** Starts `work` after the current turn; a failure goes to `onError`, never to the process. `key` is done once at a time. */
  run(key: string, work: () => Promise<void>): void;
  /** Resolves when nothing is left, or after `ms`. */
  drain(ms: number): Promise<void>;
}

/** Most jobs at once: beyond it new ones are dropped, as what is written back is never needed for correctness. */
const CAPACITY = 1000;

export function createBackground(onError: (error: unknown) => void): Background {
  const running = new Map<string, Promise<void>>();

  return {
    run(key, work) {
      if (running.has(key) || running.size >= CAPACITY) return;
      const job = new Promise<void>((resolve) => setImmediate(resolve))
        .then(work)
        .catch(onError)
        .finally(() => running.delete(key));
      running.set(key, job);
    },
    async drain(ms) {
      if (running.size === 0) return;
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
      await Promise.race([Promise.allSettled(running.values()), deadline]);
      clearTimeout(timer);
    },
  };
}
