import { afterEach, describe, expect, it } from "vitest";
import { fakeProvider, forgeries, type FakeProvider, type FakeProviderOptions } from "../../lib/testing/provider/index.ts";
import { beginWith, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";
import { asked, relyingParty, signIn } from "./relying-party.ts";

const closing: FakeProvider[] = [];
afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

async function start(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const provider = await fakeProvider(options);
  closing.push(provider);
  return provider;
}

const REFUSED = { code: "invalid_provider_response", status: 502 };

describe("the Config profile of relying parties", () => {
  it("oidcc-client-test-discovery-openid-config: knows endpoints from the metadata alone", async () => {
    const provider = await start();

    expect(identityOf(await signIn(provider)).subject).toBe("ada");
    expect(asked(provider)[0]).toBe("discovery");
  });

  it("oidcc-client-test-discovery-jwks-uri-keys: takes the keys from where the metadata says", async () => {
    const provider = await start();
    provider.change({ metadata: (said) => ({ ...said, jwks_uri: `${provider.issuer}/keys?of=today` }) });

    expect(identityOf(await signIn(provider)).subject).toBe("ada");
    expect(provider.requests.find(({ endpoint }) => endpoint === "keys")?.parameters.get("of")).toBe("today");
  });

  it.each([
    ["another", () => "https://another.example"],
    ["a slash at the end", (issuer: string) => `${issuer}/`],
    ["none", () => undefined],
  ])("oidcc-client-test-discovery-issuer-mismatch: refuses metadata of another issuer: %s", async (_, issuer) => {
    const provider = await start();
    provider.change({ metadata: (said) => ({ ...said, issuer: issuer(provider.issuer) }) });

    await expect(beginWith(relyingParty(provider))).rejects.toMatchObject({ cause: REFUSED });
  });

  it("oidcc-client-test-idtoken-sig-none: refuses an ID token without a signature", async () => {
    const provider = await start();
    provider.signIdTokens(forgeries.unsigned());

    expect(errorOf(await signIn(provider))).toMatchObject(REFUSED);
  });

  it("oidcc-client-test-signing-key-rotation-just-before-signing: fetches the keys for an ID token of a new one", async () => {
    const provider = await start();
    const strategy = relyingParty(provider);
    const { url, session } = await beginWith(strategy);
    await provider.rotateKeys();

    expect(identityOf(await completeWith(strategy, session, await provider.authorize(url))).subject).toBe("ada");
  });

  it("oidcc-client-test-signing-key-rotation: fetches the keys again, once, when they changed between two sign-ins", async () => {
    const provider = await start();
    const strategy = relyingParty(provider);
    identityOf(await signIn(provider, strategy));
    await provider.rotateKeys();

    expect(identityOf(await signIn(provider, strategy)).subject).toBe("ada");
    expect(identityOf(await signIn(provider, strategy)).subject).toBe("ada");
    expect(asked(provider).filter((endpoint) => endpoint === "keys")).toHaveLength(2);
  });
});
