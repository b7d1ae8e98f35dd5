import { AuthError, CredentialError, ProviderError } from "../errors.ts";
import { redact } from "./redact.ts";

/** Error values of a provider that mean: the person, not the machine, stopped here. All others are the provider's or ours. */
const DECLINED = new Set(["access_denied", "user_denied", "user_cancelled_login", "user_cancelled_authorize", "user_cancelled"]);
/** OpenID Connect Core 1.0, section 3.1.2.6: the provider would have had to show something. */
const INTERACTION = new Set(["login_required", "interaction_required", "consent_required", "account_selection_required"]);
/** RFC 6749, section 4.1.2.1: it may work later. */
const PASSING = new Set(["temporarily_unavailable", "server_error"]);

/**
 * One of our errors for a provider's `error` value; nothing of the provider's own words is in it but, redacted, in its cause.
 * Codes: `access_denied` and `login_required` (401), `invalid_grant`, `provider_unavailable` and `provider_error` (502).
 */
export function providerFailure(value: unknown, cause?: unknown): AuthError {
  const options = { cause: safeCause(cause) };
  if (typeof value === "string") {
    if (DECLINED.has(value)) return new CredentialError("access_denied", "Signing in was cancelled", options);
    if (INTERACTION.has(value)) return new CredentialError("login_required", "The provider needs you to sign in there", options);
    if (PASSING.has(value)) return new ProviderError("provider_unavailable", "The provider is not available just now", options);
    if (value === "invalid_grant") return new ProviderError("invalid_grant", "The provider no longer accepts this grant", options);
  }
  return new ProviderError("provider_error", "The provider refused", options);
}

/** Whatever a strategy threw, as one of ours. An {@link AuthError} stays as it is. */
export function asProviderError(error: unknown): AuthError {
  if (error instanceof AuthError) return error;
  return new ProviderError("provider_error", "Signing in through the provider failed", { cause: safeCause(error) });
}

/**
 * A copy of an error that may go to a log: its name, message and stack with secrets redacted, and of its other fields only the ones
 * that tell a provider's status and error code. Libraries hang requests, replies and parameters on their errors; those stay behind.
 */
export function safeCause(error: unknown, depth = 0): Error | undefined {
  if (error === undefined || error === null || depth > 3) return undefined;
  const source = typeof error === "string" ? { message: error } : fieldsOf(error);
  const reply = fieldsOf(source["oauthError"]);
  const details = [source["code"], source["error"], source["error_description"], source["status"], reply["statusCode"], reply["data"]]
    .filter((value) => typeof value === "string" || typeof value === "number")
    .map((value) => redact(String(value)).slice(0, 500));
  const message = redact(typeof source["message"] === "string" ? source["message"] : "unknown failure");
  const copy = new Error(details.length === 0 ? message : `${message} (${[...new Set(details)].join(", ")})`);
  if (typeof source["name"] === "string") copy.name = source["name"];
  if (typeof source["stack"] === "string") copy.stack = redact(source["stack"]);
  const cause = source["cause"] instanceof Error ? safeCause(source["cause"], depth + 1) : undefined;
  if (cause) copy.cause = cause;
  return copy;
}

function fieldsOf(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
