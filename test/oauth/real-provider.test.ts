import { generateKeyPairSync } from "node:crypto";
import { globalAgent } from "node:http";
import { exportJWK } from "jose";
import type { ClientMetadata, Configuration } from "oidc-provider";
import { afterEach, describe, expect, it } from "vitest";
import { runStrategy } from "../../lib/core/run-strategy.ts";
import { oidc, type OidcOptions } from "../../strategies/oidc.ts";
import { createBrowser } from "../support/browser.ts";
import { answerAt, startOidcProvider, type OidcProvider, type StartOidcProviderOptions } from "../support/oidc-provider.ts";
import { beginWith, CALLBACK, completeWith, identityOf } from "../support/strategy-run.ts";

const SECRET = "a client secret of the tests alone";
const REDIRECT = { redirect_uris: [CALLBACK], post_logout_redirect_uris: ["http://app.localhost:3000/"] };
const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" });
const PEM = KEY.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

const closing: OidcProvider[] = [];
afterEach(async () => {
  for (const provider of closing.splice(0)) await provider.close();
});

async function start(options: StartOidcProviderOptions): Promise<OidcProvider> {
  const provider = await startOidcProvider(options);
  closing.push(provider);
  return provider;
}

/** The forms of client authentication: how a client is registered, how the strategy is set up, and what a token request then looks like. */
const FORMS: readonly {
  readonly method: NonNullable<ClientMetadata["token_endpoint_auth_method"]>;
  readonly registered: () => Promise<Partial<ClientMetadata>>;
  readonly options: Partial<OidcOptions>;
  readonly shown: Readonly<Record<string, unknown>>;
}[] = [
  {
    method: "client_secret_basic",
    registered: async () => ({ client_secret: SECRET }),
    options: { clientSecret: SECRET },
    shown: { authorization: expect.stringMatching(/^Basic /), secret: null, assertion: null },
  },
  {
    method: "client_secret_post",
    registered: async () => ({ client_secret: SECRET }),
    options: { clientSecret: SECRET },
    shown: { authorization: null, secret: SECRET, assertion: null },
  },
  {
    method: "private_key_jwt",
    registered: async () => ({
      token_endpoint_auth_signing_alg: "ES256",
      jwks: { keys: [{ ...(await exportJWK(KEY.publicKey)), kid: "ours", alg: "ES256", use: "sig" }] as never },
    }),
    options: { clientAuthentication: { privateKey: PEM, kid: "ours" } },
    shown: { authorization: null, secret: null, assertion: expect.stringMatching(/^eyJ/) },
  },
  {
    method: "none",
    registered: async () => ({}),
    options: { clientSecret: null },
    shown: { authorization: null, secret: null, assertion: null },
  },
];

describe.each(FORMS)("a client of a real provider, by $method", ({ method, registered, options, shown }) => {
  it.each([
    ["query", false],
    ["query", true],
    ["form_post", false],
    ["form_post", true],
  ] as const)("signs in by code and PKCE, answered by %s, with requests pushed: %s", async (responseMode, pushed) => {
    const configuration: Configuration = {
      clientAuthMethods: [method],
      pkce: { required: () => true },
      rotateRefreshToken: true,
      features: { pushedAuthorizationRequests: { enabled: pushed, requirePushedAuthorizationRequests: pushed } },
    };
    const client = { client_id: "app", token_endpoint_auth_method: method, ...(await registered()), ...REDIRECT };
    const provider = await start({ clients: [client], configuration });
    const shownToToken: unknown[] = [];
    const strategy = oidc({
      issuer: provider.issuer,
      clientId: "app",
      responseMode,
      scope: ["openid", "email", "profile", "offline_access"],
      prompt: "consent",
      fetch: async (url, init) => {
        if (url.endsWith("/token")) {
          const form = new URLSearchParams(await new Response(init.body ?? null).text());
          const authorization = new Headers(init.headers).get("authorization");
          shownToToken.push({ authorization, secret: form.get("client_secret"), assertion: form.get("client_assertion") });
        }
        return fetch(url, init);
      },
      ...options,
    });
    const browser = createBrowser();

    const { url, session } = await beginWith(strategy);
    const answer = await answerAt(provider, url, "ada", { browser });
    let callback = answer.url;
    if (responseMode === "form_post") {
      const req = { method: "POST", headers: {}, body: answer.form ?? {} };
      const posted = await runStrategy(strategy, { req, session: {} }, { callbackURL: CALLBACK });
      callback = posted.kind === "redirect" ? posted.url : "";
    }
    const identity = identityOf(await completeWith(strategy, session, callback));

    expect(identity).toMatchObject({ subject: "ada", email: "ada@example.com", emailVerified: true, name: "ada" });
    expect(identity.providerSessionId).toBeNull();
    expect(provider.requests).toContain("GET /me");
    expect(provider.requests.includes("POST /request")).toBe(pushed);
    expect(new URL(url).searchParams.has("code_challenge")).toBe(!pushed);

    const { tokens } = identity;
    if (!tokens) throw new Error("no tokens");
    const second = await strategy.refresh(tokens);
    const third = await strategy.refresh(second);
    expect(new Set([tokens, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
    expect(new Set([tokens, second, third].map(({ accessToken }) => accessToken)).size).toBe(3);
    await expect(strategy.refresh(tokens)).rejects.toMatchObject({ code: "invalid_grant" });
    expect(shownToToken).toEqual([shown, shown, shown, shown]);

    const end = await strategy.endSessionUrl({ idToken: third.idToken, returnTo: "http://app.localhost:3000/", state: "here" });
    const page = await browser.go(end ?? "");
    const away = await browser.submit({ url: end ?? "", html: await page.text() }, { logout: "yes" });
    expect(away.headers.get("location")).toBe("http://app.localhost:3000/?state=here");
  });
});

describe("a real provider that changes its keys", () => {
  const signingKey = async (kid: string) => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    return { ...(await exportJWK(privateKey)), kid, use: "sig", alg: "RS256" };
  };

  it("rule 29: is followed at once, when the old key is withdrawn too, and asked once for them", async () => {
    const clients = [{ client_id: "app", client_secret: SECRET, ...REDIRECT }];
    const [before, after] = [await signingKey("before"), await signingKey("after")];
    const first = await start({ clients, configuration: { jwks: { keys: [before] } } });
    const strategy = oidc({ issuer: first.issuer, clientId: "app", clientSecret: SECRET });
    const signIn = async (provider: OidcProvider) => {
      const { url, session } = await beginWith(strategy);
      return identityOf(await completeWith(strategy, session, (await answerAt(provider, url, "ada")).url)).subject;
    };
    expect(await signIn(first)).toBe("ada");
    await first.close();
    // Connections that browsers and servers keep open: the new provider is at the old one's place.
    globalAgent.destroy();
    await expect.poll(() => fetch(first.issuer).catch(() => "closed")).toBe("closed");

    const second = await start({ clients, port: Number(new URL(first.issuer).port), configuration: { jwks: { keys: [after] } } });
    expect(await signIn(second)).toBe("ada");
    expect(await signIn(second)).toBe("ada");

    expect(second.requests.filter((request) => request === "GET /jwks")).toHaveLength(1);
  });
});
