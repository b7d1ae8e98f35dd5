import { ConfigError } from "../errors.ts";
import { hasRefreshTokens, type SessionTransport } from "./session-record.ts";

/** How long sessions live, in whole seconds. */
export interface SessionLife {
  /** Ends this long after the last use. */
  readonly idleTtl: number;
  /** Ends this long after sign-in, whatever happens. */
  readonly absoluteTtl: number;
  /** As `idleTtl`, for sessions with refresh tokens. Default: that. */
  readonly refreshTtl?: number;
}

/** Named lives. @see NIST SP 800-63B-4, sections 2.1.3, 2.2.3 and 2.3.3. */
export const sessionPresets = {
  standard: { idleTtl: 24 * 3600, absoluteTtl: 30 * 24 * 3600 },
  strict: { idleTtl: 3600, absoluteTtl: 24 * 3600 },
  high: { idleTtl: 15 * 60, absoluteTtl: 12 * 3600 },
} as const satisfies Record<string, SessionLife>;

/** The life of a guest session. */
export const guestLife: SessionLife = { idleTtl: 24 * 3600, absoluteTtl: 7 * 24 * 3600 };

const MAX_ABSOLUTE = 30 * 24 * 3600;

/**
 * The life that options ask for: a preset, or own numbers over `standard`.
 * @throws {ConfigError} for an unknown preset, or numbers out of bounds (absolute up to 30 days, idle up to absolute).
 */
export function resolveSessionLife(preset: string | undefined, own: Partial<SessionLife>): SessionLife {
  if (preset !== undefined && !(preset in sessionPresets)) {
    throw new ConfigError("session.preset", `"${preset}" is none of ${Object.keys(sessionPresets).join(", ")}`);
  }
  const base = sessionPresets[(preset ?? "standard") as keyof typeof sessionPresets];
  const absoluteTtl = own.absoluteTtl ?? base.absoluteTtl;
  const idleTtl = own.idleTtl ?? Math.min(base.idleTtl, absoluteTtl);
  if (!Number.isInteger(absoluteTtl) || absoluteTtl < 1 || absoluteTtl > MAX_ABSOLUTE) {
    throw new ConfigError("session.absoluteTtl", "give whole seconds from 1 to 2592000 (30 days)");
  }
  if (!Number.isInteger(idleTtl) || idleTtl < 1 || idleTtl > absoluteTtl) {
    throw new ConfigError("session.idleTtl", "give whole seconds from 1 up to session.absoluteTtl");
  }
  return { idleTtl, absoluteTtl };
}

/** The idle end of a session used at `at`: never behind its absolute end. */
export function idleEnd(at: number, expiresAt: number, { idleTtl }: SessionLife): number {
  return Math.min(at + idleTtl * 1000, expiresAt);
}

/** The life of a session: a guest's is not the options' to say. */
export function lifeOf(
  { kind, transport }: { readonly kind: "user" | "guest"; readonly transport?: SessionTransport | undefined },
  life: SessionLife,
): SessionLife {
  if (kind === "guest") return guestLife;
  return hasRefreshTokens(transport) ? { ...life, idleTtl: life.refreshTtl ?? life.idleTtl } : life;
}
