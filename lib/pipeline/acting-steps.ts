import { ConfigError, type AuthError } from "../errors.ts";
import { sendProblem } from "../http/problem.ts";
import type { Step, TokenState } from "./step.ts";

/** What came of a token, for logs and counters. Never the token. */
export interface TokenOutcome {
  readonly valid: boolean;
  readonly sessionLoaded: boolean;
  readonly transport: TokenState["transport"];
  /** The first failure's message; `null` for a token that is good. */
  readonly error: string | null;
  /** These four only where the token has them all. */
  readonly tokenType?: string;
  readonly userId?: string;
  readonly sessionId?: string;
  readonly sessionType?: string;
}

/** Tells `listener` what came of the token, good or bad, once a request. Place it before {@link refuseFailure}. */
export function tellOutcome(listener: (outcome: TokenOutcome) => void): Step {
  if (typeof listener !== "function") throw new ConfigError("tellOutcome", "give a function");
  return {
    name: "tellOutcome",
    always: true,
    run(state) {
      const { type, sub, sid, styp } = state.claims ?? {};
      const named = [type, sub, sid, styp].every((value) => typeof value === "string")
        ? { tokenType: String(type), userId: String(sub), sessionId: String(sid), sessionType: String(styp) }
        : {};
      const { error, session, transport } = state;
      listener({ valid: error === null, sessionLoaded: session !== null, transport, error: error?.message ?? null, ...named });
      return state;
    },
  };
}

/**
 * The step that acts: lets a request without failure go on, and answers the others. Default: a problem document, with
 * `WWW-Authenticate` or `Retry-After`. What `onRefused` does instead must answer the request.
 */
export function refuseFailure(onRefused?: (error: AuthError, state: TokenState) => void): Step {
  if (onRefused !== undefined && typeof onRefused !== "function") throw new ConfigError("refuseFailure", "give a function, or nothing");
  return {
    name: "refuseFailure",
    always: true,
    acts: true,
    run(state) {
      if (!state.error) return state;
      if (onRefused) onRefused(state.error, state);
      else sendProblem(state.res, state.error);
      return undefined;
    },
  };
}

/** Under which names of `res.locals` a pipeline leaves what it found. */
export interface AssignNames {
  /** The user's id, `sub`. Default: `userId`. */
  userId?: string | undefined;
  /** The session's public id, `sid`. Default: `sessionId`. */
  sessionId?: string | undefined;
  /** All claims. Default: `tokenClaims`. */
  claims?: string | undefined;
  /** The session, where one was loaded. Default: `session`. */
  session?: string | undefined;
}

/** Leaves what was found in `res.locals`; what is not there is not set. Nothing after a failure. */
export function assign(names: AssignNames = {}): Step {
  const { userId = "userId", sessionId = "sessionId", claims = "tokenClaims", session = "session" } = names;
  return {
    name: "assign",
    needs: "claims",
    run(state) {
      const found = {
        [userId]: state.claims?.["sub"],
        [sessionId]: state.claims?.["sid"],
        [claims]: state.claims,
        [session]: state.session,
      };
      for (const [name, value] of Object.entries(found)) if (value !== undefined && value !== null) state.res.locals[name] = value;
      return state;
    },
  };
}
