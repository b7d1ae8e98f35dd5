import type { Clock } from "../clock.ts";

/** Where a request came from: for events, device labels and limits. Never a secret. */
export interface RequestSource {
  /** The client's address by the application's `trust proxy` setting; `null` when unknown. */
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** Why a session ended. */
export type RevocationReason =
  | "sign_out"
  | "provider_sign_out"
  | "revoked"
  | "revoked_all"
  | "replaced"
  | "stale_epoch"
  | "disabled"
  | "deleted"
  | "refresh_token_reused";

/** Every event there is, with what it tells beside who, when and where from. The catalogue is closed: nothing else is emitted. */
export interface EventDetails {
  "user.created": { via: string };
  "user.disabled": Record<never, never>;
  "user.enabled": Record<never, never>;
  "user.roles_changed": { roles: readonly string[] };
  "user.deleted": Record<never, never>;
  "user.erased": Record<never, never>;
  "session.created": { sessionId: string; kind: "user" | "guest"; methods: readonly string[] };
  "session.rotated": { sessionId: string };
  /** `null`: all of the user's, or all but one. */
  "session.revoked": { sessionId: string | null; reason: RevocationReason };
  "session.upgraded": { guestId: string; sessionId: string };
  /** A refresh token that was replaced before came back: somebody else has it. */
  "refresh_token.reused": { sessionId: string; ended: boolean };
  "sign_in.succeeded": { method: string; sessionId: string };
  "sign_in.failed": { method: string; code: string };
  "tenant.switched": { sessionId: string };
  /** The user is no member any more: of `tenantId`, which the session was in. */
  "tenant.left": { sessionId: string };
  "magic_code.requested": { purpose: string };
  "magic_code.verified": { purpose: string };
  "password.changed": Record<never, never>;
  "password.reset_requested": Record<never, never>;
  "password.reset": Record<never, never>;
  /** Under the present parameters, or from a foreign format into ours. */
  "password.rehashed": Record<never, never>;
  "email.confirmed": Record<never, never>;
  "email.changed": Record<never, never>;
  "magic_code.failed": { purpose: string; code: string };
  "email.sent": { subject: string };
  "email.failed": { subject: string; code: string; message: string; final: boolean };
  "account.linked": { provider: string; accountId: string };
  "account.unlinked": { provider: string; accountId: string };
  "account.refreshed": { provider: string; accountId: string };
  "account.reconnect_needed": { provider: string; accountId: string };
  /** An administrator ended something; `userId` is theirs. */
  "admin.acted": { action: string; target: string };
  "api_key.created": { keyId: string; name: string };
  "api_key.used": { keyId: string };
  "api_key.rotated": { keyId: string; replacedBy: string };
  /** `null`: all of the user's. */
  "api_key.revoked": { keyId: string | null };
  /** While the store was away longer than there was room for: so many events are missing in the audit. */
  "audit.lost": { count: number };
  "rate_limit.exceeded": { limit: string };
  "request.failed": { path: string; message: string };
  "background.failed": { message: string };
  "storage.failed": { operation: string; message: string };
  "record.unreadable": { collection: string; message: string };
}

export type EventName = keyof EventDetails;

/** The names of all events; the compiler sees to it that none is missing. */
export const eventNames: ReadonlySet<EventName> = new Set(
  Object.keys({
    "user.created": true,
    "user.disabled": true,
    "user.enabled": true,
    "user.roles_changed": true,
    "user.deleted": true,
    "user.erased": true,
    "session.created": true,
    "session.rotated": true,
    "session.revoked": true,
    "session.upgraded": true,
    "refresh_token.reused": true,
    "sign_in.succeeded": true,
    "sign_in.failed": true,
    "tenant.switched": true,
    "tenant.left": true,
    "magic_code.requested": true,
    "magic_code.verified": true,
    "magic_code.failed": true,
    "admin.acted": true,
    "password.changed": true,
    "password.reset_requested": true,
    "password.reset": true,
    "password.rehashed": true,
    "email.confirmed": true,
    "email.changed": true,
    "email.sent": true,
    "email.failed": true,
    "account.linked": true,
    "account.unlinked": true,
    "account.refreshed": true,
    "account.reconnect_needed": true,
    "api_key.created": true,
    "api_key.used": true,
    "api_key.rotated": true,
    "api_key.revoked": true,
    "audit.lost": true,
    "rate_limit.exceeded": true,
    "request.failed": true,
    "background.failed": true,
    "storage.failed": true,
    "record.unreadable": true,
  } satisfies Record<EventName, true>) as EventName[],
);

/** One event: what happened, when, to whom, from where. It serialises, and never carries a secret. */
export type AuthEvent<Name extends EventName = EventName> = {
  [N in Name]: {
    readonly type: N;
    /** Unix ms. */
    readonly at: number;
    readonly userId: string | null;
    readonly tenantId: string | null;
    readonly source: RequestSource | null;
    readonly details: EventDetails[N];
  };
}[Name];

/** Who and where an event is about; all of it may be unknown. */
export interface EventSubject {
  readonly userId?: string | null;
  readonly tenantId?: string | null;
  readonly source?: RequestSource | null;
}

/** What {@link Events.on} calls. What it returns is not looked at, but that a promise of it may reject; it is not waited for. */
export type EventListener<Name extends EventName = EventName> = (event: AuthEvent<Name>) => unknown;

export interface Events {
  /**
   * Calls `listener` for one kind of event, or with `"*"` for all. Returns a function that stops it. A listener that throws or rejects
   * harms nobody else: the process is warned of it, once.
   */
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): () => void;
  on(name: "*", listener: EventListener): () => void;
  /** Stops calling a listener; one that was never there is no matter. */
  off<Name extends EventName>(name: Name, listener: EventListener<Name>): void;
  off(name: "*", listener: EventListener): void;
  emit<Name extends EventName>(type: Name, details: EventDetails[Name], subject?: EventSubject): void;
}

/** The event bus of one `createAuth`. Synchronous, in process; listeners get a frozen event. */
export function createEvents(clock: Clock): Events {
  const listeners = new Map<string, Set<EventListener>>();
  const faulty = new WeakSet<EventListener>();

  const warn = (listener: EventListener, { type }: AuthEvent, error: unknown) => {
    if (faulty.has(listener)) return;
    faulty.add(listener);
    process.emitWarning(`latchkey: a listener of ${type} failed: ${String(error)}`);
  };

  const notify = (key: string, event: AuthEvent) => {
    for (const listener of listeners.get(key) ?? []) {
      try {
        const result = listener(event);
        if (result instanceof Promise) result.catch((error: unknown) => warn(listener, event, error));
      } catch (error) {
        warn(listener, event, error);
      }
    }
  };

  const off = (name: string, listener: (event: never) => void) => void listeners.get(name)?.delete(listener as EventListener);

  return {
    on(name: string, listener: (event: never) => void) {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set);
      set.add(listener as EventListener);
      return () => off(name, listener);
    },
    off,
    emit(type, details, { userId = null, tenantId = null, source = null } = {}) {
      if (listeners.size === 0) return;
      const event = Object.freeze({ type, at: clock.now(), userId, tenantId, source, details: Object.freeze(details) }) as AuthEvent;
      notify(type, event);
      notify("*", event);
    },
  };
}
