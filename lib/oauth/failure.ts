import { providerFailure, safeCause } from "../core/provider-failure.ts";
import { AuthError, ProviderError } from "../errors.ts";

/** What openid-client calls an answer that breaks a rule: a wrong state, issuer, nonce, audience, time or signature. */
const DOES_NOT_HOLD = new Set([
  "OAUTH_INVALID_RESPONSE",
  "OAUTH_JWT_CLAIM_COMPARISON_FAILED",
  "OAUTH_JWT_TIMESTAMP_CHECK_FAILED",
  "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED",
  "OAUTH_KEY_SELECTION_FAILED",
  "OAUTH_PARSE_ERROR",
  "OAUTH_RESPONSE_IS_NOT_CONFORM",
  "OAUTH_RESPONSE_IS_NOT_JSON",
  "OAUTH_UNSUPPORTED_OPERATION",
]);

/**
 * Whatever openid-client threw, as one of ours: its own codes and the provider's words stay in the cause, redacted, without `secrets`.
 * Codes: those of {@link providerFailure}, and `invalid_provider_response` for an answer that does not pass our checks.
 */
export function engineFailure(error: unknown, secrets: readonly string[] = []): AuthError {
  const cause = () => without(safeCause(error), secrets);
  for (let layer = error, depth = 0; layer instanceof Error && depth < 5; layer = layer.cause, depth += 1) {
    if (layer instanceof AuthError) return cleaned(layer, secrets);
    const { error: value, code, response = layer.cause } = layer as { error?: unknown; code?: unknown; response?: unknown };
    if (response instanceof Response && isBusy(response)) return busy(response, cause());
    if (typeof value === "string") return providerFailure(value, cause());
    if (code === "OAUTH_TIMEOUT" || code === "OAUTH_ABORT") {
      return new ProviderError("provider_unavailable", "The provider took too long to answer", { cause: cause() });
    }
    if (typeof code === "string" && DOES_NOT_HOLD.has(code)) return invalidResponse(cause());
  }
  return providerFailure(undefined, cause());
}

/** A reply whose status is not the one that was asked for. Codes: `provider_unavailable` for 429 and 5xx, else `invalid_provider_response`. */
export function statusFailure(response: Response, message: string): ProviderError {
  const cause = new Error(`${message}: the provider answers ${response.status}`);
  return isBusy(response) ? busy(response, cause) : invalidResponse(cause);
}

/** The most seconds that a `Retry-After` is believed. */
const LONGEST_REST = 3600;

function isBusy({ status }: Response): boolean {
  return status === 429 || status >= 500;
}

/** With what the reply says about coming back. @see RFC 9110, section 10.2.3. */
function busy({ headers }: Response, cause: Error | undefined): ProviderError {
  const said = headers.get("retry-after")?.trim() ?? "";
  // A date counts from the reply's own, as clocks differ.
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.parse(headers.get("date") ?? "")) / 1000;
  const rest = Number.isFinite(seconds) ? { retryAfter: Math.min(Math.max(Math.ceil(seconds), 0), LONGEST_REST) } : {};
  return new ProviderError("provider_unavailable", "The provider is not available just now", { cause, ...rest });
}

/** The provider's answer does not pass our checks. */
export function invalidResponse(cause: unknown): ProviderError {
  return new ProviderError("invalid_provider_response", "The provider's answer does not pass our checks", { cause: safeCause(cause) });
}

/** The same error: what lies under it may be the provider's words, too. */
function cleaned(failure: AuthError, secrets: readonly string[]): AuthError {
  if (failure.cause !== undefined) failure.cause = without(safeCause(failure.cause), secrets);
  return failure;
}

/** What looks like a token wherever it stands: a JWT, and what follows a scheme of the Authorization header. */
const TOKEN_SHAPED = /\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}|(?<=\b(?:Bearer|Basic|DPoP)\s)[\w.~+/=-]{8,}/g;

/** Of what a provider made an error say: more tells a log no more, and to look through a megabyte of it for tokens would take minutes. */
const MAX_LENGTH = 4096;

/** A safe copy of an error, also without `secrets` that a provider repeats in its own words, and without what looks like a token. */
function without(safe: Error | undefined, secrets: readonly string[]): Error | undefined {
  // Shorter ones are no secrets, and words of every text.
  const literal = secrets.filter((secret) => secret.length >= 6).flatMap((secret) => [secret, encoded(secret)]);
  // Cut in the middle of a secret it would still say half of one: the secrets go first.
  const clean = (text: string) =>
    literal
      .reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text)
      .slice(0, MAX_LENGTH)
      .replace(TOKEN_SHAPED, "[redacted]");
  for (let layer: unknown = safe; layer instanceof Error; layer = layer.cause) {
    layer.message = clean(layer.message);
    if (layer.stack !== undefined) layer.stack = clean(layer.stack);
  }
  return safe;
}

/** A token is the provider's text, and may hold half a surrogate pair, which nothing encodes. */
function encoded(secret: string): string {
  return encodeURIComponent(Buffer.from(secret).toString());
}
