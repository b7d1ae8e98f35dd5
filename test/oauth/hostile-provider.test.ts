import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CompactSign } from "jose";
import type { AuthError } from "../../lib/errors.ts";
import { fakeProvider, faults, forgeries, signedBy, type Changes, type FakeEndpoint, type FakeProvider, type FakeProviderOptions, type Fault, type Signer } from "../../lib/testing/provider/index.ts"; // prettier-ignore
import { oauth2 } from "../../strategies/oauth2.ts";
import { asked, relyingParty, signIn } from "../conformance-rp/relying-party.ts";
import { beginWith, CALLBACK, completeWith, errorOf, identityOf } from "../support/strategy-run.ts";

const closing: FakeProvider[] = [];

async function start(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const provider = await fakeProvider({ clientSecret: SECRET, ...options });
  closing.push(provider);
  return provider;
}

const SECRET = "a client secret of the tests alone";
/** What is left, ms, of the five seconds of a request whose fault has begun: honest ones have all of them. */
const DEADLINE = 250;
/** The five seconds under way. */
let deadlines = new Set<AbortController>();

beforeEach(() => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    // openid-client's own, which never come first.
    if (ms !== 5000) return timeout(ms);
    const controller = new AbortController();
    deadlines.add(controller);
    setTimeout(() => runOut(controller), ms).unref();
    return controller.signal;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  deadlines = new Set();
  for (const provider of closing.splice(0)) await provider.close();
});

function runOut(deadline: AbortController): void {
  deadline.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
}

/** A fault that has the time run out soon after it began, and says when that was. */
function hurried(fault: Fault): { fault: Fault; took: () => number } {
  let begun = Infinity;
  const timed: Fault = (...call) => {
    const underWay = deadlines;
    begun = performance.now();
    setTimeout(() => underWay.forEach(runOut), DEADLINE);
    return fault(...call);
  };
  return { fault: timed, took: () => performance.now() - begun };
}

/** What went wrong in a sign-in, at whichever step. */
async function failureOf(provider: FakeProvider, strategy = relyingParty(provider)): Promise<AuthError> {
  const begun = await beginWith(strategy).catch((error: unknown) => (error as Error).cause as AuthError);
  if (begun instanceof Error) return begun;
  return errorOf(await completeWith(strategy, begun.session, await provider.authorize(begun.url)));
}

/** All that a log could say of an error. */
function everything(error: unknown): string {
  const layers: string[] = [];
  for (let layer: unknown = error; layer instanceof Error; layer = layer.cause)
    layers.push(JSON.stringify([layer.message, layer.stack, Object.entries(layer)]));
  return layers.join("\n");
}

const UNAVAILABLE = { code: "provider_unavailable", status: 502 };
const INVALID = { code: "invalid_provider_response", status: 502 };

const ENDPOINTS: readonly FakeEndpoint[] = ["discovery", "pushed", "token", "keys", "userinfo"];
const FAULTS: readonly (readonly [string, Fault, object])[] = [
  ["never answers", faults.hang(), UNAVAILABLE],
  ["answers one byte at a time", faults.drip(0.02), UNAVAILABLE],
  ["resets the connection", faults.reset(), UNAVAILABLE],
  ["cuts its answer in the middle", faults.cut(), UNAVAILABLE],
  ["is too busy", faults.busy(30), { ...UNAVAILABLE, retryAfter: 30 }],
  ["is too busy for a year", faults.busy(365 * 86_400), { ...UNAVAILABLE, retryAfter: 3600 }],
  ["answers 500", faults.answer(500, "<h1>Oops</h1>", { "content-type": "text/html" }), UNAVAILABLE],
  ["answers 503 in JSON", faults.answer(503, { error: "temporarily_unavailable" }), UNAVAILABLE],
  ["answers 404", faults.answer(404, "gone"), INVALID],
  ["answers a page", faults.page(), INVALID],
  ["answers what is no JSON", faults.garbage(), INVALID],
  ["answers nothing", faults.answer(200), INVALID],
  ["answers a list", faults.answer(200, []), INVALID],
  ["answers null", faults.answer(200, null), INVALID],
  ["redirects into the network behind us", faults.redirect("http://169.254.169.254/latest/meta-data/"), INVALID],
  ["redirects to a file", faults.redirect("file:///etc/passwd"), INVALID],
  ["answers without an end", faults.huge(64 * 1024 * 1024), INVALID],
  ["answers with a gzip bomb", faults.gzipBomb(256 * 1024 * 1024), INVALID],
];

