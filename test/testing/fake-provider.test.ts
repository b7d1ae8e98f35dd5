import { createHash, generateKeyPairSync } from "node:crypto";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { oidc } from "../../strategies/oidc.ts";
import { createTestClock, fakeProvider, faults, type FakeProvider, type FakeProviderOptions } from "../../lib/testing/index.ts";
import { beginWith, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const closing: FakeProvider[] = [];
afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

async function start(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const provider = await fakeProvider(options);
  closing.push(provider);
  return provider;
}

const CALLBACK = "http://app.localhost/callback";
const VERIFIER = "v".repeat(43);

/** An authorization request, as a client makes it. */
function request(provider: FakeProvider, more: Record<string, string> = {}): string {
  const challenge = createHash("sha256").update(VERIFIER).digest("base64url");
  return `${provider.authorizationEndpoint}?${new URLSearchParams({
    client_id: provider.clientId,
    redirect_uri: CALLBACK,
    response_type: "code",
    scope: "openid email offline_access",
    state: "s",
    nonce: "n",
    code_challenge: challenge,
    code_challenge_method: "S256",
    ...more,
  })}`;
}

/** A token request; resolves to its status and body. */
async function tokens(provider: FakeProvider, form: Record<string, string>): Promise<[number, Record<string, string>]> {
  const credentials = { client_id: provider.clientId, client_secret: provider.clientSecret ?? "" };
  const body = new URLSearchParams({ ...credentials, ...form });
  const response = await fetch(provider.tokenEndpoint, { method: "POST", body });
  return [response.status, (await response.json()) as Record<string, string>];
}

async function codeOf(provider: FakeProvider): Promise<Record<string, string>> {
  const code = new URL(await provider.authorize(request(provider))).searchParams.get("code") ?? "";
  return { grant_type: "authorization_code", code, redirect_uri: CALLBACK, code_verifier: VERIFIER };
}

describe("a fake provider", () => {
  it("is honest by default: a code becomes tokens, whose ID token holds under its published keys", async () => {
    const provider = await start({ user: { sub: "7", email: "ada@example.com", email_verified: true, ssn: "secret" } });

    const [status, reply] = await tokens(provider, await codeOf(provider));

    expect(status).toBe(200);
    const keys = createRemoteJWKSet(new URL(`${provider.issuer}/keys`));
    const { payload } = await jwtVerify(reply["id_token"] ?? "", keys, { issuer: provider.issuer, audience: provider.clientId });
    expect(payload).toMatchObject({ sub: "7", nonce: "n" });
    const userinfo = await fetch(provider.userinfoEndpoint, { headers: { authorization: `Bearer ${reply["access_token"]}` } });
    expect(await userinfo.json()).toEqual({ sub: "7", email: "ada@example.com", email_verified: true });
  });

  it("refuses a wrong secret, verifier or redirect URI, and a code or refresh token that was used", async () => {
    const provider = await start();
    const good = await codeOf(provider);
    const [, reply] = await tokens(provider, good);
    const refresh = { grant_type: "refresh_token", refresh_token: reply["refresh_token"] ?? "" };
    expect((await tokens(provider, refresh))[0]).toBe(200);

    expect(await tokens(provider, { ...(await codeOf(provider)), client_secret: "wrong" })).toEqual([401, { error: "invalid_client" }]);
    for (const wrong of [
      good,
      refresh,
      { ...(await codeOf(provider)), code_verifier: "w".repeat(43) },
      { ...(await codeOf(provider)), redirect_uri: "http://evil.example/" },
    ])
      expect(await tokens(provider, wrong)).toEqual([400, { error: "invalid_grant" }]);
    expect((await fetch(provider.userinfoEndpoint, { headers: { authorization: "Bearer made-up" } })).status).toBe(401);
  });

  it("answers a browser: by a redirect, or by a form where that is asked for", async () => {
    const provider = await start();

    const redirected = await fetch(request(provider), { redirect: "manual" });
    expect(redirected.headers.get("location")).toMatch(`${CALLBACK}?code=`);
    const form = await (await fetch(request(provider, { response_mode: "form_post" }))).text();
    expect(form).toContain(`action="${CALLBACK}"`);
    expect(form).toContain('name="state" value="s"');
  });

  it("signs in whom a test says, dates by its clock, and signs logout tokens", async () => {
    const clock = createTestClock();
    const provider = await start({ clock });
    provider.signInAs({ sub: "8" });

    const [, reply] = await tokens(provider, await codeOf(provider));

    const keys = createRemoteJWKSet(new URL(`${provider.issuer}/keys`));
    const at = { currentDate: new Date(clock.now()) };
    expect((await jwtVerify(reply["id_token"] ?? "", keys, at)).payload).toMatchObject({ sub: "8", iat: clock.now() / 1000 });
    expect((await jwtVerify(await provider.logoutToken({ sub: "8" }), keys, at)).payload).toMatchObject({
      sub: "8",
      aud: provider.clientId,
    });
  });

  it("misbehaves once, several times in order, or until it is mended, and counts what it was asked", async () => {
    const provider = await start();
    const status = async () => (await fetch(`${provider.issuer}/keys`)).status;
    provider.breakOnce("keys", faults.answer(500));
    provider.breakOnce("keys", faults.busy(1));
    expect([await status(), await status(), await status()]).toEqual([500, 429, 200]);

    provider.break("keys", faults.answer(404));
    expect([await status(), await status()]).toEqual([404, 404]);
    provider.mend();
    expect(await status()).toBe(200);
    expect(provider.requests.map(({ endpoint }) => endpoint)).toEqual(Array.from({ length: 6 }, () => "keys"));
  });

  it("floods by as many bytes as it is told, in the open and compressed", async () => {
    const provider = await start();
    for (const fault of [faults.huge(3 * 1024 * 1024), faults.gzipBomb(3 * 1024 * 1024)]) {
      provider.breakOnce("keys", fault);
      expect((await (await fetch(`${provider.issuer}/keys`)).arrayBuffer()).byteLength).toBe(3 * 1024 * 1024);
    }
  });

  it("ends when it is closed, also for a request that it keeps hanging", async () => {
    const provider = await start();
    provider.break("keys", faults.hang());
    const hanging = fetch(`${provider.issuer}/keys`).catch(() => "cut");
    await expect.poll(() => provider.requests.length).toBe(1);

    await provider.close();

    expect(await hanging).toBe("cut");
  });
});

describe("a fake provider that is shown proofs (DPoP)", () => {
  const keyed = ({ issuer, clientId, clientSecret }: FakeProvider) => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return oidc({ issuer, clientId, clientSecret, dpop: { privateKey } });
  };

  it("binds tokens to the key, and takes them with a proof about the request alone", async () => {
    const provider = await start();
    const [ours, stranger] = [keyed(provider), keyed(provider)];
    const { url, session } = await beginWith(ours);
    const { tokens: got } = identityOf(await completeWith(ours, session, await provider.authorize(url)));
    const accessToken = got?.accessToken ?? "";
    const about = { method: "GET", url: provider.userinfoEndpoint, accessToken };
    const ask = async (scheme: string, proof?: string) => {
      const headers = { authorization: `${scheme} ${accessToken}`, ...(proof === undefined ? {} : { dpop: proof }) };
      return (await fetch(provider.userinfoEndpoint, { headers })).status;
    };

    expect(await ask("DPoP", await ours.dpop?.proof(about))).toBe(200);
    const refused = [
      await ask("Bearer"),
      await ask("DPoP"),
      await ask("Bearer", await ours.dpop?.proof(about)),
      await ask("DPoP", await stranger.dpop?.proof(about)),
      await ask("DPoP", await ours.dpop?.proof({ ...about, method: "POST" })),
      await ask("DPoP", await ours.dpop?.proof({ ...about, url: provider.tokenEndpoint })),
      await ask("DPoP", await ours.dpop?.proof({ ...about, accessToken: "another" })),
      await ask("DPoP", "no proof"),
    ];
    expect(refused).toEqual(refused.map(() => 401));
  });

  it("gives nothing for a code that another key began", async () => {
    const provider = await start();
    const { url, session } = await beginWith(keyed(provider));

    const outcome = await completeWith(keyed(provider), session, await provider.authorize(url));
    expect(errorOf(outcome)).toMatchObject({ code: "invalid_grant" });
  });
});
