import { createHash, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Agent } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { CLIENT } from "../support/provider-app.ts";

/** What a provider answers once instead of what it should. */
export interface Told {
  readonly status?: number;
  readonly type?: string;
  readonly body: string;
}

/** A provider as a browser and a test know it. */
export interface FakeSide {
  /** What it was asked, as `POST /token`. */
  readonly requests: string[];
  /** The person agrees, or cancels: the URL the browser is sent back to. */
  authorize(authorizationUrl: string, options?: { cancel?: boolean }): Promise<string>;
  /** Tells what it answers once, instead of tokens or of who the person is. */
  answerOnce(what: "tokens" | "profile", told: Told): void;
  close(): Promise<void>;
}

/** An OAuth 2 provider, RFC 6749: codes work once, for the client and redirect URI they were made for, and with the verifier if there was a challenge. */
export interface FakeOAuth2 extends FakeSide {
  readonly origin: string;
  /** Leads connections to any https host here, without TLS. */
  readonly agent: Agent;
}

/** Options of {@link startFakeOAuth2}. */
export interface FakeOAuth2Options {
  /** What the token endpoint, `/token`, or where Discord and Spotify have it, answers; the access token is a new one each time, and starts with `at-`. */
  tokens: Readonly<Record<string, unknown>>;
  /** What its API says, by path. The first path is the person's. */
  profiles: Readonly<Record<string, unknown>>;
}

export async function startFakeOAuth2({ tokens, profiles }: FakeOAuth2Options): Promise<FakeOAuth2> {
  const requests: string[] = [];
  const codes = new Map<string, { challenge: string | null; redirectUri: string | null }>();
  const issued = new Set<string>();
  const told = new Map<string, Told>();
  const places = { tokens: "/token", profile: Object.keys(profiles)[0] ?? "" };

  const tokenReply = (form: URLSearchParams, authorization = ""): [number, unknown] => {
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const posted = form.get("client_id") === CLIENT.clientId && form.get("client_secret") === CLIENT.clientSecret;
    const basic = Buffer.from(authorization.slice("Basic ".length), "base64").toString();
    const client = posted || decodeURIComponent(basic.replaceAll("+", " ")) === `${CLIENT.clientId}:${CLIENT.clientSecret}`;
    if (!client) return [401, { error: "invalid_client" }];
    const verifier = form.get("code_verifier");
    const proven = verifier === null ? null : createHash("sha256").update(verifier).digest("base64url");
    const good = form.get("grant_type") === "authorization_code" && code?.redirectUri === form.get("redirect_uri");
    if (!good || code?.challenge !== proven) return [400, { error: "invalid_grant", error_description: "client_secret=s3cret" }];
    const accessToken = `at-${randomUUID()}`;
    issued.add(accessToken);
    return [200, { ...tokens, access_token: accessToken, token_type: "bearer" }];
  };

  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "/", "http://fake.example");
    const path = url.pathname.replace(/(.)\/$/, "$1").replace(/^\/api(\/oauth2)?\/token$/, "/token");
    requests.push(`${req.method} ${path}`);
    let text = "";
    req.on("data", (chunk: Buffer) => void (text += chunk.toString()));
    req.on("end", () => {
      const once = told.get(path);
      told.delete(path);
      const answer = (status: number, body: string, type = "application/json") => res.writeHead(status, { "content-type": type }).end(body);
      if (once) return answer(once.status ?? 200, once.body, once.type);
      if (req.method === "POST" && path === "/token") {
        const [status, body] = tokenReply(new URLSearchParams(text), req.headers.authorization);
        return answer(status, JSON.stringify(body));
      }
      const bearer = /^(?:bearer|token) (.+)$/i.exec(req.headers.authorization ?? "")?.[1] ?? url.searchParams.get("access_token") ?? "";
      if (!issued.has(bearer)) return answer(401, '{"message":"Bad credentials"}');
      return path in profiles ? answer(200, JSON.stringify(profiles[path])) : answer(404, "{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  return {
    origin: `http://127.0.0.1:${port}`,
    agent: Object.assign(new Agent(), { createConnection: () => connect(port, "127.0.0.1") }),
    requests,
    async authorize(authorizationUrl, { cancel = false } = {}) {
      const { searchParams } = new URL(authorizationUrl);
      if (searchParams.get("client_id") !== CLIENT.clientId) throw new Error("not a client");
      const redirectUri = searchParams.get("redirect_uri");
      const back = new URL(redirectUri ?? "");
      const state = searchParams.get("state");
      if (state !== null) back.searchParams.set("state", state);
      if (cancel) back.searchParams.set("error", "access_denied");
      else {
        const code = randomUUID();
        codes.set(code, { challenge: searchParams.get("code_challenge"), redirectUri });
        back.searchParams.set("code", code);
      }
      return back.href;
    },
    answerOnce: (what, answer) => void told.set(places[what], answer),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
