import type { Strategy } from "passport";
import { runStrategy, type Outcome, type RunOptions } from "../../lib/core/run-strategy.ts";
import type { Identity } from "../../lib/core/strategy.ts";
import type { AuthError } from "../../lib/errors.ts";

export const CALLBACK = "http://app.localhost:3000/auth/callback/provider";

/** What a transaction keeps of a strategy's session: JSON, and nothing else. */
type Session = Record<string, unknown>;

/** Begins a sign-in: the URL the browser is sent to, and the session as it comes out of the store again. */
export async function beginWith(
  strategy: Strategy,
  session: Session = {},
  options: RunOptions = {},
): Promise<{ url: string; session: Session }> {
  const req = { method: "GET", url: "/auth/login/provider", query: {}, headers: {} };
  const outcome = await runStrategy(strategy, { req, session }, { callbackURL: CALLBACK, ...options });
  if (outcome.kind !== "redirect") throw new Error(`expected a redirect, got ${describeOutcome(outcome)}`, { cause: failureOf(outcome) });
  return { url: outcome.url, session: JSON.parse(JSON.stringify(session)) as Session };
}

/** Comes back to the callback with the query of `callbackUrl`. */
export function completeWith(strategy: Strategy, session: Session, callbackUrl: string, options: RunOptions = {}): Promise<Outcome> {
  const { pathname, search, searchParams } = new URL(callbackUrl);
  const req = { method: "GET", url: pathname + search, query: Object.fromEntries(searchParams), headers: {} };
  return runStrategy(strategy, { req, session }, { callbackURL: CALLBACK, ...options });
}

/** The identity of a success. */
export function identityOf(outcome: Outcome): Identity {
  if (outcome.kind !== "success") throw new Error(`expected success, got ${describeOutcome(outcome)}`, { cause: failureOf(outcome) });
  return outcome.user as Identity;
}

/** The error of a run that did not work out. */
export function errorOf(outcome: Outcome): AuthError {
  if (outcome.kind !== "error") throw new Error(`expected an error, got ${describeOutcome(outcome)}`);
  return outcome.error;
}

function describeOutcome(outcome: Outcome): string {
  return outcome.kind === "error" ? `error ${outcome.error.code}: ${outcome.error.message}` : outcome.kind;
}

function failureOf(outcome: Outcome): unknown {
  return outcome.kind === "error" ? outcome.error : undefined;
}
