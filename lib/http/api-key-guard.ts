import { assertOptions } from "../check-options.ts";
import type { Guard } from "./request.ts";
import { requireAuth, type RequireAuthOptions } from "./require-auth.ts";

/** Options of {@link apiKeyGuard}. */
export type ApiKeyGuardOptions = Pick<RequireAuthOptions, "scope" | "roles" | "onRefused">;

/**
 * {@link requireAuth} for programs: lets API keys through and nothing else.
 * @example app.get("/api/reports", apiKeyGuard({ scope: ["reports:read"] }), listReports);
 */
export function apiKeyGuard(options: ApiKeyGuardOptions = {}): Guard {
  assertOptions("apiKeyGuard", options, ["scope", "roles", "onRefused"]);
  return requireAuth({ ...options, kinds: ["api_key"] });
}
