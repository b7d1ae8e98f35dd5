import { CredentialError, ConfigError } from "../errors.ts";

/** What one try at signing in must remember until its callback. Kept in `req.session`, by its state. */
export interface Attempt {
  readonly state: string;
  readonly codeVerifier: string;
  readonly nonce: string;
  /** The `redirect_uri` it began with: the token request must repeat it. */
  readonly callbackUrl: string;
  /** Unix ms. */
  readonly begunAt: number;
  /** Whether the provider was asked to authenticate the person anew. */
  readonly reauthenticate: boolean;
}

/** At once in one session: as many tabs. The oldest gives way. */
const MAX_ATTEMPTS = 10;
const ATTEMPT_TTL = 600;

/** Adds an attempt to a session, beside those of other tabs. */
export function rememberAttempt(session: unknown, key: string, attempt: Attempt): void {
  const attempts = Object.values(attemptsIn(session, key));
  const live = attempts.filter(({ begunAt }) => attempt.begunAt - begunAt < ATTEMPT_TTL * 1000).sort((a, b) => b.begunAt - a.begunAt);
  const kept = [attempt, ...live.slice(0, MAX_ATTEMPTS - 1)];
  (session as Record<string, unknown>)[key] = Object.fromEntries(kept.map((each) => [each.state, each]));
}

/**
 * Takes an attempt out of a session: it is spent, whatever comes of it.
 * @throws {CredentialError} `transaction_not_found`, when this session began no such attempt, spent it, or let ten minutes go by.
 */
export function spendAttempt(session: unknown, key: string, state: string | null, now: number): Attempt {
  const attempts = attemptsIn(session, key);
  const attempt = state !== null && Object.hasOwn(attempts, state) ? attempts[state] : undefined;
  if (attempt) delete attempts[attempt.state];
  if (!attempt || now - attempt.begunAt >= ATTEMPT_TTL * 1000) {
    throw new CredentialError("transaction_not_found", "This sign-in has expired, was finished already, or began in another browser");
  }
  return attempt;
}

function attemptsIn(session: unknown, key: string): Record<string, Attempt> {
  if (typeof session !== "object" || session === null) {
    throw new ConfigError("session", "signing in through a provider needs a session: put express-session before Passport");
  }
  const attempts = (session as Record<string, unknown>)[key];
  return typeof attempts === "object" && attempts !== null ? (attempts as Record<string, Attempt>) : {};
}
