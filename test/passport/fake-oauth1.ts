import { createHmac, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { CLIENT } from "../support/provider-app.ts";
import type { FakeSide, Told } from "./fake-oauth2.ts";

/** What is signed, and with which secrets. */
interface Signed {
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether it is the signature of the client and of the token that is named. */
  genuine(tokenSecret: string): boolean;
}

/**
 * An OAuth 1.0a provider with Twitter's paths, which checks every signature (HMAC-SHA1), refuses a nonce that was there before, and takes a
 * request token once.
 *
 * @see RFC 5849
 */
export async function startFakeOAuth1(profile: object): Promise<FakeSide & { readonly origin: string }> {
  const requests: string[] = [];
  const told = new Map<string, Told>();
  const places = { tokens: "/oauth/access_token", profile: "/1.1/account/verify_credentials.json" };
  const nonces = new Set<string>();
  const requestTokens = new Map<string, { secret: string; callback: string; verifier: string | null }>();
  const accessTokens = new Map<string, string>();

  const answer = (path: string, { parameters, genuine }: Signed): [number, string] => {
    const token = parameters["oauth_token"] ?? "";
    const nonce = parameters["oauth_nonce"] ?? "";
    if (nonces.has(nonce)) return [401, "The nonce was used before"];
    nonces.add(nonce);
    if (path === "/oauth/request_token") {
      if (!genuine("")) return [401, "Invalid signature"];
      const [name, secret] = [`rt-${randomUUID()}`, randomUUID()];
      requestTokens.set(name, { secret, callback: parameters["oauth_callback"] ?? "", verifier: null });
      return [200, new URLSearchParams({ oauth_token: name, oauth_token_secret: secret, oauth_callback_confirmed: "true" }).toString()];
    }
    if (path === places.tokens) {
      const known = requestTokens.get(token);
      if (!known || known.verifier === null || !genuine(known.secret)) return [401, "Invalid signature or token"];
      if (parameters["oauth_verifier"] !== known.verifier) return [401, "Invalid verifier"];
      requestTokens.delete(token);
      const [name, secret] = [`at-${randomUUID()}`, `secret-${randomUUID()}`];
      accessTokens.set(name, secret);
      return [200, new URLSearchParams({ oauth_token: name, oauth_token_secret: secret, user_id: "38895958" }).toString()];
    }
    const secret = accessTokens.get(token);
    return secret !== undefined && genuine(secret) ? [200, JSON.stringify(profile)] : [401, '{"errors":[{"code":32,"message":"No"}]}'];
  };

  const server = createServer((req, res) => {
    let body = "";
    req.on("data", (chunk: Buffer) => void (body += chunk.toString()));
    req.on("end", () => {
      const { pathname } = new URL(req.url ?? "/", origin);
      requests.push(`${req.method} ${pathname}`);
      const once = told.get(pathname);
      told.delete(pathname);
      const [status, text] = once ? [once.status ?? 200, once.body] : answer(pathname, signed(req, body, origin));
      res.writeHead(status, { "content-type": once?.type ?? "text/plain" }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    origin,
    requests,
    async authorize(authorizationUrl, { cancel = false } = {}) {
      const token = new URL(authorizationUrl).searchParams.get("oauth_token") ?? "";
      const known = requestTokens.get(token);
      if (!known) throw new Error("not a request token");
      const back = new URL(known.callback);
      if (cancel) back.searchParams.set("denied", token);
      else {
        known.verifier = randomUUID();
        back.searchParams.set("oauth_token", token);
        back.searchParams.set("oauth_verifier", known.verifier);
      }
      return back.href;
    },
    answerOnce: (what, once) => void told.set(places[what], once),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** RFC 5849, section 3.4. */
function signed(req: IncomingMessage, body: string, origin: string): Signed {
  const url = new URL(req.url ?? "/", origin);
  const header = [...(req.headers.authorization ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(
    ([, name = "", value = ""]) => [name, decodeURIComponent(value)] as [string, string],
  );
  const form = req.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") ? [...new URLSearchParams(body)] : [];
  const all = [...header, ...url.searchParams, ...form];
  const parameters = Object.fromEntries(all);
  const normal = all
    .filter(([name]) => name !== "oauth_signature" && name !== "realm")
    .map(([name, value]) => `${percent(name)}=${percent(value)}`)
    .sort()
    .join("&");
  const base = [req.method ?? "", url.origin + url.pathname, normal].map(percent).join("&");
  const usual = parameters["oauth_consumer_key"] === CLIENT.clientId && parameters["oauth_signature_method"] === "HMAC-SHA1";
  return {
    parameters,
    genuine: (tokenSecret) => {
      const key = `${percent(CLIENT.clientSecret)}&${percent(tokenSecret)}`;
      return usual && parameters["oauth_signature"] === createHmac("sha1", key).update(base).digest("base64");
    },
  };
}

function percent(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
