/** What an {@link AuthError} may carry besides its code and message. */
export interface AuthErrorOptions {
  /** The error underneath, for the log; never shown to a caller. */
  cause?: unknown;
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  retryAfter?: number;
}

/**
 * The root of everything latchkey throws at a caller.
 * `code` is stable and meant for branching, `status` is the HTTP status it answers with,
 * `message` is fit for the caller (no secrets, no internals), `cause` is for the log.
 */
export class AuthError extends Error {
  readonly code: string;
  readonly status: number;
  readonly retryAfter: number | undefined;

  constructor(code: string, message: string, status = 400, options: AuthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.status = status;
    this.retryAfter = options.retryAfter;
  }
}

/** 400: the request itself is misshapen. `invalid_request` unless a better code exists. */
export class RequestError extends AuthError {
  constructor(message: string, code = "invalid_request", options?: AuthErrorOptions & { status?: number }) {
    super(code, message, options?.status ?? 400, options);
  }
}

/** 401: no credential, or one that does not hold. */
export class CredentialError extends AuthError {
  constructor(code: string, message: string, options?: AuthErrorOptions) {
    super(code, message, 401, options);
  }
}

/** 403: known, but not allowed. */
export class PermissionError extends AuthError {
  constructor(code: string, message: string, options?: AuthErrorOptions) {
    super(code, message, 403, options);
  }
}

/** 404: no such thing, or none of yours. */
export class NotFoundError extends AuthError {
  constructor(message: string, code = "not_found", options?: AuthErrorOptions) {
    super(code, message, 404, options);
  }
}

/** 409: it clashes with what is already there. */
export class ConflictError extends AuthError {
  constructor(code: string, message: string, options?: AuthErrorOptions) {
    super(code, message, 409, options);
  }
}

/** A limit of which nothing is left. */
export interface SpentLimit {
  /** Such as `mail_link_sends`. */
  readonly name: string;
  readonly max: number;
  readonly windowSeconds: number;
  /** Whole seconds until there is some again. */
  readonly retryAfter: number;
}

/** 429: too often. `retryAfter` says, in seconds, when to come back, and `limits` which ones refused, where it was a counted one. */
export class RateLimitError extends AuthError {
  readonly limits: readonly SpentLimit[];

  constructor(message: string, retryAfter: number, code = "rate_limited", limits: readonly SpentLimit[] = []) {
    super(code, message, 429, { retryAfter });
    this.limits = limits;
  }
}

/** 502: an identity provider or a mail service failed us. */
export class ProviderError extends AuthError {
  constructor(code: string, message: string, options?: AuthErrorOptions) {
    super(code, message, 502, options);
  }
}

/** 503: the store could not be asked, or could not answer in time. Nothing is known, so nothing is granted. */
export class StorageError extends AuthError {
  constructor(message = "The session store is unavailable", options: AuthErrorOptions = {}) {
    super("storage_unavailable", message, 503, { retryAfter: 1, ...options });
  }
}

/** For the developer, thrown at start: names the option and the fix. Never sent to a client as it stands. */
export class ConfigError extends AuthError {
  /** The option at fault, such as `baseUrl`. */
  readonly option: string;
  constructor(option: string, fix: string, cause?: unknown) {
    super("config_error", `latchkey: ${option}: ${fix}`, 500, { cause });
    this.option = option;
  }
}
