import type { OAuthClientOptions } from "../lib/oauth/client.ts";
import type { OAuth2Provider } from "../lib/oauth/oauth2-flow.ts";
import { oauth2Strategy } from "../lib/oauth/provider-strategies.ts";
import type { OAuthStrategy } from "../lib/oauth/strategy.ts";

interface DiscordUser {
  readonly id: string;
  readonly username: string;
  readonly global_name: string | null;
  readonly avatar: string | null;
  readonly email?: string | null;
  readonly verified?: boolean;
}

const provider: OAuth2Provider<DiscordUser> = {
  name: "discord",
  authorizationEndpoint: "https://discord.com/api/oauth2/authorize",
  tokenEndpoint: "https://discord.com/api/oauth2/token",
  userinfoEndpoint: "https://discord.com/api/users/@me",
  scope: ["identify", "email"],
  asking: { prompt: "prompt" },
  profile: ({ id, username, global_name, avatar, email, verified }) => ({
    subject: id,
    name: global_name ?? username,
    image: avatar === null ? null : `https://cdn.discordapp.com/avatars/${id}/${avatar}.png`,
    email,
    emailVerified: verified,
  }),
};

/**
 * Sign in with Discord. Scope: `identify email`. The address counts as verified if Discord's `verified` says so.
 *
 * @throws {ConfigError} when an option is unknown, missing or misshapen.
 * @see https://discord.com/developers/docs/topics/oauth2
 */
export function discord(options: OAuthClientOptions): OAuthStrategy {
  return oauth2Strategy(provider, options);
}
