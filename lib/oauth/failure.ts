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
  "OAUTH_RESPONSE_IS_NOT_JSON",
  "OAUTH_UNSUPPORTED_OPERATION",
]);

/**
 * Whatever openid-client threw, as one of ours: its own codes and the provider's words stay in the cause, redacted.
 * Codes: those of {@link providerFailure}, and `invalid_provider_response` for an answer that does not pass our checks.
 */
export function engineFailure(error: unknown): AuthError {
  for (let layer = error, depth = 0; layer instanceof Error && depth < 5; layer = layer.cause, depth += 1) {
    if (layer instanceof AuthError) return layer;
    const { error: value, code } = layer as { error?: unknown; code?: unknown };
    const busy = busyReply(layer);
    if (busy)
      return new ProviderError("provider_unavailable", "The provider is not available just now", { cause: safeCause(error), ...busy });
    if (typeof value === "string") return providerFailure(value, error);
    if (code === "OAUTH_TIMEOUT" || code === "OAUTH_ABORT") {
      return new ProviderError("provider_unavailable", "The provider took too long to answer", { cause: safeCause(error) });
    }
    if (typeof code === "string" && DOES_NOT_HOLD.has(code)) return invalidResponse(error);
  }
  return providerFailure(undefined, error);
}

/** The most seconds that a `Retry-After` is believed. */
const LONGEST_REST = 3600;

/** What a reply of 429 or 5xx says about coming back (RFC 9110, section 10.2.3); `null` for any other. */
function busyReply(layer: Error): { retryAfter?: number } | null {
  const { response } = layer as { response?: unknown };
  const reply = response instanceof Response ? response : layer.cause;
  if (!(reply instanceof Response) || (reply.status !== 429 && reply.status < 500)) return null;
  const said = reply.headers.get("retry-after")?.trim() ?? "";
  // A date counts from the reply's own, as clocks differ.
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.parse(reply.headers.get("date") ?? "")) / 1000;
  return Number.isFinite(seconds) ? { retryAfter: Math.min(Math.max(seconds, 0), LONGEST_REST) } : {};
}

/** The provider's answer does not pass our checks. */
export function invalidResponse(cause: unknown): ProviderError {
  return new ProviderError("invalid_provider_response", "The provider's answer does not pass our checks", { cause: safeCause(cause) });
}
