import "./http/request.ts";

export { createAuth, type Auth } from "./auth.ts";
export type { AuthOptions } from "./options.ts";
export type { Inspection } from "./inspection.ts";
export type { CookieSettings, SessionOptions } from "./session-options.ts";
export {
  AuthError,
  ConfigError,
  ConflictError,
  CredentialError,
  NotFoundError,
  PermissionError,
  ProviderError,
  RateLimitError,
  RequestError,
  StorageError,
  type SpentLimit,
} from "./errors.ts";
export type { Clock } from "./clock.ts";
export type {
  AccessTokenContext,
  AnonymousContext,
  ApiKeyContext,
  AuthContext,
  CredentialKind,
  GuestContext,
  SessionContext,
  SignedInContext,
} from "./core/context.ts";
export { requireAuth, requireRole, signedIn, type RequireAuthOptions, type RequireRoleOptions } from "./http/require-auth.ts";
export { authenticate } from "./http/authenticate.ts";
export { apiKeyGuard, type ApiKeyGuardOptions } from "./http/api-key-guard.ts";
export { accessTokenGuard, type AccessTokenGuardOptions } from "./http/access-token-guard.ts";
export { csrf, type CsrfOptions } from "./http/csrf.ts";
export { rateLimit, type RateLimitOptions } from "./http/rate-limit.ts";
export { errorHandler, type ProblemDocument } from "./http/problem.ts";
export type { Guard, Passed } from "./http/request.ts";
export type { Session, SessionTransport, SessionDevice, Sessions, NewSession, IssuedSession, GuestMerge } from "./core/sessions.ts";
export type { Membership } from "./core/membership.ts";
export type { NewUser, User, UserChange, UserFields, UserStore, Users } from "./core/users.ts";
export type { ManagedUsers } from "./core/managed-users.ts";
export type { Principal, Principals, Standing } from "./core/principals.ts";
export type { Resolved, SignIn } from "./core/sign-in.ts";
export type { Kv, KvEntry, KvLife, KvPage, KvValue } from "./core/kv.ts";
export type { NewToken, TokenChange, TokenRecord, Tokens } from "./core/tokens.ts";
export type { PersonalData, PersonalDataService } from "./core/personal-data.ts";
export type { Audit, AuditEntry, AuditQuery } from "./core/audit.ts";
export { auditedEvents, type AuditOptions } from "./core/audit-options.ts";
export type { SpanName, Telemetry, TelemetryAttributes } from "./core/telemetry.ts";
export type { Limit, RateLimits, Reservation } from "./core/rate-limits.ts";
export type { AccessToken, AccessTokens, IssuedAccessToken, IssueOptions } from "./core/access-tokens.ts";
export type { RefreshedSession, RefreshOptions, RefreshTokens } from "./core/refresh-tokens.ts";
export type { SigningAlgorithm, SigningKey } from "./core/keyset.ts";
export type { OwnClaims, TokensOptions } from "./core/token-options.ts";
export type { Accounts, FreshToken } from "./core/accounts.ts";
export type { ApiKey, ApiKeys, ApiKeysOptions } from "./core/api-keys.ts";
export { apiKeyPattern } from "./core/api-keys.ts";
export type {
  AuthEvent,
  EventDetails,
  EventListener,
  EventName,
  Events,
  EventSubject,
  RequestSource,
  RevocationReason,
} from "./core/events.ts";
export type { Identity, ProofRequest, TokenSet } from "./core/strategy.ts";
export type { MagicCodes, MagicCodesOptions } from "./core/magic-codes.ts";
export type { PasswordMail, Passwords, PasswordsOptions, SignUp } from "./core/passwords.ts";
export type { PasswordLinks } from "./core/password-links.ts";
export type { Argon2Options, BreachedPasswordsOptions, ForeignHash, PasswordHook } from "./core/password-options.ts";
export type { PasswordPolicy } from "./core/password-policy.ts";
export { bcryptHashes, betterAuthHashes } from "./core/password-hashing.ts";
export type { EmailContent, EmailTemplates, LinkContent, MagicCodeContent, NoticeContent } from "./email/messages.ts";
export type { EmailMessage, EmailTransport } from "./email/transport.ts";
export { EmailDeliveryError } from "./email/transport.ts";
export { identify, identifyOpenId } from "./oauth/identify.ts";
export type { Finding } from "./storage/finding.ts";
export type {
  Change,
  ClearWrite,
  Collection,
  CountChange,
  DeleteWrite,
  DirectoryCollection,
  InsertWrite,
  NewRecord,
  Page,
  PartitionedCollection,
  PutWrite,
  RecordKey,
  RecordStore,
  ReplaceWrite,
  StoredRecord,
  Write,
} from "./storage/record-store.ts";
