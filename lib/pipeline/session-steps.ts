import type { Generations } from "../core/refresh-token-text.ts";
import type { Session } from "../core/sessions.ts";
import { ConfigError, CredentialError, type AuthError } from "../errors.ts";
import { LEEWAY } from "../core/access-token-claims.ts";
import { failed, type Step, type TokenState } from "./step.ts";

/**
 * Loads the session that the token names, if it is there still, of that user and of that type. One read of the store.
 *
 * Fails with "bearer token claim sub, sid or styp not found", "session not found" (401 `session_not_found`), or 503 when nobody can tell.
 */
export function loadSession(): Step {
  return {
    name: "loadSession",
    needs: "claims",
    gives: "session",
    async run(state, { sessions }) {
      const { sub, sid, styp } = state.claims ?? {};
      if (typeof sub !== "string" || typeof sid !== "string" || typeof styp !== "string") {
        return failed(state, "bearer token claim sub, sid or styp not found");
      }
      const session = await sessions.get(sid);
      if (session?.userId !== sub || session.type !== styp) {
        return failed(state, new CredentialError("session_not_found", "session not found"));
      }
      sessions.touch(session);
      return { ...state, session };
    },
  };
}

/** Options of {@link verifyFresh}. */
export interface VerifyFreshOptions {
  /** Where generations come from. Default: the refresh tokens of the session; one without them has a single generation. */
  generations?: ((session: Session, state: TokenState) => Generations | Promise<Generations>) | undefined;
}

/**
 * Refuses access tokens of old generations: those of the present one are good, and for `cycle` seconds (default 5) after it began those of
 * the one before, so that requests under way and parallel tabs go on; older ones never. A refresh begins a generation, and those that follow
 * it within `tokens.grace` join it; a step-up, or whatever else gives a session new secrets, begins anew. No store beyond {@link loadSession}'s.
 *
 * Fails with "token stale".
 * @throws {ConfigError} now, for a cycle that is no whole number of seconds up to 900.
 */
export function verifyFresh(cycle = 5, { generations }: VerifyFreshOptions = {}): Step {
  if (!Number.isInteger(cycle) || cycle < 0 || cycle > 900) throw new ConfigError("verifyFresh", "give whole seconds from 0 to 900");
  return {
    name: "verifyFresh",
    needs: "session",
    async run(state, { refreshTokens }) {
      const { session, claims, now } = state;
      const iat = claims?.["iat"];
      if (typeof iat !== "number" || !session) return failed(state, "bearer token claim iat not found");
      const made = { current: session.createdAt, previous: session.createdAt };
      const began = generations ? await generations(session, state) : ((await refreshTokens?.generations(session)) ?? made);
      const isOver = began.current + cycle * 1000 < now;
      const from = Math.floor((isOver ? began.current : began.previous) / 1000);
      return iat >= from - LEEWAY ? state : failed(state, "token stale");
    },
  };
}

/** The application's own word on the session. */
export function checkSession(
  check: (session: Session, state: TokenState) => AuthError | string | null | Promise<AuthError | string | null>,
): Step {
  if (typeof check !== "function") throw new ConfigError("checkSession", "give a function of the session");
  return {
    name: "checkSession",
    needs: "session",
    async run(state) {
      const refusal = await check(state.session as Session, state);
      return refusal === null ? state : failed(state, refusal);
    },
  };
}
