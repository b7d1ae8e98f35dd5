import type { Clock } from "../clock.ts";
import type { KnownSources } from "./known-sources.ts";
import { addressTag } from "./magic-code-record.ts";
import type { Principals } from "./principals.ts";
import type { Limit, RateLimits } from "./rate-limits.ts";

/** Wrong codes in a row, by user. */
export interface CodeFailures {
  /**
   * Counts a failure of the user before the guess is compared. The last fifth is kept for sources they are known by, so that strangers
   * alone cannot disable the method. @see NIST SP 800-63B-4, section 3.2.2, which allows for that. Where there is no user, the same waits pass.
   * @returns whether there was one left.
   */
  reserve(userId: string | null, email: string, source: string | null): Promise<boolean>;
  /** Forgets them, after another proof of who it is. */
  clear(userId: string): Promise<void>;
}

export interface CodeFailuresParts {
  readonly clock: Clock;
  readonly rateLimits: RateLimits;
  readonly principals: Principals;
  readonly known: KnownSources;
  readonly config: { readonly maxFailures: number; readonly guessesPerAddress: Limit };
}

/** What a code is called among the ways to sign in. */
export const CODE_METHOD = "magic_code";

export function createCodeFailures({ clock, rateLimits, principals, known, config }: CodeFailuresParts): CodeFailures {
  const count = async (userId: string, max: number): Promise<boolean> => {
    let counted = false;
    await principals.update(userId, (principal) => {
      const before = principal.failures[CODE_METHOD]?.count ?? 0;
      counted = before < max;
      return counted
        ? { ...principal, failures: { ...principal.failures, [CODE_METHOD]: { count: before + 1, lastAt: clock.now() } } }
        : principal;
    });
    return counted;
  };

  return {
    async reserve(userId, email, source) {
      if (userId === null) {
        await principals.standing(addressTag(email));
        await rateLimits.take("magic_code_nobody", email, config.guessesPerAddress);
        return true;
      }
      if (await count(userId, Math.ceil(config.maxFailures * 0.8))) return true;
      return (await known.has(email, source)) && count(userId, config.maxFailures);
    },

    clear: (userId) => principals.clearFailures(userId, CODE_METHOD),
  };
}
