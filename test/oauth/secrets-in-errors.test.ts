import { generateKeyPairSync } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import type { TokenSet } from "../../lib/core/strategy.ts";
import { fakeProvider, faults, type FakeProvider, type Fault } from "../../lib/testing/provider/index.ts";
import type { OAuthStrategy } from "../../lib/oauth/strategy.ts";
import { oauth2 } from "../../strategies/oauth2.ts";
import { relyingParty } from "../conformance-rp/relying-party.ts";
import { beginWith, completeWith, errorOf } from "../support/strategy-run.ts";

const closing: FakeProvider[] = [];

afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

async function start(): Promise<FakeProvider> {
  const provider = await fakeProvider({ clientSecret: SECRETS.clientSecret });
  closing.push(provider);
  return provider;
}

/** None of a shape that gives it away. */
const SECRETS = { clientSecret: "client/secret+1", accessToken: "access/token+1", refreshToken: "refresh/token+1", idToken: "id/token+1" };

const STRATEGIES: readonly (readonly [string, (provider: FakeProvider) => OAuthStrategy])[] = [
  ["of OpenID Connect", (provider) => relyingParty(provider, { scope: ["openid", "profile", "offline_access"] })],
  [
    "of plain OAuth 2",
    (provider) =>
      oauth2<{ sub: string }>(
        {
          name: "plain",
          authorizationEndpoint: provider.authorizationEndpoint,
          tokenEndpoint: provider.tokenEndpoint,
          userinfoEndpoint: provider.userinfoEndpoint,
          scope: ["profile", "offline_access"],
          profile: ({ sub }) => ({ subject: sub }),
        },
        { clientId: provider.clientId, clientSecret: provider.clientSecret },
      ),
  ],
];

/** Ways to repeat a text where an error could pick it up. */
const ECHOES: readonly (readonly [string, (text: string) => Fault])[] = [
  ["its error", (text) => faults.answer(400, { error: text })],
  ["its error_description", (text) => faults.answer(400, { error: "invalid_grant", error_description: `<${text}> is over` })],
  ["its error_description, encoded", (text) => faults.answer(400, { error: "invalid_grant", error_description: encodeURIComponent(text) })],
  ["a text that is no JSON", (text) => faults.answer(200, text, { "content-type": "application/json" })],
  ["a challenge", (text) => faults.answer(401, {}, { "www-authenticate": `Bearer error="invalid_token", error_description="${text}"` })],
  ["a text of status 500", (text) => faults.answer(500, text)],
];

/** All that a log could say of an error. */
function everything(error: unknown): string {
  const layers: string[] = [];
  for (let layer: unknown = error; layer instanceof Error; layer = layer.cause)
    layers.push(JSON.stringify([layer.message, layer.stack, Object.entries(layer)]));
  return layers.join("\n");
}

function expectNothingOf(error: unknown, secret: string): void {
  expect(error).toMatchObject({ status: 502 });
  for (const text of [secret, encodeURIComponent(secret)]) expect(everything(error)).not.toContain(text);
}

describe.each(STRATEGIES)("a strategy %s", (_, strategyOf) => {
  describe.each(Object.entries(SECRETS))("whose provider repeats its %s", (_name, secret) => {
    it.each(ECHOES)("rule 28: in %s of a refresh, tells no log", async (_where, echo) => {
      const provider = await start();
      provider.break("token", echo(secret));
      const { accessToken, refreshToken, idToken } = SECRETS;
      const tokens: TokenSet = { accessToken, refreshToken, idToken, accessTokenExpiresAt: 1, refreshTokenExpiresAt: null, scope: null };

      expectNothingOf(await strategyOf(provider).refresh(tokens).catch((error: unknown) => error), secret); // prettier-ignore
    });
  });

  describe.each(["access_token", "refresh_token"])("whose provider repeats the new %s", (name) => {
    it.each(ECHOES)("rule 28: in %s of userinfo, tells no log", async (_where, echo) => {
      const provider = await start();
      // Short, as what is no JSON is quoted in full only then.
      const secret = "new/token+2";
      provider.change({ tokens: (reply) => ({ ...reply, [name]: secret }) });
      provider.break("userinfo", echo(secret));
      const strategy = strategyOf(provider);
      const { url, session } = await beginWith(strategy);

      expectNothingOf(errorOf(await completeWith(strategy, session, await provider.authorize(url))), secret);
      expect(provider.requests.at(-1)?.endpoint).toBe("userinfo");
    });
  });
});

it("a provider that has an error hold a megabyte of what looks like tokens holds nobody up", async () => {
  const provider = await start();
  const { issuer, authorizationEndpoint: authorization_endpoint, tokenEndpoint: token_endpoint } = provider;
  const metadata = { issuer, authorization_endpoint, token_endpoint, dpop_signing_alg_values_supported: ["-eyJaaaaa".repeat(100_000)] };
  provider.break("discovery", faults.answer(200, metadata));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

  const failed = await beginWith(relyingParty(provider, { dpop: { privateKey } })).catch((error: unknown) => error);
  expect(everything(failed)).toContain("the provider takes DPoP proofs by -eyJ");
  expect(everything(failed).length).toBeLessThan(50_000);
});

it("a provider whose token is no text that can be sent is said to have given such a one", async () => {
  const provider = await start();
  provider.change({ tokens: (said: Record<string, unknown>) => ({ ...said, access_token: "half a pair: \ud800" }) });
  const strategy = relyingParty(provider, {});
  const { url, session } = await beginWith(strategy);

  const failed = errorOf(await completeWith(strategy, session, await provider.authorize(url)));
  expect(everything(failed)).toContain("ByteString");
});
