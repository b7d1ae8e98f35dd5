import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock, type Clock } from "../../clock.ts";
import { randomToken } from "../../crypto/random.ts";
import { escapeHtml } from "../../escape-html.ts";
import { createAnswers, type Changes, type ShownToken } from "./answers.ts";
import type { FakeEndpoint, Fault } from "./faults.ts";
import { GrantRefusal, type FakeUser } from "./grants.ts";
import { keyOfProof } from "./proofs.ts";
import { createSigningKey, signedBy, type Signer, type SigningKey } from "./signing.ts";

/** Options of {@link fakeProvider}. */
export interface FakeProviderOptions {
  /** The one client that it knows. Default: `client`. */
  clientId?: string | undefined;
  /** Its secret; `null` for a public client. Default: a text made for this provider. */
  clientSecret?: string | null | undefined;
  /** Who signs in until {@link FakeProvider.signInAs} says otherwise. Default: Ada, with a verified address. */
  user?: FakeUser | undefined;
  /** Whether it takes pushed authorization requests. Default: false. */
  pushedRequests?: boolean | undefined;
  /** What ID tokens are signed with. Default: ES256, whose keys are made in no time. */
  algorithm?: "RS256" | "ES256" | undefined;
  /** What its tokens are dated by. Default: the machine's clock, which ID tokens are judged by unless the strategy has another. */
  clock?: Clock | undefined;
}

/** A request that a fake provider got. */
export interface FakeProviderRequest {
  readonly endpoint: FakeEndpoint;
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  /** Of the query, or of the form. */
  readonly parameters: URLSearchParams;
}

/** An OpenID and OAuth provider on loopback that does as it is told. */
export interface FakeProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  /** Where its endpoints are, for a provider that is given as data. */
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly userinfoEndpoint: string;
  /** Requests that came, in order. */
  readonly requests: readonly FakeProviderRequest[];
  /** Connections open at this moment. */
  connections(): number;
  /** Who agrees at the provider from now on. */
  signInAs(user: FakeUser): void;
  /** Goes to the provider and agrees: the URL that the browser is sent back to. A form that it would send is in its query. */
  authorize(authorizationUrl: string): Promise<string>;
  /** Has an endpoint misbehave until {@link FakeProvider.mend}. */
  break(endpoint: FakeEndpoint, fault: Fault): void;
  /** Has an endpoint misbehave once; after that it is as it was. Several are used up in order. */
  breakOnce(endpoint: FakeEndpoint, fault: Fault): void;
  /** Changes what is said, in parts, from now on. An `undefined` part is said as it is again. */
  change(changes: Changes): void;
  /** Signs ID tokens otherwise from now on. Default, without an argument: as it should be. */
  signIdTokens(signer?: Signer): void;
  /** Signs with a new key from now on. Whether the old one stays published is `keep`. Default: it does not. */
  rotateKeys(options?: { keep?: boolean }): Promise<void>;
  /** A logout token about a session or a person, signed as ID tokens are. `claims` go over the ones it has. */
  logoutToken(claims: Readonly<Record<string, unknown>>): Promise<string>;
  /** Honest again, in everything. */
  mend(): void;
  close(): Promise<void>;
}

const PATHS: Readonly<Record<string, FakeEndpoint>> = {
  "/.well-known/openid-configuration": "discovery",
  "/keys": "keys",
  "/authorize": "authorization",
  "/push": "pushed",
  "/token": "token",
  "/userinfo": "userinfo",
  "/logout": "endSession",
};

/** Requests beyond this many bytes are cut off. */
const MAX_FORM = 256 * 1024;

/**
 * Starts an OpenID and OAuth provider on a free port of this machine, for tests: honest by default, and scripted to go wrong in each of
 * the ways that providers do. It checks what it is sent: the client's secret, codes that count once, PKCE, the redirect URI, proofs (DPoP).
 * Everybody agrees at once, so a test needs no browser: {@link FakeProvider.authorize} goes from the authorization URL to the callback's.
 *
 * @example
 * const provider = await fakeProvider({ user: { sub: "1", email: "ada@example.com", email_verified: true } });
 * const strategy = oidc({ issuer: provider.issuer, clientId: provider.clientId, clientSecret: provider.clientSecret });
 * // ... begin a sign-in of your application, which leads to `location`
 * const callback = await provider.authorize(location);
 * provider.breakOnce("token", faults.hang());
 * await provider.close();
 */
