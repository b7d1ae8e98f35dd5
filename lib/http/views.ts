import type { ApiKey } from "../core/api-keys.ts";
import type { AccessTokenContext } from "../core/context.ts";
import type { Session } from "../core/sessions.ts";
import type { User } from "../core/users.ts";

/** An instant as HTTP has it: RFC 3339 text; `null` stays `null`. */
export function instant(at: number): string;
export function instant(at: number | null): string | null;
export function instant(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

/** A user as answered. */
export function userView(user: User) {
  return {
    id: user.id,
    email: user.email,
    email_confirmed_at: user.emailVerified ? instant(user.emailVerifiedAt ?? user.createdAt) : null,
    name: user.name,
    image: user.image,
    created_at: instant(user.createdAt),
  };
}

/** A session as its owner sees it: no secret, nothing that opens it. */
export function sessionView(session: Session, currentId: string | null) {
  return {
    id: session.id,
    current: session.id === currentId,
    device: session.device?.label ?? null,
    ip: session.device?.ip ?? null,
    methods: session.methods,
    tenant_id: session.tenantId,
    created_at: instant(session.createdAt),
    last_seen_at: instant(session.lastSeenAt),
    authenticated_at: instant(session.authenticatedAt),
    expires_at: instant(Math.min(session.expiresAt, session.idleExpiresAt)),
  };
}

/** An API key as its owner sees it. */
export function apiKeyView(key: ApiKey) {
  return {
    id: key.id,
    name: key.name,
    key_prefix: key.keyPrefix,
    scopes: key.scopes,
    created_at: instant(key.createdAt),
    last_used_at: instant(key.lastUsedAt),
    expires_at: instant(key.expiresAt),
  };
}

/** What is said at a sign-out by an access token that no session stands behind: nothing ends it but its time. */
export function tokenLeftView({ claims }: AccessTokenContext) {
  return {
    message: "There was no session to end: the access token holds until it expires.",
    expires_at: instant(Number(claims["exp"]) * 1000),
  };
}
