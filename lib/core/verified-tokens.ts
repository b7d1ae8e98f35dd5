import type { Clock } from "../clock.ts";
import type { AccessToken } from "./access-token-claims.ts";

/** Tokens that proved true, by their exact text, each until it expires. Bounded: two generations, the older of which goes at once. */
export interface VerifiedTokens {
  get(text: string): AccessToken | null;
  /** @returns the token, for the caller to hand on. */
  remember(text: string, token: AccessToken): AccessToken;
}

/** Some 5 MB when both generations are full. */
const GENERATION = 2048;

export function createVerifiedTokens(clock: Clock, generation = GENERATION): VerifiedTokens {
  let young = new Map<string, AccessToken>();
  let old = new Map<string, AccessToken>();

  const remember: VerifiedTokens["remember"] = (text, token) => {
    if (young.size >= generation) {
      old = young;
      young = new Map();
    }
    young.set(text, token);
    return token;
  };

  return {
    get(text) {
      const recent = young.get(text);
      const token = recent ?? old.get(text);
      // What is left of the leeway is the full check's to give.
      if (!token || clock.now() >= token.expiresAt) return null;
      return recent ?? remember(text, token);
    },
    remember,
  };
}
