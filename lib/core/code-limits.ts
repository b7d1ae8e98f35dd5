import { RateLimitError } from "../errors.ts";
import type { RecordKey } from "../storage/record-store.ts";
import type { RequestSource } from "./events.ts";
import type { KnownSources } from "./known-sources.ts";
import type { MagicCodesConfig } from "./magic-code-options.ts";
import { sourceFailureLimit, sourceKey, type LimitUse, type RateLimits, type Reservation } from "./rate-limits.ts";

/** How many codes are mailed, and how many guesses are compared. @throws {RateLimitError} from each that reserves. */
export interface CodeLimits {
  /** Counts a send against every limit. That of the address as a whole does not hold for a known source: strangers cannot use up the owner's codes. */
  reserveSend(email: string, source: RequestSource | null): Promise<readonly Reservation[]>;
  /** What has to be left before anything is compared, by `email` too where no request says whose code it is; a success gives it back. */
  reserveGuess(email: string | null, source: RequestSource | null): Promise<Reservation[]>;
  /** Counts a guess at one code, and says whether it may be compared. */
  takeGuess(code: RecordKey): Promise<Reservation>;
}

/** Outlasts every code: no second window opens while the first guess of it still counts. */
const GUESS_WINDOW = 3600;

export function createCodeLimits({
  rateLimits,
  known,
  config,
}: {
  readonly rateLimits: RateLimits;
  readonly known: KnownSources;
  readonly config: MagicCodesConfig;
}): CodeLimits {
  return {
    async reserveSend(email, source) {
      const from = sourceKey(source?.ip ?? null);
      const pair = JSON.stringify([email, from]);
      const uses: LimitUse[] = [
        { name: "magic_code_cooldown", key: pair, limit: config.cooldown },
        { name: "magic_code_sends", key: pair, limit: config.sendsPerAddressAndSource },
        { name: "magic_code_sends_by_source", key: from, limit: config.sendsPerSource },
      ];
      const reserved = await rateLimits.requireAll(uses, source);
      try {
        await rateLimits.requireAll([{ name: "magic_code_sends_to_address", key: email, limit: config.sendsPerAddress }], source);
      } catch (error) {
        if (error instanceof RateLimitError && (await known.has(email, from))) return reserved;
        await Promise.all(reserved.map(rateLimits.give));
        throw error;
      }
      return reserved;
    },

    reserveGuess(email, source) {
      const bySource: LimitUse = { name: "source_failures", key: sourceKey(source?.ip ?? null), limit: sourceFailureLimit };
      const byAddress: LimitUse[] = email === null ? [] : [{ name: "magic_code_guesses", key: email, limit: config.guessesPerAddress }];
      return rateLimits.requireAll([bySource, ...byAddress], source);
    },

    takeGuess: ({ partition, id }) =>
      rateLimits.take("magic_code_guess", `${partition} ${id}`, { max: config.tries, windowSeconds: GUESS_WINDOW }),
  };
}