export async function fakeProvider(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const { clientId = "client", pushedRequests = false, algorithm, clock = systemClock } = options;
  const clientSecret = options.clientSecret === undefined ? randomToken(24) : options.clientSecret;
  let user: FakeUser = options.user ?? { sub: "ada", name: "Ada Lovelace", email: "ada@example.com", email_verified: true };
  let keys: SigningKey[] = [await createSigningKey(algorithm)];
  let signer = signedBy();
  let changes: Changes = {};
  const lasting = new Map<FakeEndpoint, Fault>();
  const passing = new Map<FakeEndpoint, Fault[]>();
  const requests: FakeProviderRequest[] = [];

  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let connections = 0;
  server.on("connection", (socket) => {
    connections += 1;
    socket.once("close", () => (connections -= 1));
  });

  const ground = () => ({ issuer, clientId, clientSecret, pushedRequests, user, keys, signer, changes, now: clock.now() });
  const answers = createAnswers(ground);

  const honest = async (endpoint: FakeEndpoint, { method, headers, parameters }: FakeProviderRequest, res: ServerResponse) => {
    const keyOf = (path: string, accessToken: string | null = null) =>
      keyOfProof(headers["dpop"], { method, url: `${issuer}${path}`, accessToken });
    const posted = () => {
      if (method !== "POST") throw new GrantRefusal("invalid_request", 405);
    };
    switch (endpoint) {
      case "discovery":
        return json(res, answers.metadata());
      case "keys":
        return json(res, await answers.keys());
      case "pushed":
        posted();
        return json(res, answers.push(parameters, headers.authorization), 201);
      case "token":
        posted();
        return json(res, await answers.tokens(parameters, headers.authorization, await keyOf("/token")));
      case "userinfo": {
        const shown = shownIn(headers.authorization);
        return json(res, answers.userinfo(shown, await keyOf("/userinfo", shown.accessToken)));
      }
      case "authorization": {
        const back = answers.authorize(parameters);
        if (!back.byForm) return redirect(res, `${back.redirectUri}?${back.parameters}`);
        res.writeHead(200, { "content-type": "text/html" });
        res.end(form(back.redirectUri, back.parameters));
        return;
      }
      case "endSession": {
        const [to, state] = [parameters.get("post_logout_redirect_uri"), parameters.get("state")];
        return to === null ? json(res, {}) : redirect(res, state === null ? to : `${to}?${new URLSearchParams({ state })}`);
      }
    }
  };

  const serve = async (req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url ?? "/", issuer);
    const endpoint = Object.hasOwn(PATHS, url.pathname) ? PATHS[url.pathname] : undefined;
    if (!endpoint) return json(res, { error: "not_found" }, 404);
    const posted = req.method === "POST" ? await formOf(req) : null;
    const request = { endpoint, method: req.method ?? "", headers: req.headers, parameters: posted ?? url.searchParams };
    requests.push(request);
    const asItShould = () => honest(endpoint, request, res).catch((error: unknown) => refuse(res, error));
    const fault = passing.get(endpoint)?.shift() ?? lasting.get(endpoint);
    await (fault ? fault(req, res, asItShould) : asItShould());
  };
  server.on("request", (req, res) => void serve(req, res).catch(() => req.socket.destroy()));

  return {
    issuer,
    clientId,
    clientSecret,
    authorizationEndpoint: `${issuer}/authorize`,
    tokenEndpoint: `${issuer}/token`,
    userinfoEndpoint: `${issuer}/userinfo`,
    requests,
    connections: () => connections,
    signInAs: (somebody) => void (user = somebody),
    async authorize(authorizationUrl) {
      const { redirectUri, parameters } = answers.authorize(new URL(authorizationUrl).searchParams);
      return `${redirectUri}?${parameters}`;
    },
    break: (endpoint, fault) => void lasting.set(endpoint, fault),
    breakOnce: (endpoint, fault) => void passing.set(endpoint, [...(passing.get(endpoint) ?? []), fault]),
    change: (more) => void (changes = { ...changes, ...more }),
    signIdTokens: (other = signedBy()) => void (signer = other),
    async rotateKeys({ keep = false } = {}) {
      keys = [await createSigningKey(algorithm), ...(keep ? keys : [])];
    },
    async logoutToken(claims) {
      const [key] = keys;
      if (!key) throw new Error("The fake provider has no key left to sign with");
      const iat = Math.floor(clock.now() / 1000);
      const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
      return signer({ iss: issuer, aud: clientId, iat, exp: iat + 120, jti: randomToken(12), events, ...claims }, key);
    },
    mend() {
      lasting.clear();
      passing.clear();
      changes = {};
      signer = signedBy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function shownIn(authorization = ""): ShownToken {
  const [scheme = "", accessToken = null] = authorization.split(" ");
  return { scheme: scheme.toLowerCase(), accessToken };
}

async function formOf(req: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_FORM) throw new Error("The request is too large");
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function refuse(res: ServerResponse, error: unknown): void {
  if (error instanceof GrantRefusal) json(res, { error: error.message }, error.status);
  else json(res, { error: "server_error", error_description: String(error) }, 500);
}

function json(res: ServerResponse, body: unknown, status = 200): void {
  res.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  res.end(JSON.stringify(body));
}

function redirect(res: ServerResponse, location: string): void {
  res.writeHead(303, { location });
  res.end();
}

/** OAuth 2.0 Form Post Response Mode, without the script: a person presses the button. */
function form(action: string, parameters: URLSearchParams): string {
  const fields = [...parameters].map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`);
  return `<!doctype html><form method="post" action="${escapeHtml(action)}">${fields.join("")}<button>Go on</button></form>`;
}