describe.each(ENDPOINTS)("a provider whose %s endpoint", (endpoint) => {
  it.each(FAULTS)("rule 43: %s, is refused in time", async (_, fault, expected) => {
    const provider = await start({ pushedRequests: endpoint === "pushed" });
    const { fault: timed, took } = hurried(fault);
    provider.break(endpoint, timed);

    const error = await failureOf(provider);

    expect(error).toMatchObject(expected);
    expect(took()).toBeLessThan(DEADLINE + 1500);
    expect(everything(error)).not.toContain(SECRET);
    // Once: nothing is tried again behind somebody's back.
    expect(asked(provider).filter((each) => each === endpoint)).toHaveLength(1);
  });

  it("rule 43: is only slow, is waited for", async () => {
    const provider = await start({ pushedRequests: true });
    provider.break(endpoint, faults.slow(0.05));

    expect(identityOf(await signIn(provider)).subject).toBe("ada");
  });
});

describe("an ID token", () => {
  const hour = 3600;
  const soon = () => Math.floor(Date.now() / 1000);

  it.each<[string, (claims: Record<string, unknown>) => Record<string, unknown>]>([
    ["of another issuer", () => ({ iss: "https://another.example" })],
    ["of the same issuer with a slash", ({ iss }) => ({ iss: `${String(iss)}/` })],
    ["for another audience", () => ({ aud: "another" })],
    ["for nobody", () => ({ aud: [] })],
    ["for us and others, without azp", ({ aud }) => ({ aud: [aud, "another"] })],
    ["for us and others, made for another", ({ aud }) => ({ aud: [aud, "another"], azp: "another" })],
    ["for us, made for another", () => ({ azp: "another" })],
    ["with another nonce", () => ({ nonce: "x".repeat(43) })],
    ["without a nonce", () => ({ nonce: undefined })],
    ["with a nonce that is a list", ({ nonce }) => ({ nonce: [nonce] })],
    ["without a subject", () => ({ sub: undefined })],
    ["with an empty subject", () => ({ sub: "" })],
    ["with a subject that is a number", () => ({ sub: 7 })],
    ["with a subject of 256 characters", () => ({ sub: "x".repeat(256) })],
    ["that expired an hour ago", () => ({ exp: soon() - hour })],
    ["without an expiry", () => ({ exp: undefined })],
    ["with an expiry that is a text", () => ({ exp: "2999-01-01" })],
    ["that is not valid before an hour from now", () => ({ nbf: soon() + hour })],
    ["issued in an hour", () => ({ iat: soon() + hour, exp: soon() + 2 * hour })],
    ["without an iat", () => ({ iat: undefined })],
    ["of another access token", () => ({ at_hash: "x".repeat(22) })],
    ["of an access token that is a number", () => ({ at_hash: 7 })],
  ])("rule 24: %s, is refused", async (_, change) => {
    const provider = await start();
    provider.change({ idToken: (claims) => ({ ...claims, ...change(claims) }) });

    expect(await failureOf(provider)).toMatchObject(INVALID);
    expect(asked(provider)).not.toContain("userinfo");
  });

  it.each<[string, (claims: Record<string, unknown>) => Record<string, unknown>]>([
    ["issued by a clock two minutes ahead", () => ({ iat: soon() + 120 })],
    ["for a list of us alone", ({ aud }) => ({ aud: [aud] })],
    ["made for us", ({ aud }) => ({ azp: aud })],
    ["for us and others, made for us", ({ aud }) => ({ aud: [aud, "another"], azp: aud })],
    ["with claims that nobody knows", () => ({ __proto__: { polluted: true }, constructor: { x: 1 }, huge: "x".repeat(100_000) })],
  ])("%s, is taken", async (_, change) => {
    const provider = await start();
    provider.change({ idToken: (claims) => ({ ...claims, ...change(claims) }) });

    expect(identityOf(await signIn(provider)).subject).toBe("ada");
  });

  it.each<[string, Signer]>([
    ["by nobody", forgeries.unsigned()],
    ["by HS256 with the public key", forgeries.publicKeyAsSecret()],
    ["by HS256 with the client's secret", forgeries.clientSecret(SECRET)],
    ["by a stranger under the provider's key id", forgeries.stranger()],
    ["by a key that it brings along", forgeries.ownKey()],
    ["by a key elsewhere", forgeries.ownKey("http://127.0.0.1:1/keys")],
    ["before its claims were changed", forgeries.changed({ name: "Mallory" })],
    ["under an unknown key id", signedBy({ kid: "unknown" })],
    ["under a key id that is a path", signedBy({ kid: "../../keys" })],
    [
      "with an extension that must be understood",
      async (claims, key) =>
        (await signedBy({})(claims, key)).replace(
          /^[^.]+/,
          Buffer.from(JSON.stringify({ alg: key.alg, kid: key.kid, crit: ["exp"], exp: 1 })).toString("base64url"),
        ),
    ],
    ["as something else than a JWT", async () => "not.a.token"],
    ["in five parts", async (claims, key) => `${await signedBy()(claims, key)}.x.y`],
  ])("rule 29: signed %s, is refused, whatever the provider advertises", async (_, signer) => {
    for (const algorithms of [["ES256"], ["none", "HS256", "ES256"]]) {
      const provider = await start();
      provider.change({ metadata: (said) => ({ ...said, id_token_signing_alg_values_supported: algorithms }) });
      provider.signIdTokens(signer);

      expect(await failureOf(provider)).toMatchObject(INVALID);
      expect(asked(provider)).not.toContain("userinfo");
    }
  });

  it("rule 29: of an unknown key has the keys fetched again once, not more, and signs in when they were rotated", async () => {
    const provider = await start();
    const strategy = relyingParty(provider);
    identityOf(await signIn(provider, strategy));
    provider.signIdTokens(signedBy({ kid: "unknown" }));
    expect(errorOf(await signIn(provider, strategy))).toMatchObject(INVALID);
    expect(asked(provider).filter((endpoint) => endpoint === "keys")).toHaveLength(2);

    provider.mend();
    await provider.rotateKeys();
    expect(identityOf(await signIn(provider, strategy)).subject).toBe("ada");
    expect(asked(provider).filter((endpoint) => endpoint === "keys")).toHaveLength(3);
  });

  it("rule 29: of a key that the provider withdrew is refused, once the keys are five minutes old", async () => {
    const provider = await start();
    const strategy = relyingParty(provider);
    identityOf(await signIn(provider, strategy));
    const withdrawn = signedBy();
    let old: Parameters<Signer>[1] | null = null;
    provider.signIdTokens(async (claims, key) => withdrawn(claims, (old ??= key)));
    identityOf(await signIn(provider, strategy));
    await provider.rotateKeys();
    const now = Date.now();
    vi.spyOn(Date, "now").mockImplementation(() => now + 301_000);
    provider.change({ idToken: (claims) => ({ ...claims, iat: Math.floor(now / 1000), exp: Math.floor(now / 1000) + 3600 }) });

    expect(errorOf(await signIn(provider, strategy))).toMatchObject(INVALID);
  });
});

