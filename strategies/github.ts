import { ConfigError } from "../lib/errors.ts";
import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

/** Options of {@link github}. */
export interface GitHubOptions extends OAuthClientOptions {
  /** A GitHub Enterprise Server, whose API is under `/api/v3`. Default: `https://github.com`, with its API at `https://api.github.com`. */
  baseUrl?: string | undefined;
}

interface GitHubUser {
  readonly id: number;
  readonly login: string;
  readonly name: string | null;
  readonly avatar_url: string;
}

interface GitHubEmail {
  readonly email: string;
  readonly primary: boolean;
  readonly verified: boolean;
}

/**
 * Sign in with GitHub. Scope: `read:user user:email`. The address is the primary one, and only if GitHub verified it.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
 */
export function github(options: GitHubOptions): OAuthStrategy {
  const { origin } = baseOf(options?.baseUrl ?? "https://github.com");
  const api = origin === "https://github.com" ? "https://api.github.com" : `${origin}/api/v3`;
  const provider: OAuth2Provider<GitHubUser> = {
    name: "github",
    authorizationEndpoint: `${origin}/login/oauth/authorize`,
    tokenEndpoint: `${origin}/login/oauth/access_token`,
    userinfoEndpoint: `${api}/user`,
    scope: ["read:user", "user:email"],
    // @see https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#1-request-a-users-github-identity
    asking: { prompt: "prompt", loginHint: "login" },
    grantEnded: [{ error: "bad_refresh_token" }, { error: "bad_verification_code" }],
    // The user's own `email` is the public one, which need not be verified.
    // @see https://docs.github.com/en/rest/users/emails#list-email-addresses-for-the-authenticated-user
    profile: async ({ id, login, name, avatar_url }, get) => {
      const emails = await get<readonly GitHubEmail[]>(`${api}/user/emails`);
      const primary = emails.find((each) => each.primary === true && each.verified === true);
      return { subject: id, name: name ?? login, image: avatar_url, email: primary?.email, emailVerified: primary !== undefined };
    },
  };
  return oauth2Strategy(provider, options, ["baseUrl"]);
}

function baseOf(baseUrl: string): URL {
  if (!URL.canParse(baseUrl)) throw new ConfigError("github.baseUrl", "give the whole URL, such as https://github.example.com");
  return new URL(baseUrl);
}
