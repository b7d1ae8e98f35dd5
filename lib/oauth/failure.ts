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
    if (typeof value === "string") return providerFailure(value, error);
    if (code === "OAUTH_TIMEOUT" || code === "OAUTH_ABORT") {
      return new ProviderError("provider_unavailable", "The provider took too long to answer", { cause: safeCause(error) });
    }
    if (code === "OAUTH_RESPONSE_IS_NOT_CONFORM" && layer.cause instanceof Response && layer.cause.status >= 500) {
      return new ProviderError("provider_unavailable", "The provider is not available just now", { cause: safeCause(error) });
    }
    if (typeof code === "string" && DOES_NOT_HOLD.has(code)) return invalidResponse(error);
  }
  return providerFailure(undefined, error);
}

/** The provider's answer does not pass our checks. */
export function invalidResponse(cause: unknown): ProviderError {
  return new ProviderError("invalid_provider_response", "The provider's answer does not pass our checks", { cause: safeCause(cause) });
}
