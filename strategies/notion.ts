import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface NotionPerson {
  readonly id: string;
  readonly name?: string | null;
  readonly avatar_url?: string | null;
  readonly person?: { readonly email?: string };
}

/** A token is a bot's, and the bot somebody's. */
interface NotionBot {
  readonly bot: { readonly owner: { readonly user: NotionPerson } };
}

const provider: OAuth2Provider<NotionBot> = {
  name: "notion",
  authorizationEndpoint: "https://api.notion.com/v1/oauth/authorize",
  tokenEndpoint: "https://api.notion.com/v1/oauth/token",
  userinfoEndpoint: "https://api.notion.com/v1/users/me",
  // What an integration may do is chosen where it is registered.
  scope: [],
  authorizationParameters: { owner: "user" },
  clientAuthentication: "basic",
  tokenRequest: "json",
  // Its API refuses a JSON body with fields that it does not know.
  pkce: "refused",
  headers: { "notion-version": "2022-06-28" },
  profile: ({ bot: { owner } }) => ({
    subject: owner.user.id,
    name: owner.user.name,
    image: owner.user.avatar_url,
    email: owner.user.person?.email,
    emailVerified: false,
  }),
};

/**
 * Sign in with Notion, through a public integration. No scope. The address needs the integration's user capability, and never counts as
 * verified: Notion does not say that it is. Without PKCE.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://developers.notion.com/docs/authorization
 */
export function notion(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