describe("two members of one name", () => {
  const twice = (first: string, last: string) => `{"sub":"${first}","email":"ada@example.com","sub":"${last}"}`;

  /** Signs claims as a text that says `sub` twice over. */
  const saying =
    (first: string, last: string): Signer =>
    async (claims, { alg, kid, privateKey }) => {
      const text = JSON.stringify({ ...claims, sub: "" }).replace('"sub":""', `"sub":"${first}","sub":"${last}"`);
      return new CompactSign(Buffer.from(text)).setProtectedHeader({ alg, kid }).sign(privateKey);
    };

  it("rule 25: in userinfo, count by the last, as JSON.parse has it: that is held against the ID token", async () => {
    for (const [first, last] of [
      ["mallory", "ada"],
      ["ada", "mallory"],
    ] as const) {
      const provider = await start();
      provider.break("userinfo", faults.answer(200, twice(first, last), { "content-type": "application/json" }));
      const outcome = await signIn(provider);

      if (last === "ada") expect(identityOf(outcome)).toMatchObject({ subject: "ada", email: "ada@example.com" });
      else expect(errorOf(outcome)).toMatchObject(INVALID);
    }
  });

  it("rule 24: in an ID token, count by the last for all who read it, so that nobody is one person here and another there", async () => {
    const provider = await start();
    provider.signIdTokens(saying("ada", "mallory"));
    // Userinfo is about Ada.
    expect(await failureOf(provider)).toMatchObject(INVALID);
    provider.signIdTokens(saying("mallory", "ada"));
    expect(identityOf(await signIn(provider)).subject).toBe("ada");
  });
});

