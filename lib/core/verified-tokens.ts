import type { Clock } from "../clock.ts";
import type { AccessToken } from "./access-token-claims.ts";

/** Tokens that proved true, by their exact text, each until it expires or the keys that proved it grow old. Bounded: two generations, the older of which goes at once. */
export interface VerifiedTokens {
  get(text: string): AccessToken | null;
  /** `until`: Unix ms from which on it has to prove itself again. Default: its end. @returns the token, for the caller to hand on. */
  remember(text: string, token: AccessToken, until?: number): AccessToken;
}

interface Verified {
  readonly text: string;
  readonly token: AccessToken;
  /** Unix ms; no later than the token's end. */
  readonly until: number;
}

/** Some 5 MB when both generations are full. */
const GENERATION = 2048;
/**
 * Characters at the end by which a token is looked up: 128 bits of its signature and more. A map goes through every character of a key it is
 * asked for; comparing the one text found with the one given costs a tenth of that.
 */
const TAIL = 24;

export function createVerifiedTokens(clock: Clock, generation = GENERATION): VerifiedTokens {
  let young = new Map<string, Verified>();
  let old = new Map<string, Verified>();

  const keep = (tail: string, verified: Verified) => {
    if (young.size >= generation) {
      old = young;
      young = new Map();
    }
    young.set(tail, verified);
  };

  return {
    get(text) {
      const tail = text.slice(-TAIL);
      const recent = young.get(tail);
      const verified = recent ?? old.get(tail);
      // What is left of the leeway is the full check's to give.
      if (!verified || verified.text !== text || clock.now() >= verified.until) return null;
      if (!recent) keep(tail, verified);
      return verified.token;
    },
    remember(text, token, until = token.expiresAt) {
      keep(text.slice(-TAIL), { text, token, until: Math.min(until, token.expiresAt) });
      return token;
    },
  };
}
