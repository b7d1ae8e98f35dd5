import type { OAuthClientOptions } from "../../../lib/oauth/client.ts";
import type { OAuthStrategy } from "../../../lib/oauth/strategy.ts";
import type { DocumentedProvider } from "../../support/fake-provider.ts";

/** One provider: what its documentation says, and what must come of it. */
export interface ProviderCase extends DocumentedProvider {
  readonly make: (options: OAuthClientOptions) => OAuthStrategy;
  /** As it stands in the authorization URL; `undefined`: nothing is asked for. */
  readonly scope: string | undefined;
  /** Further parameters of the authorization URL. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Of a provider that gives refresh tokens: what its token endpoint answers to one that is over. */
  readonly ended?: Ended;
  readonly identity: object;
  /** The same person, of whom the provider does not say that the address is verified; `undefined` when it gives none. */
  readonly unverified: object | undefined;
  /** Instead of `more`, for that person. */
  readonly unverifiedMore?: Readonly<Record<string, unknown>>;
}

/** A token endpoint's refusal. */
interface Ended {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What RFC 6749, section 5.2, has. */
export const invalidGrant: Ended = { status: 400, body: { error: "invalid_grant", error_description: "The refresh token is invalid" } };

export const email = "ada@example.com";

/** What a token endpoint answers by RFC 6749, section 5.1. */
export const bearer = { access_token: "at", token_type: "Bearer", expires_in: 3600, refresh_token: "rt" };
