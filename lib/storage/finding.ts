/** Something an operator should know of a store or a configuration. Names no secret and nothing of what is stored. */
export interface Finding {
  /** Stable: `redis_eviction`, `migration_pending`, ... */
  readonly code: string;
  /** `problem`: data is lost or people locked out, now or at the next mishap. `warning`: better changed. `note`: to be known. */
  readonly level: "problem" | "warning" | "note";
  /** What is so. */
  readonly message: string;
  /** What to do about it; `null` when nothing is. */
  readonly fix: string | null;
}

/** The code of a store that forgets at a restart: a problem for users, less so for sessions alone. */
export const NOT_DURABLE = "not_durable";

/** The code of each step that the store's `migrate()` would take. */
export const MIGRATION_PENDING = "migration_pending";

/** That a store could not be asked, and why, as far as its own errors say: those are fit for a log. */
export function unavailable(name: string, error: unknown): Finding {
  const texts = [error, error instanceof Error ? error.cause : null].flatMap((each) => {
    if (!(each instanceof Error)) return [];
    // All that is said of a refused connection may be its code.
    return each.message !== "" ? [each.message] : "code" in each ? [String(each.code)] : [];
  });
  const message = `${name} could not be asked: ${texts.join(": ")}`;
  return { code: "store_unavailable", level: "problem", message, fix: "see that it runs and can be reached from here" };
}

/** Clocks this far apart, ms: expiries and time limits are off by that much. */
const SKEW = 2000;
const FAR_SKEW = 30_000;

/**
 * Compares a server's clock with ours.
 * @param own our clock, Unix ms, before and after the question: the answer is of some instant between them.
 */
export function clockFindings(server: string, serverTime: number, own: { readonly before: number; readonly after: number }): Finding[] {
  const ahead = serverTime > own.after ? serverTime - own.after : Math.min(0, serverTime - own.before);
  if (Math.abs(ahead) < SKEW) return [];
  const seconds = Math.round(Math.abs(ahead) / 1000);
  return [
    {
      code: "clock_skew",
      level: Math.abs(ahead) < FAR_SKEW ? "warning" : "problem",
      message: `the clock of ${server} is ${seconds} s ${ahead > 0 ? "ahead of" : "behind"} this machine's`,
      fix: "let both machines keep time by NTP: what expires would do so too early or too late",
    },
  ];
}
