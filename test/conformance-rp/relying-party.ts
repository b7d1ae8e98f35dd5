import type { Outcome } from "../../lib/core/run-strategy.ts";
import type { FakeProvider } from "../../lib/testing/provider/index.ts";
import type { OAuthStrategy } from "../../lib/oauth/strategy.ts";
import { oidc, type OidcOptions } from "../../strategies/oidc.ts";
import { beginWith, completeWith } from "../support/strategy-run.ts";

/** Our strategy, as the client that `provider` knows. */
export function relyingParty(provider: FakeProvider, options: Partial<OidcOptions> = {}): OAuthStrategy {
  return oidc({ issuer: provider.issuer, clientId: provider.clientId, clientSecret: provider.clientSecret, ...options });
}

/** One sign-in, from the beginning to its outcome. */
export async function signIn(provider: FakeProvider, strategy: OAuthStrategy = relyingParty(provider)): Promise<Outcome> {
  const { url, session } = await beginWith(strategy);
  return completeWith(strategy, session, await provider.authorize(url));
}

/** The endpoints that were asked, in order. */
export function asked(provider: FakeProvider): string[] {
  return provider.requests.map(({ endpoint }) => endpoint);
}