describe("a session's name at the provider", () => {
  it.each([[7], [""], [["a"]], ["x".repeat(256)], [{}], [undefined]])("rule 40: is not kept when it is %j", async (sid) => {
    const provider = await start();
    provider.change({ idToken: (claims) => ({ ...claims, sid }) });

    expect(identityOf(await signIn(provider)).providerSessionId).toBeNull();
  });

  it("is kept as it is otherwise", async () => {
    const provider = await start();
    provider.change({ idToken: (claims) => ({ ...claims, sid: "x".repeat(255) }) });

    expect(identityOf(await signIn(provider)).providerSessionId).toBe("x".repeat(255));
  });
});

describe("the answer to a pushed request", () => {
  it.each([
    ["without request_uri", { expires_in: 60 }],
    ["with a number for request_uri", { request_uri: 7, expires_in: 60 }],
    ["with an expiry that is a word", { request_uri: "urn:x", expires_in: "soon" }],
    ["with an error under 201", { error: "invalid_request" }],
  ])("rule 40: %s, is refused", async (_, body) => {
    const provider = await start({ pushedRequests: true });
    provider.break("pushed", faults.answer(201, body));

    expect(await failureOf(provider)).toMatchObject(INVALID);
  });

  it("rule 28: that repeats our secret has it told to nobody", async () => {
    const provider = await start({ pushedRequests: true });
    provider.break("pushed", faults.answer(401, { error: "invalid_client", error_description: `not ${SECRET}` }));

    const error = await failureOf(provider);

    expect(error).toMatchObject({ code: "provider_error", status: 502 });
    expect(everything(error)).not.toContain(SECRET);
  });
});

describe("what a provider says of a person", () => {
  it.each<[string, Record<string, unknown>, object]>([
    ["another subject", { sub: "admin" }, INVALID],
    ["no subject", { sub: undefined }, INVALID],
    ["a subject that is a list", { sub: ["ada"] }, INVALID],
  ])("rule 25: is refused with %s in userinfo", async (_, change, expected) => {
    const provider = await start();
    provider.change({ userinfo: (claims) => ({ ...claims, ...change }) });

    expect(await failureOf(provider)).toMatchObject(expected);
  });

  it.each([["true"], [1], [["true"]], [null], [undefined]])(
    "rule 26: is no verified address for email_verified %j",
    async (email_verified) => {
      const provider = await start();
      provider.change({ userinfo: (claims) => ({ ...claims, email_verified }) });

      expect(identityOf(await signIn(provider))).toMatchObject({ email: "ada@example.com", emailVerified: false });
    },
  );

  it("rule 26: is not verified by one source for the address of another", async () => {
    const provider = await start();
    provider.change({
      idToken: (claims) => ({ ...claims, email_verified: true }),
      userinfo: (claims) => ({ ...claims, email: "victim@example.com", email_verified: undefined }),
    });

    expect(identityOf(await signIn(provider))).toMatchObject({ email: "victim@example.com", emailVerified: false });
  });

  it("rule 28: is text or nothing", async () => {
    const provider = await start();
    provider.change({ userinfo: ({ sub }) => ({ sub, name: { a: 1 }, email: ["x@example.com"], email_verified: true, picture: "javascript:alert(1)" }) }); // prettier-ignore

    expect(identityOf(await signIn(provider))).toMatchObject({ name: null, email: null, emailVerified: false, image: null });
  });
});

