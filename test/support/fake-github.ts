import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What {@link startFakeGitHub} answers about the person who signs in. */
export interface FakeGitHubUser {
  id: unknown;
  login: string;
  name: string | null;
  email: string | null;
  avatar_url: string;
  emails: readonly { email: unknown; primary: unknown; verified: unknown; visibility: string | null }[];
}

/** An answer told in advance. */
export interface FakeAnswer {
  status?: number;
  /** Default: JSON. */
  type?: string;
  body: string;
  /** Says nothing at all, until the client leaves. */
  silent?: boolean;
}

export interface FakeGitHub {
  /** What to give as `baseUrl`. */
  readonly baseUrl: string;
  /** Sends requests for github.com and api.github.com here. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Who signs in next; change it at will. */
  readonly user: FakeGitHubUser;
  /** What it was asked, as `POST /login/oauth/access_token`. */
  readonly requests: string[];
  /** Tells what it answers on a path, once. */
  answerOnce(path: string, answer: FakeAnswer): void;
  /** Agrees at the authorization page: the URL the browser is sent back to. */
  authorize(authorizationUrl: string): string;
  close(): Promise<void>;
}

export const TOKEN_PATH = "/login/oauth/access_token";

/**
 * GitHub's documented OAuth endpoints, as an Enterprise Server has them: `/login/oauth/authorize`, `/login/oauth/access_token`,
 * `/api/v3/user` and `/api/v3/user/emails`. Codes work once, PKCE is checked when used, token errors come under status 200 as GitHub's do.
 *
 * @see https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
 */
export async function startFakeGitHub({ clientId = "gh-client", clientSecret = "gh-secret" } = {}): Promise<FakeGitHub> {
  const codes = new Map<string, { challenge: string | null; redirectUri: string | null }>();
  const tokens = new Set<string>();
  const prepared = new Map<string, FakeAnswer>();
  const requests: string[] = [];
  const user: FakeGitHubUser = {
    id: 583231,
    login: "octocat",
    name: "Mona Lisa",
    email: null,
    avatar_url: "https://avatars.example.com/u/583231",
    emails: [
      { email: "old@example.com", primary: false, verified: true, visibility: null },
      { email: "octocat@example.com", primary: true, verified: true, visibility: "private" },
    ],
  };

  const tokenReply = (form: URLSearchParams): Record<string, unknown> => {
    const error = (code: string) => ({
      error: code,
      error_description: `The ${code} that was given`,
      error_uri: "https://docs.example.com",
    });
    if (form.get("client_id") !== clientId || form.get("client_secret") !== clientSecret) return error("incorrect_client_credentials");
    if (form.get("grant_type") === "refresh_token") {
      return form.get("refresh_token") === "ghr_good" ? { ...newToken(), expires_in: 28_800 } : error("bad_refresh_token");
    }
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    if (!code || code.redirectUri !== form.get("redirect_uri")) return error("bad_verification_code");
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url"); // prettier-ignore
    if (code.challenge !== null && code.challenge !== challenge) return error("bad_verification_code");
    return newToken();
  };
  const newToken = () => {
    const token = `gho_${randomUUID()}`;
    tokens.add(token);
    return { access_token: token, scope: "read:user,user:email", token_type: "bearer" };
  };

  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const { pathname } = new URL(req.url ?? "/", "http://github.localhost");
    requests.push(`${req.method} ${pathname}`);
    const json = (status: number, body: unknown) =>
      res.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));
    let text = "";
    for await (const chunk of req) text += String(chunk);
    const told = prepared.get(pathname);
    if (told) {
      prepared.delete(pathname);
      if (told.silent) return;
      return res.writeHead(told.status ?? 200, { "content-type": told.type ?? "application/json" }).end(told.body);
    }
    if (req.method === "POST" && pathname === TOKEN_PATH) {
      const reply = tokenReply(new URLSearchParams(text));
      if (req.headers.accept?.includes("json")) return json(200, reply);
      const form = new URLSearchParams(Object.fromEntries(Object.entries(reply).map(([name, value]) => [name, String(value)])));
      return res.writeHead(200, { "content-type": "application/x-www-form-urlencoded; charset=utf-8" }).end(form.toString());
    }
    const token = /^(?:bearer|token) (.+)$/i.exec(req.headers.authorization ?? "")?.[1] ?? "";
    if (!tokens.has(token)) return json(401, { message: "Bad credentials" });
    if (!req.headers["user-agent"]) return json(403, { message: "Request forbidden by administrative rules." });
    const { emails, ...rest } = user;
    if (pathname === "/api/v3/user") return json(200, rest);
    if (pathname === "/api/v3/user/emails") return json(200, emails);
    return json(404, { message: "Not Found" });
  };

  const server = createServer((req, res) => void answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    baseUrl,
    user,
    requests,
    fetch: (url, init) => fetch(url.replace("https://api.github.com", `${baseUrl}/api/v3`).replace("https://github.com", baseUrl), init),
    answerOnce: (path, told) => void prepared.set(path, told),
    authorize(authorizationUrl) {
      const { origin, pathname, searchParams } = new URL(authorizationUrl);
      const ours = [baseUrl, "https://github.com"].includes(origin) && pathname === "/login/oauth/authorize";
      if (!ours || searchParams.get("client_id") !== clientId) throw new Error("not ours");
      const code = randomUUID();
      const redirectUri = searchParams.get("redirect_uri");
      codes.set(code, { challenge: searchParams.get("code_challenge"), redirectUri });
      const back = new URL(redirectUri ?? "");
      back.searchParams.set("code", code);
      const state = searchParams.get("state");
      if (state !== null) back.searchParams.set("state", state);
      return back.href;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
