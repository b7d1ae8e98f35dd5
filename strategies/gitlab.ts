import { assertIssuer, type OAuthClientOptions } from "../lib/oauth/client.ts";
import { oidcStrategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link gitlab}. */
export interface GitLabOptions extends OAuthClientOptions {
  /** A GitLab of one's own, as its pages have it: `https://gitlab.example.com`. Default: `https://gitlab.com`. */
  baseUrl?: string | undefined;
}

/**
 * Sign in with GitLab, or with a self-hosted one. Scope: `openid email profile`. The address counts as verified if the ID token says so.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://docs.gitlab.com/integration/openid_connect_provider/
 */
export function gitlab(options: GitLabOptions): OAuthStrategy {
  const { baseUrl = "https://gitlab.com" } = options ?? {};
  assertIssuer("gitlab.baseUrl", baseUrl);
  return oidcStrategy({ name: "gitlab", issuer: baseUrl.replace(/\/$/, "") }, options, ["baseUrl"]);
}
