import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider, type ClientMetadata, type Configuration } from "oidc-provider";
import { createBrowser, formIn, type Browser } from "./browser.ts";

/** A real OpenID provider on loopback, with forms that take any login. */
export interface OidcProvider {
  readonly issuer: string;
  /** Requests it got, as `POST /token`, in order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** Options of {@link startOidcProvider}. */
export interface StartOidcProviderOptions {
  /** Clients it knows. A `client_secret` left out makes a public one. */
  clients: readonly ClientMetadata[];
  /** What it says of a login beside `sub`. Default: a verified address at example.com, and the login as name. */
  claims?: (login: string) => Record<string, unknown>;
  /** The port to listen on. Default: a free one. */
  port?: number;
  /** Anything else of oidc-provider's configuration. */
  configuration?: Configuration;
}

/**
 * Starts oidc-provider in this process. PKCE, `iss` in answers, refresh tokens (scope `offline_access`), RP-initiated and
 * back-channel logout are on, pushed requests off; ID tokens carry only what OpenID Connect Core 1.0, section 5.4, puts there.
 */
export async function startOidcProvider(options: StartOidcProviderOptions): Promise<OidcProvider> {
  const { clients, claims = defaultClaims, port = 0, configuration = {} } = options;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = quietly(
    () =>
      new Provider(issuer, {
        clients: clients.map((client) => ({
          ...(client.client_secret === undefined ? { token_endpoint_auth_method: "none" as const } : {}),
          grant_types: ["authorization_code", "refresh_token"],
          ...client,
        })),
        claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "picture"] },
        findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...claims(id) }) }),
        cookies: { keys: ["for tests alone"] },
        ttl: {
          AccessToken: 3600,
          AuthorizationCode: 60,
          Grant: 86_400,
          IdToken: 3600,
          Interaction: 3600,
          RefreshToken: 86_400,
          Session: 86_400,
        },
        ...configuration,
        features: {
          devInteractions: { enabled: true },
          backchannelLogout: { enabled: true },
          pushedAuthorizationRequests: { enabled: false },
          ...configuration.features,
        },
      }),
  );
  const requests: string[] = [];
  const answer = provider.callback();
  server.on("request", (req, res) => {
    requests.push(`${req.method} ${req.url?.split("?")[0]}`);
    void answer(req, res);
  });
  return { issuer, requests, close: () => closeServer(server) };
}

/** What the provider sent back: in the URL, or as a form that the browser posts there. */
export interface ProviderAnswer {
  readonly url: string;
  readonly form: Record<string, string> | null;
}

/** Options of {@link loginAt}. */
export interface LoginOptions {
  /** The person's browser; one that was there before may not be asked again. Default: a new one. */
  browser?: Browser;
  /** Cancels instead of signing in. */
  cancel?: boolean;
}

/** Signs in with the provider's forms, as a person would, and agrees to everything. Resolves to the URL it sends the browser back to. */
export async function loginAt(
  provider: OidcProvider,
  authorizationUrl: string,
  login: string,
  options: LoginOptions = {},
): Promise<string> {
  return (await answerAt(provider, authorizationUrl, login, options)).url;
}

/** {@link loginAt}, for `response_mode=form_post` too. */
export async function answerAt(
  provider: OidcProvider,
  authorizationUrl: string,
  login: string,
  { browser = createBrowser(), cancel = false }: LoginOptions = {},
): Promise<ProviderAnswer> {
  let url = authorizationUrl;
  let response = await browser.go(url);
  for (let step = 0; step < 20; step += 1) {
    const location = response.headers.get("location");
    if (location !== null) {
      url = new URL(location, url).href;
      if (!url.startsWith(provider.issuer)) return { url, form: null };
      response = await browser.go(url);
      continue;
    }
    const html = await response.text();
    const { action, fields } = formIn(html);
    if (action !== "" && !new URL(action, url).href.startsWith(provider.issuer)) return { url: action, form: fields };
    if (!fields["prompt"]) throw new Error(`The provider answers ${response.status}: ${html.slice(0, 2000)}`);
    if (cancel) {
      url = `${url}/abort`;
      response = await browser.go(url);
    } else {
      response = await browser.submit({ url, html }, { login, password: "any" });
    }
  }
  throw new Error("The provider's forms have no end");
}

function defaultClaims(login: string): Record<string, unknown> {
  return { email: `${login}@example.com`, email_verified: true, name: login };
}

/** It prints what to mind in production, to the console. */
function quietly<T>(work: () => T): T {
  const { info, warn } = console;
  console.info = console.warn = () => {};
  try {
    return work();
  } finally {
    Object.assign(console, { info, warn });
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
