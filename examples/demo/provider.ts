import { fileURLToPath } from "node:url";
import express, { type ErrorRequestHandler } from "express";
import type { Configuration } from "oidc-provider";
import { closeServer, listen } from "./listen.ts";
import { providerErrorPage, providerPage } from "./pages/provider.ts";
import { toText } from "./html.ts";
import { securityHeaders } from "./security-headers.ts";

export interface ProviderOptions {
  /** Tried first; when it is taken, a free one is. */
  port: number;
  /** The one application that may ask. */
  client: { id: string; secret: string; url: string; callback: string };
}

const publicFolder = fileURLToPath(new URL("public", import.meta.url));
const LOGIN = /^[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?$/;
const SCOPE = "openid email profile";

/** "Demo ID": an OpenID provider on this machine that believes everybody. Elsewhere this would be Google, or your company's. */
export async function startProvider({ port, client }: ProviderOptions) {
  const server = await listen(port).catch(() => listen(0));
  const issuer = `http://127.0.0.1:${server.port}`;

  const configuration: Configuration = {
    clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [client.callback] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (_ctx, login) => ({ accountId: login, claims: async () => claimsOf(login) }),
    interactions: { url: (_ctx, { uid }) => `/sign-in/${uid}` },
    // What signing in here tells the application is said on the page that asks for the name, so there is no second page of consent.
    async loadExistingGrant({ oidc }) {
      const accountId = oidc.session?.accountId;
      if (accountId === undefined) return undefined;
      const grant = new oidc.provider.Grant({ clientId: client.id, accountId });
      grant.addOIDCScope(SCOPE);
      await grant.save();
      return grant;
    },
    renderError(ctx) {
      ctx.type = "html";
      ctx.body = toText(providerErrorPage(client.url));
    },
    cookies: { keys: [client.secret] },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 3600, IdToken: 3600, Interaction: 3600, Session: 3600 },
    features: { devInteractions: { enabled: false } },
  };
  const provider = await quietly(async () => {
    const { Provider } = await import("oidc-provider");
    return new Provider(issuer, configuration);
  });

  const app = express();
  app.disable("x-powered-by");
  app.use(securityHeaders({ formsTo: client.url }));
  app.use(express.static(publicFolder));

  app.get("/sign-in/:uid", async (req, res) => {
    await provider.interactionDetails(req, res);
    res.send(toText(providerPage({ app: client.url })));
  });
  app.post("/sign-in/:uid", express.urlencoded({ extended: false }), async (req, res) => {
    const { login = "", cancel } = req.body as { login?: string; cancel?: string };
    if (cancel !== undefined) return provider.interactionFinished(req, res, { error: "access_denied" });
    const accountId = login.trim().toLowerCase().replaceAll(/\s+/g, ".");
    if (!LOGIN.test(accountId)) return res.status(422).send(toText(providerPage({ app: client.url, refused: login })));
    await provider.interactionFinished(req, res, { login: { accountId } });
  });
  app.use(provider.callback());
  app.use(((_error, _req, res, _next) => {
    res.status(400).send(toText(providerErrorPage(client.url)));
  }) satisfies ErrorRequestHandler);
  server.http.on("request", app);

  return { issuer, close: () => closeServer(server) };
}

function claimsOf(login: string) {
  const name = login.replaceAll(/(?:^|[._-])([a-z])/g, (_, letter: string) => ` ${letter.toUpperCase()}`).trim();
  return { sub: login, name, email: `${login}@demo-id.example`, email_verified: true };
}

/** oidc-provider prints what to mind in production, where this one never goes. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { info, warn } = console;
  console.info = console.warn = () => {};
  try {
    return await work();
  } finally {
    Object.assign(console, { info, warn });
  }
}
