import { generateKeyPairSync } from "node:crypto";
import { decodeJwt } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { createTestClock } from "../../lib/testing/clock.ts";
import { fakeProvider, type FakeProvider } from "../../lib/testing/provider/index.ts";
import { oidc, type OidcOptions } from "../../strategies/oidc.ts";
import { beginWith, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const SECRET = "a client secret of the tests alone";
/** Years away from any machine that runs this. */
const NOON = Date.UTC(2041, 5, 1, 12);
const at = NOON / 1000;

const closing: FakeProvider[] = [];
afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

/** A sign-in at a provider whose ID token has these times, by a clock that stands at noon when it begins, and `takes` seconds later. */
async function signIn(times: Record<string, unknown>, { reauthenticate = false, takes = 0, options = {} as Partial<OidcOptions> } = {}) {
  const clock = createTestClock(NOON);
  const provider = await fakeProvider({ clientSecret: SECRET });
  closing.push(provider);
  provider.change({ idToken: (claims) => ({ ...claims, iat: at, exp: at + 3600, ...times }) });
  const client = { clientId: provider.clientId, clientSecret: SECRET };
  const strategy = oidc({ issuer: provider.issuer, ...client, allowInsecureRequests: true, clock, ...options });
  const { url, session } = await beginWith(strategy, {}, { reauthenticate });
  const callback = await provider.authorize(url);
  clock.advance(takes);
  return completeWith(strategy, session, callback, { reauthenticate });
}

describe("the clock that a strategy is given", () => {
  it("is what the times of an ID token are held against, and not the machine's", async () => {
    expect(identityOf(await signIn({})).subject).toBe("ada");
    expect(identityOf(await signIn({ exp: at - 29 })).subject).toBe("ada");
    expect(identityOf(await signIn({ iat: at + 299, nbf: at + 29 })).subject).toBe("ada");
  });

  it.each([
    ["has expired", { iat: at - 3600, exp: at - 30 }],
    ["has expired", { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 3600 }],
    ["is not valid yet", { nbf: at + 31 }],
    ["is of the future", { iat: at + 301, exp: at + 3600 }],
  ])("rule 24: refuses an ID token that %s by it: %j", async (why, times) => {
    const error = errorOf(await signIn(times));

    expect(error).toMatchObject({ code: "invalid_provider_response", status: 502 });
    expect((error.cause as Error).message).toContain(why);
  });

  it("says whether somebody authenticated again, however long they took over it", async () => {
    const again = { reauthenticate: true, takes: 500 };

    expect(identityOf(await signIn({ auth_time: at + 400, iat: at + 500 }, again)).authenticatedAt).toBe(NOON + 400_000);
    expect(identityOf(await signIn({ auth_time: at - 30, iat: at + 500 }, again)).authenticatedAt).toBe(NOON - 30_000);
    for (const auth_time of [at - 31, Math.floor(Date.now() / 1000), undefined])
      expect(errorOf(await signIn({ auth_time, iat: at + 500 }, again)).code).toBe("invalid_provider_response");
  });

  it("is what a client's own assertions go by", async () => {
    const assertions: Record<string, unknown>[] = [];
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const options = {
      clientSecret: undefined,
      clientAuthentication: { privateKey: pem, kid: "1" },
      async fetch(url: string, init: RequestInit) {
        const form = new URLSearchParams(typeof init.body === "string" || init.body instanceof URLSearchParams ? init.body : "");
        const assertion = form.get("client_assertion");
        if (assertion) assertions.push(decodeJwt(assertion));
        return fetch(url, init);
      },
    };

    await signIn({}, { options });

    expect(assertions).toMatchObject([{ iat: at, nbf: at, exp: at + 60 }]);
  });
});
