import * as openid from "openid-client";
import { ProviderError } from "../errors.ts";
import { secretAuthentication } from "./client-authentication.ts";
import type { OAuthClient } from "./client.ts";
import { engineFailure } from "./failure.ts";
import { providerFetch } from "./http.ts";
import type { OidcProvider } from "./oidc-provider.ts";
import { plainGrantRefusals } from "./token-reply.ts";

/** Seconds that metadata counts as fresh. */
const FRESH_TTL = 3600;
/** Seconds that metadata may be used while the provider does not say it again. */
const STALE_TTL = 24 * 3600;
/** Seconds between two tries to renew stale metadata. */
const RETRY_AFTER = 30;

/**
 * What an OpenID provider says of itself, asked for once and kept for an hour; while it cannot be asked again, up to a day. Callers at the
 * same time share one request. A first try that failed is not remembered: the next caller asks anew.
 *
 * @returns a function that resolves to openid-client's configuration, with its key cache.
 *   It rejects with a `ProviderError`, among others when the metadata names another issuer the provider's, to the letter, or one
 *   of its `tenants`.
 * @see OpenID Connect Discovery 1.0, section 4.3.
 */
export function createDiscovery(provider: OidcProvider, client: OAuthClient): () => Promise<openid.Configuration> {
  let known: { config: openid.Configuration; fetchedAt: number; triedAt: number } | null = null;
  let asking: Promise<openid.Configuration> | null = null;

  const ask = async (): Promise<openid.Configuration> => {
    try {
      const config = await discover(provider, client);
      known = { config, fetchedAt: client.clock.now(), triedAt: client.clock.now() };
      return config;
    } catch (error) {
      throw engineFailure(error);
    } finally {
      asking = null;
    }
  };

  return async function discovery() {
    const now = client.clock.now();
    if (!known || now - known.fetchedAt >= STALE_TTL * 1000) return (asking ??= ask());
    if (now - known.fetchedAt >= FRESH_TTL * 1000 && now - known.triedAt >= RETRY_AFTER * 1000) {
      known = { ...known, triedAt: now };
      const { config } = known;
      return (asking ??= ask()).catch(() => config);
    }
    return known.config;
  };
}

async function discover(provider: OidcProvider, client: OAuthClient): Promise<openid.Configuration> {
  const { issuer, idTokenAlgorithm: alg } = provider;
  const own = { ...(client.clientSecret === null ? {} : { client_secret: client.clientSecret }) };
  const description = { ...own, [openid.clockTolerance]: ANY_TIME, ...(alg === undefined ? {} : { id_token_signed_response_alg: alg }) };
  const config = await openid.discovery(new URL(issuer), client.clientId, description, authenticationOf(provider, client), {
    execute: engineSettings(client),
    [openid.customFetch]: plainGrantRefusals(provider, providerFetch(client.http)),
  });
  const metadata = config.serverMetadata();
  if (metadata.issuer !== issuer && !provider.tenants?.inMetadata(metadata.issuer)) {
    const cause = new Error(`the provider calls itself "${metadata.issuer}": give exactly that as issuer, instead of "${issuer}"`);
    throw new ProviderError("invalid_provider_response", "The provider's metadata is of another issuer", { cause });
  }
  return config;
}

/**
 * Seconds that openid-client's clock may differ from a provider's: it knows the machine's alone, so the times of ID tokens are left to
 * `createIdTokenCheck`, which goes by the client's.
 */
const ANY_TIME = Number.MAX_SAFE_INTEGER;

/**
 * How openid-client is set up: http only where allowed. Signatures are checked by `createIdTokenCheck`, because its own check does not ask
 * for the keys again within a minute, and a provider may change them at any moment.
 */
function engineSettings({ http }: OAuthClient): ((config: openid.Configuration) => void)[] {
  return http.plainHttp === "none" ? [] : [openid.allowInsecureRequests];
}

function authenticationOf(provider: OidcProvider, { authentication, clientSecret, secretMethod }: OAuthClient): openid.ClientAuth {
  if (authentication !== null) return authentication;
  return clientSecret === null ? openid.None() : secretAuthentication(clientSecret, secretMethod ?? provider.clientAuthentication ?? null);
}