describe("the answer that comes back through the browser", () => {
  it.each<[string, Changes["authorization"]]>([
    ["of another provider, by its iss", (said) => ({ ...said, iss: "https://another.example" })],
    ["without the iss that the provider advertises", ({ iss: _, ...said }) => said],
    ["with neither code nor error", ({ code: _, ...said }) => ({ ...said, error: "" })],
  ])("rule 24: %s, is refused before its code goes anywhere", async (_, authorization) => {
    const provider = await start();
    provider.change({ authorization });

    expect(await failureOf(provider)).toMatchObject(INVALID);
    expect(asked(provider)).not.toContain("token");
  });

  it("rule 24: of a provider that mixes itself up with another brings that one's code to neither", async () => {
    const [honest, attacker] = [await start(), await start()];
    const strategy = relyingParty(attacker);
    // The attacker's authorization endpoint is the honest one's, for a code to be shown to the attacker's token endpoint.
    attacker.change({ metadata: (said) => ({ ...said, authorization_endpoint: honest.authorizationEndpoint }) });
    const { url, session } = await beginWith(strategy);

    expect(errorOf(await completeWith(strategy, session, await honest.authorize(url)))).toMatchObject(INVALID);
    expect(asked(attacker)).toEqual(["discovery"]);
  });

  it("rule 23: twice over is refused rather than chosen from", async () => {
    const provider = await start();
    const strategy = relyingParty(provider);
    const { url, session } = await beginWith(strategy);
    const answer = new URL(await provider.authorize(url));
    const query = `${answer.search.slice(1)}&code=another`;
    const { runStrategy } = await import("../../lib/core/run-strategy.ts");
    const req = { method: "GET", url: `/callback?${query}`, headers: {} };

    expect(errorOf(await runStrategy(strategy, { req, session }, { callbackURL: CALLBACK }))).toMatchObject(INVALID);
    expect(asked(provider)).not.toContain("token");
  });

  it.each(["access_denied", "login_required"])("rule 28: with the error %s is the person's, in our words", async (error) => {
    const provider = await start();
    provider.change({ authorization: ({ code: _, ...said }) => ({ ...said, error, error_description: "<b>call 555-0100</b>" }) });

    const failure = await failureOf(provider);

    expect(failure).toMatchObject({ code: error, status: 401 });
    expect(failure.message).not.toMatch(/555/);
  });
});

describe("the metadata of a provider", () => {
  it.each<[string, Record<string, unknown>]>([
    ["a script", { authorization_endpoint: "javascript:alert(1)" }],
    ["plain http elsewhere", { authorization_endpoint: "http://evil.example/authorize" }],
    ["what is no URL", { authorization_endpoint: "//evil" }],
    ["nothing", { authorization_endpoint: undefined }],
  ])("rule 39: sends no browser to %s", async (_, change) => {
    const provider = await start();
    provider.change({ metadata: (said) => ({ ...said, ...change }) });

    expect((await failureOf(provider)).status).toBe(502);
  });

  it.each<[string, Record<string, unknown>]>([
    ["a file", { token_endpoint: "file:///etc/passwd" }],
    ["plain http in the network behind us", { token_endpoint: "http://10.0.0.1/token" }],
    ["plain http at the cloud's metadata", { jwks_uri: "http://169.254.169.254/latest" }],
    ["what is no URL, for userinfo", { userinfo_endpoint: 7 }],
    ["no keys", { jwks_uri: undefined }],
    ["no token endpoint", { token_endpoint: undefined }],
  ])("rule 42: has no request sent to %s", async (_, change) => {
    const provider = await start();
    provider.change({ metadata: (said) => ({ ...said, ...change }) });
    const fetched: string[] = [];
    const strategy = relyingParty(provider, { fetch: (url, init) => (fetched.push(url), fetch(url, init)) });

    expect((await failureOf(provider, strategy)).status).toBe(502);
    expect(fetched.filter((url) => !url.startsWith(provider.issuer))).toEqual([]);
  });
});

