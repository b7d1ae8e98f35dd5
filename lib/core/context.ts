import type { AuthError } from "../errors.ts";
import type { AccessToken } from "./access-token-claims.ts";
import type { ApiKey } from "./api-keys.ts";
import { NO_SCOPES } from "./scopes.ts";
import type { Session } from "./sessions.ts";

/** How a request proved who it is. */
export type CredentialKind = "anonymous" | "guest" | "session" | "access_token" | "api_key";

/**
 * Who makes a request, as far as it proved it. Made by latchkey alone: it serialises, and has no inverse,
 * so nothing a client sends can become one.
 */
export type AuthContext = AnonymousContext | GuestContext | SessionContext | AccessTokenContext | ApiKeyContext;

/** The contexts that {@link requireAuth} lets through by default. */
export type SignedInContext = SessionContext | AccessTokenContext | ApiKeyContext;

interface ContextShape {
  readonly kind: CredentialKind;
  readonly userId: string | null;
  readonly tenantId: string | null;
  readonly roles: readonly string[];
  /** Granted scopes. Those of a session are set for all of them, by the `session.scopes` option. Default: none. */
  readonly scopes: ReadonlySet<string>;
  /** Unix ms of the last real authentication; `null` for anonymous, guests and API keys. */
  readonly authenticatedAt: number | null;
  /** How the user authenticated: `oidc`, `magic_code`, ... */
  readonly methods: readonly string[];
  /** Whether the roles include `admin`. */
  readonly isAdmin: boolean;
  /** False for anonymous and for guests. */
  readonly isAuthenticated: boolean;
  /** Why a presented credential was not accepted; a `StorageError` when nobody could be asked. */
  readonly failure: AuthError | null;
  /** Exact match, or admin. */
  hasRole(role: string): boolean;
  /** Any exact match, or admin; an empty list is false for everybody but admin. */
  hasAnyRole(roles: readonly string[]): boolean;
  /** Whether exactly this scope was granted. */
  hasScope(scope: string): boolean;
}

export interface AnonymousContext extends ContextShape {
  readonly kind: "anonymous";
  readonly userId: null;
  readonly isAuthenticated: false;
}

export interface GuestContext extends ContextShape {
  readonly kind: "guest";
  readonly userId: string;
  readonly session: Session;
  readonly isAuthenticated: false;
}

export interface SessionContext extends ContextShape {
  readonly kind: "session";
  readonly userId: string;
  readonly session: Session;
  readonly authenticatedAt: number;
  readonly isAuthenticated: true;
}

export interface AccessTokenContext extends ContextShape {
  readonly kind: "access_token";
  readonly userId: string;
  /** The public id of the session behind the token. */
  readonly sessionId: string;
  /** All claims of the token. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly isAuthenticated: true;
}

export interface ApiKeyContext extends ContextShape {
  readonly kind: "api_key";
  readonly userId: string;
  readonly apiKey: ApiKey;
  readonly isAuthenticated: true;
}

const NONE: readonly string[] = Object.freeze([]);

/** A class for speed: methods live on the prototype, so making one for each request costs a few fields. */
class Context {
  declare readonly session?: Session;
  declare readonly apiKey?: ApiKey;
  declare readonly claims?: Readonly<Record<string, unknown>>;
  declare readonly sessionId?: string;
  constructor(
    readonly kind: CredentialKind,
    readonly userId: string | null,
    readonly tenantId: string | null,
    readonly roles: readonly string[],
    readonly scopes: ReadonlySet<string>,
    readonly authenticatedAt: number | null,
    readonly methods: readonly string[],
    readonly failure: AuthError | null,
  ) {}

  get isAdmin(): boolean {
    return this.roles.includes("admin");
  }
  get isAuthenticated(): boolean {
    return this.kind !== "anonymous" && this.kind !== "guest";
  }
  hasRole(role: string): boolean {
    return this.isAdmin || this.roles.includes(role);
  }
  hasAnyRole(roles: readonly string[]): boolean {
    return this.isAdmin || roles.some((role) => this.roles.includes(role));
  }
  hasScope(scope: string): boolean {
    return this.scopes.has(scope);
  }
  toJSON(): Record<string, unknown> {
    const { kind, userId, tenantId, roles, scopes, authenticatedAt, methods, isAdmin, isAuthenticated } = this;
    return { kind, userId, tenantId, roles, scopes: [...scopes], authenticatedAt, methods, isAdmin, isAuthenticated };
  }
}

/** Whether something is a context of ours, rather than what other middleware may write on `req.auth`. */
export function isContext(value: unknown): value is AuthContext {
  return value instanceof Context;
}

/** Nobody, as far as we know; `failure` tells what was wrong with the credential, if there was one. */
export function anonymousContext(failure: AuthError | null = null): AnonymousContext {
  if (!failure) return ANONYMOUS;
  return new Context("anonymous", null, null, NONE, NO_SCOPES, null, NONE, failure) as AnonymousContext;
}

const ANONYMOUS = Object.freeze(new Context("anonymous", null, null, NONE, NO_SCOPES, null, NONE, null)) as AnonymousContext;

/** The holder of a session: a user, or a guest. */
export function sessionContext(session: Session, scopes: ReadonlySet<string> = NO_SCOPES): SessionContext | GuestContext {
  const guest = session.kind === "guest";
  const context = new Context(
    guest ? "guest" : "session",
    session.userId,
    session.tenantId,
    session.roles,
    guest ? NO_SCOPES : scopes,
    guest ? null : session.authenticatedAt,
    session.methods,
    null,
  );
  (context as { session: Session }).session = session;
  return context as unknown as SessionContext | GuestContext;
}

/** The holder of an access token: who it was issued to, as they stood then. */
export function accessTokenContext(token: AccessToken): AccessTokenContext {
  const { userId, tenantId, roles, scopes, authenticatedAt, methods, claims, sessionId } = token;
  const context = new Context("access_token", userId, tenantId, roles, scopes, authenticatedAt, methods, null);
  const own = context as { claims: AccessTokenContext["claims"]; sessionId: string };
  own.claims = claims;
  own.sessionId = sessionId;
  return context as unknown as AccessTokenContext;
}

/** The holder of an API key: its owner, narrowed to the key's scopes. */
export function apiKeyContext(apiKey: ApiKey): ApiKeyContext {
  const context = new Context("api_key", apiKey.userId, apiKey.tenantId, apiKey.roles, new Set(apiKey.scopes), null, API_KEY_METHODS, null);
  (context as { apiKey: ApiKey }).apiKey = apiKey;
  return context as unknown as ApiKeyContext;
}

const API_KEY_METHODS: readonly string[] = Object.freeze(["api_key"]);
