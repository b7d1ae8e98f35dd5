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
  /** A user came to be. `via`: the provider, `password`, or `email` for an address that a code or link proved. */
  "user.created": { via: string };
  /** A user was disabled by `auth.users.disable`. Nothing of theirs holds any more. */
  "user.disabled": Record<never, never>;
  /** A user was enabled again. */
  "user.enabled": Record<never, never>;
  /** A user's roles were set; `roles` are those from now on. */
  "user.roles_changed": { roles: readonly string[] };
  /** A user was deleted, or the owner of an address disowned a sign-up made with it. */
  "user.deleted": Record<never, never>;
  /** All that was kept of a user was erased by `auth.erase`. */
  "user.erased": Record<never, never>;
  /** A session began, signed in or a guest's. */
  "session.created": { sessionId: string; kind: "user" | "guest"; methods: readonly string[] };
  /** A session goes on under a new token. */
  "session.rotated": { sessionId: string };
  /** A session ended before its time. `sessionId` is `null` for all of the user's, or all but one. */
  "session.revoked": { sessionId: string | null; reason: RevocationReason };
  /** A guest signed in; the session is a user's now, with the guest's data. */
  "session.upgraded": { guestId: string; sessionId: string };
  /** A refresh token that was replaced before came back: somebody else has it. */
  "refresh_token.reused": { sessionId: string; ended: boolean };
  /** Somebody signed in. `method`: the provider, `password`, `magic_code`, `magic_link`, `login` for `req.login`, and so on. */
  "sign_in.succeeded": { method: string; sessionId: string };
  /** A sign-in was refused with `code`. A store that is away is no refusal. */
  "sign_in.failed": { method: string; code: string };
  /** A session was switched to `tenantId`, or to none. */
  "tenant.switched": { sessionId: string };
  /** The user is no member any more: of `tenantId`, which the session was in. */
  "tenant.left": { sessionId: string };
  /** A code was asked for by mail, with a `link` beside it or without, to an address that may be nobody's. */
  "magic_code.requested": { purpose: string; link: boolean };
  /** A code was right, or by the `method` `magic_link` the link beside it, and both are spent. */
  "magic_code.verified": { purpose: string; method: "magic_code" | "magic_link" };
  /** A user changed their password, and proved the old one. */
  "password.changed": Record<never, never>;
  /** A link to reset a password was asked for; without `userId` nobody has that address. */
  "password.reset_requested": Record<never, never>;
  /** A password was reset by a mailed link. All sessions and API keys of the user have ended. */
  "password.reset": Record<never, never>;
  /** A password was hashed again at sign-in: under the present parameters, or from a foreign format into ours. */
  "password.rehashed": Record<never, never>;
  /** A user proved that an address is theirs. */
  "email.confirmed": Record<never, never>;
  /** A user moved to another address, which they proved. */
  "email.changed": Record<never, never>;
  /** A guess at a code, or by the `method` `magic_link` a link, was refused: `code` tells why in more detail than its answer does. */
  "magic_code.failed": { purpose: string; method: "magic_code" | "magic_link"; code: string };
  /** A mail was handed to the mail service. */
  "email.sent": { subject: string };
  /** A try to send a mail failed; `final`: there is no other. `message` is the service's, without addresses and secrets. */
  "email.failed": { subject: string; code: string; message: string; final: boolean };
  /** An account at a provider was linked to a user, at the first sign-in or later. */
  "account.linked": { provider: string; accountId: string };
  /** An account at a provider was unlinked. */
  "account.unlinked": { provider: string; accountId: string };
  /** A provider gave a new access token for an account. */
  "account.refreshed": { provider: string; accountId: string };
  /** A provider refused an account's refresh token: the person has to sign in there again. */
  "account.reconnect_needed": { provider: string; accountId: string };
  /** An administrator ended something; `userId` is theirs. Of who is erased the audit has no `target` but `erased`. */
  "admin.acted": { action: string; target: string };
  /** An API key was made. */
  "api_key.created": { keyId: string; name: string };
  /** An API key was used; told at most once a minute of use. */
  "api_key.used": { keyId: string };
  /** An API key was replaced by another. */
  "api_key.rotated": { keyId: string; replacedBy: string };
  /** An API key ended before its time. `keyId` is `null` for all of the user's. */
  "api_key.revoked": { keyId: string | null };
  /** While the store was away longer than there was room for: so many events are missing in the audit. */
  "audit.lost": { count: number };
  /** A request was over the limit named `limit`. */
  "rate_limit.exceeded": { limit: string };
  /** Our own routes answered 500: an error nobody foresaw, or a configuration that does not fit. */
  "request.failed": { path: string; message: string };
  /** Work after an answer failed, such as noting that a session was used. It is tried again at its next occasion. */
  "background.failed": { message: string };
  /** The store could not be asked while `operation` needed it. */
  "storage.failed": { operation: string; message: string };
  /** A record of `collection` could not be read: another key, a bad signature or foreign bytes. It was kept. */
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

/** What the application's owner has to know of, and so is a process warning where nobody listens: once a message. */
const TROUBLES: ReadonlySet<EventName> = new Set<EventName>(["request.failed", "background.failed", "storage.failed", "email.failed"]);
/** Messages told so; those after it are not. */
const MAX_TOLD = 20;

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

  const told = new Set<string>();
  /** Without a listener a failure would be seen by nobody: whoever sets an application up would be left with a 503 that says nothing. */
  const tellOf = (type: EventName, { path, operation, message = "" }: Readonly<Record<string, unknown>>) => {
    const text = `${type}: ${typeof message === "string" ? message : ""}`;
    if (told.has(text) || told.size >= MAX_TOLD) return;
    told.add(text);
    const where = [path, operation].find((part) => typeof part === "string");
    process.emitWarning(`latchkey: ${text}${where === undefined ? "" : ` (${where})`}; listen for ${type} to hear of each`);
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
      if (TROUBLES.has(type) && !listeners.get(type)?.size && !listeners.get("*")?.size) tellOf(type, details);
      if (listeners.size === 0) return;
      const event = Object.freeze({ type, at: clock.now(), userId, tenantId, source, details: Object.freeze(details) }) as AuthEvent;
      notify(type, event);
      notify("*", event);
    },
  };
}