describe("the end of a session at the provider", () => {
  it.each(["javascript:alert(1)", "http://evil.example/logout", "file:///etc/passwd"])("rule 39: leads no browser to %s", async (end) => {
    const provider = await start();
    provider.change({ metadata: (said) => ({ ...said, end_session_endpoint: end }) });

    await expect(relyingParty(provider).endSessionUrl({ idToken: null })).rejects.toMatchObject({ status: 502 });
  });
});

describe("a logout token", () => {
  it("rule 29: is read by the keys that ID tokens are checked by", async () => {
    const provider = await start();
    const strategy = relyingParty(provider);
    identityOf(await signIn(provider, strategy));

    expect(await strategy.readLogoutToken(await provider.logoutToken({ sid: "one" }))).toMatchObject({ sessionId: "one" });
    expect(asked(provider).filter((endpoint) => endpoint === "keys")).toHaveLength(1);
  });

  it.each([
    ["never answer", faults.hang(), UNAVAILABLE],
    ["answer 503", faults.answer(503), UNAVAILABLE],
    ["answer garbage", faults.garbage(), INVALID],
    ["answer a page", faults.page(), INVALID],
  ])("rule 45: is not called wrong while the provider's keys %s, so that it is sent again", async (_, fault, expected) => {
    const provider = await start();
    const strategy = relyingParty(provider);
    const token = await provider.logoutToken({ sub: "ada" });
    provider.breakOnce("keys", hurried(fault).fault);

    await expect(strategy.readLogoutToken(token)).rejects.toMatchObject(expected);
    expect(await strategy.readLogoutToken(token)).toMatchObject({ subject: "ada" });
  });

  it("rule 43: of unknown keys, which anybody can make up, has the keys fetched once", async () => {
    const provider = await start();
    const strategy = relyingParty(provider);
    provider.signIdTokens(signedBy({ kid: "made up" }));

    for (let count = 0; count < 10; count += 1)
      await expect(strategy.readLogoutToken(await provider.logoutToken({ sub: "ada" }))).rejects.toMatchObject({
        code: "invalid_logout_token",
      });

    expect(asked(provider).filter((endpoint) => endpoint === "keys")).toHaveLength(1);
  });
});

describe("the reply of a token endpoint", () => {
  it.each<[string, Record<string, unknown>]>([
    ["without an access token", { access_token: undefined }],
    ["with an access token that is a number", { access_token: 7 }],
    ["with an empty access token", { access_token: "" }],
    ["without an ID token", { id_token: undefined }],
    ["with an ID token that is an object", { id_token: {} }],
    ["with tokens of an unknown type", { token_type: "mac" }],
    ["with a refresh token that is a list", { refresh_token: ["x"] }],
    ["with a scope that is a number", { scope: 7 }],
    ["with an expiry that is a word", { expires_in: "soon" }],
  ])("rule 40: %s, is refused", async (_, change) => {
    const provider = await start();
    provider.change({ tokens: (reply) => ({ ...reply, ...change }) });

    expect(await failureOf(provider)).toMatchObject(INVALID);
  });

  it.each([1e300, "1e300", Number.MAX_SAFE_INTEGER])(
    "rule 40: that says it holds for %s seconds, holds for a hundred years",
    async (expires_in) => {
      const provider = await start();
      provider.change({ tokens: (reply) => ({ ...reply, expires_in }) });

      const expiresAt = identityOf(await signIn(provider)).tokens?.accessTokenExpiresAt ?? 0;

      expect(Number.isSafeInteger(expiresAt)).toBe(true);
      expect(new Date(expiresAt).getUTCFullYear()).toBeGreaterThan(2100);
    },
  );

  it.each<[string, (code: string) => Fault]>([
    [
      "in its error_description",
      (code) => faults.answer(400, { error: "invalid_client", error_description: `the secret ${SECRET} of ${code} is wrong` }),
    ],
    [
      "in its error_description, as a form",
      (code) => faults.answer(400, { error: "invalid_client", error_description: `client_secret=${SECRET}&code=${code}` }),
    ],
    ["in its error", (code) => faults.answer(400, { error: `bad_${SECRET}_${code}` })],
    [
      "in its error_uri and beside",
      (code) =>
        faults.answer(400, {
          error: "invalid_request",
          error_uri: `https://x.example/?${SECRET}${code}`,
          access_token: "a-live-access-token",
          id_token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
        }),
    ],
    ["in a text", (code) => faults.answer(500, `Traceback: ${SECRET} ${code}`)],
    [
      "in a challenge",
      (code) => faults.answer(401, { error: "invalid_client" }, { "www-authenticate": `Basic realm="${SECRET} ${code}"` }),
    ],
    [
      "of a token that it gave to somebody",
      () =>
        faults.answer(400, {
          error: "invalid_grant",
          error_description: "Bearer a-live-access-token or eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln",
        }),
    ],
    ["in headers", (code) => faults.answer(400, { error: "invalid_grant" }, { "x-debug": `${SECRET} ${code}` })],
  ])("rule 28: that repeats a secret %s, has it told to nobody", async (_, fault) => {
    const provider = await start();
    const strategy = relyingParty(provider);
    const { url, session } = await beginWith(strategy);
    const callback = await provider.authorize(url);
    const code = new URL(callback).searchParams.get("code") ?? "";
    provider.break("token", fault(code));

    const error = errorOf(await completeWith(strategy, session, callback));

    expect(error.status).toBe(502);
    for (const secret of [SECRET, encodeURIComponent(SECRET), code, "a-live-access-token", "eyJzdWIiOiJhIn0"])
      expect(everything(error)).not.toContain(secret);
  });
});

