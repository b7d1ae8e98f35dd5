import { assertOptions, assertTexts } from "../check-options.ts";
import { ConfigError } from "../errors.ts";
import { eventNames, type EventName } from "./events.ts";

/** How events are kept in the store. */
export interface AuditOptions {
  /** Seconds an entry is kept, at least a minute. Default: 90 days. */
  readonly retention?: number | undefined;
  /** The kinds of events that are kept. Default: {@link auditedEvents}. */
  readonly events?: readonly EventName[] | undefined;
}

/** {@link AuditOptions}, checked and with defaults. */
export interface AuditConfig {
  readonly retention: number;
  readonly events: ReadonlySet<EventName>;
}

/**
 * What is kept unless the application says otherwise: everything about a person, a session or a credential.
 * Left out is what anybody can cause as often as they like, such as sign-ins over a limit, and the faults of the machinery.
 */
export const auditedEvents = [
  "user.created", "user.disabled", "user.enabled", "user.roles_changed", "user.deleted", "user.erased", "session.created", "session.rotated",
  "session.revoked", "session.upgraded", "refresh_token.reused", "sign_in.succeeded", "sign_in.failed", "tenant.switched", "tenant.left",
  "magic_code.requested", "magic_code.verified", "magic_code.failed", "admin.acted", "password.changed", "password.reset_requested", "password.reset",
  "password.rehashed", "email.confirmed", "email.changed", "account.linked", "account.unlinked", "account.refreshed",
  "account.reconnect_needed", "api_key.created", "api_key.used", "api_key.rotated", "api_key.revoked", "audit.lost",
] as const satisfies readonly EventName[]; // prettier-ignore

const RETENTION = 90 * 86_400;

/** `null`: switched off. @throws {ConfigError} naming the option and the fix. */
export function resolveAuditOptions(audit: boolean | AuditOptions | undefined): AuditConfig | null {
  if (audit === undefined || audit === false) return null;
  const options = audit === true ? {} : audit;
  assertOptions("audit", options, ["retention", "events"]);
  const { retention = RETENTION, events = auditedEvents } = options;
  if (!Number.isFinite(retention) || retention < 60) throw new ConfigError("audit.retention", "give seconds, 60 or more");
  assertTexts("audit.events", events);
  const unknown = events.find((name) => !eventNames.has(name));
  if (unknown !== undefined) throw new ConfigError("audit.events", `there is no event "${unknown}"`);
  return { retention, events: new Set(events) };
}
