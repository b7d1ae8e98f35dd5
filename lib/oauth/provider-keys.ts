import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import type { Configuration } from "openid-client";
import type { OAuthClient } from "./client.ts";
import { invalidResponse, statusFailure } from "./failure.ts";
import { providerFetch } from "./http.ts";

/** The keys that a provider publishes, kept for five minutes. */
export interface ProviderKeys {
  /** What its signatures may be made with: none that is symmetric, as whoever knows a client's secret is not the provider. */
  readonly algorithms: readonly string[];
  /** Finds a key for jose. For an unknown one the keys are fetched again, at most every 30 s: whoever likes can make a token up. */
  readonly find: JWTVerifyGetKey;
  /** Fetches the keys, unless those at hand are fresh. */
  load(): Promise<void>;
  /** Runs `verify` with {@link find}, and once more with keys fetched anew when there was none that fits: for tokens that the provider itself handed over. */
  fresh<T>(verify: (find: JWTVerifyGetKey) => Promise<T>): Promise<T>;
}

/**
 * @returns a function that resolves to the provider's keys as its metadata has them now. It costs no request by itself.
 *   Rejects with a `ProviderError`; so does looking for a key, when they cannot be had or read.
 */
export function createProviderKeys(client: OAuthClient, discover: () => Promise<Configuration>): () => Promise<ProviderKeys> {
  let known: { readonly uri: string; readonly set: ReturnType<typeof createRemoteJWKSet> } | null = null;

  const setAt = (uri: string) => {
    if (known?.uri !== uri) known = { uri, set: remoteKeys(uri, client) };
    return known.set;
  };

  return async function providerKeys() {
    const { jwks_uri: uri, id_token_signing_alg_values_supported: supported = ["RS256"] } = (await discover()).serverMetadata();
    if (uri === undefined) throw invalidResponse(new Error("the provider publishes no keys"));
    const set = setAt(uri);
    return {
      algorithms: signatureAlgorithms(supported),
      find: set,
      load: async () => (set.fresh ? undefined : set.reload()),
      async fresh(verify) {
        const alreadyAsked = set.coolingDown;
        try {
          return await verify(set);
        } catch (error) {
          // One that was not cooling down has asked again by itself.
          if (!alreadyAsked || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
          await set.reload();
          return verify(set);
        }
      },
    };
  };
}

/** Those of the names that sign by a key which the provider alone has. */
export function signatureAlgorithms(names: readonly string[]): string[] {
  return names.filter((name) => /^(?:RS|PS|ES|Ed)/.test(name));
}

function remoteKeys(uri: string, { http }: OAuthClient) {
  const fetch = providerFetch(http);
  return createRemoteJWKSet(new URL(uri), {
    [customFetch]: async (url, init) => {
      const response = await fetch(url, { ...init, headers: Object.fromEntries(init.headers), body: undefined });
      if (response.status !== 200) throw statusFailure(response, "The keys cannot be had");
      return Response.json(await readKeySet(response));
    },
    cacheMaxAge: 300_000,
    cooldownDuration: 30_000,
    // Ours ends sooner, and says so in our words.
    timeoutDuration: 60_000,
  });
}

/** @see RFC 7517, section 5. */
async function readKeySet(response: Response): Promise<object> {
  const said: unknown = await response.json().catch(() => null);
  const keys = typeof said === "object" && said !== null && "keys" in said ? said.keys : null;
  if (!Array.isArray(keys)) throw invalidResponse(new Error("the provider's keys are no key set"));
  return { keys: keys.filter((key) => typeof key === "object" && key !== null) };
}