describe("a provider of plain OAuth 2", () => {
  const plain = (provider: FakeProvider) =>
    oauth2<{ sub: string }>(
      {
        name: "plain",
        authorizationEndpoint: provider.authorizationEndpoint,
        tokenEndpoint: provider.tokenEndpoint,
        userinfoEndpoint: provider.userinfoEndpoint,
        scope: ["profile"],
        profile: ({ sub }) => ({ subject: sub }),
      },
      { clientId: provider.clientId, clientSecret: provider.clientSecret },
    );
  const attempt = async (provider: FakeProvider) => {
    const { url, session } = await beginWith(plain(provider));
    return completeWith(plain(provider), session, await provider.authorize(url));
  };

  it("signs in", async () => {
    expect(identityOf(await attempt(await start())).subject).toBe("ada");
  });

  describe.each(["token", "userinfo"] as const)("whose %s endpoint", (endpoint) => {
    it.each(FAULTS)("rule 43: %s, is refused in time", async (_, fault, expected) => {
      const provider = await start();
      const { fault: timed, took } = hurried(fault);
      provider.break(endpoint, timed);

      const error = errorOf(await attempt(provider));

      expect(error).toMatchObject(expected);
      expect(took()).toBeLessThan(DEADLINE + 1500);
      expect(everything(error)).not.toContain(SECRET);
      expect(asked(provider).filter((each) => each === endpoint)).toHaveLength(1);
    });

    it("rule 43: names no Retry-After when the provider names none", async () => {
      const provider = await start();
      provider.break(endpoint, faults.answer(429, "slow down"));

      const error = errorOf(await attempt(provider));

      expect([error.code, error.retryAfter]).toEqual(["provider_unavailable", undefined]);
    });
  });

  it.each([
    ["seconds", { "retry-after": "65" }, 65],
    ["a date", { "retry-after": "Sun, 06 Nov 1994 08:51:07 GMT", date: "Sun, 06 Nov 1994 08:49:37 GMT" }, 90],
  ])(
    "rule 43: is left alone at a refresh for as long as it says in %s, with JSON that is no error of OAuth",
    async (_, headers: Record<string, string>, seconds) => {
      const provider = await start();
      provider.break("token", faults.answer(429, { message: "You are being rate limited.", retry_after: 64.57 }, headers));
      const tokens = {
        accessToken: "at",
        refreshToken: "rt",
        idToken: null,
        accessTokenExpiresAt: 1,
        refreshTokenExpiresAt: null,
        scope: null,
      };

      await expect(plain(provider).refresh(tokens)).rejects.toMatchObject({ ...UNAVAILABLE, retryAfter: seconds });
    },
  );
});
