import { randomBytes } from "node:crypto";
import { createAuth } from "latchkey";
import { consoleTransport } from "latchkey/email/console";
import { oidc } from "latchkey/strategies/oidc";
import { createApp } from "./app.ts";
import { closeServer, listen } from "./listen.ts";
import { startProvider } from "./provider.ts";
import { openStore } from "./store.ts";

export interface DemoOptions {
  /** 0: a free one. */
  port: number;
  /** Default: records stay in memory. */
  redisUrl?: string | undefined;
  /** Default: a new one, so that sessions end with the process. */
  secret?: string | undefined;
  /** Where mails, and with them codes, are printed. Default: standard output. */
  print?: ((text: string) => void) | undefined;
}

/** The whole demo: an OpenID provider of its own, and an application that people sign in to through it or by a mailed code. */
export async function startDemo(options: DemoOptions) {
  const { port, redisUrl, secret = randomBytes(32).toString("base64url"), print = console.log } = options;
  // The port is part of the URLs that everything else is made from, so listening comes first.
  const server = await listen(port);
  const url = `http://localhost:${server.port}`;
  const store = await openStore(redisUrl).catch(async (error: unknown) => {
    await closeServer(server);
    throw error;
  });
  const client = { id: "latchkey-demo", secret: randomBytes(32).toString("base64url"), url, callback: `${url}/auth/callback/demo-id` };
  const provider = await startProvider({ client, port: port === 0 ? 0 : server.port + 1 });

  const auth = createAuth({
    secret,
    baseUrl: url,
    appName: "the latchkey demo",
    store: store.records,
    email: consoleTransport({ write: print }),
    strategies: [
      oidc({
        name: "demo-id",
        issuer: provider.issuer,
        clientId: client.id,
        clientSecret: client.secret,
        authorizationParameters: { prompt: "login" }, // asks every time, so that you can be somebody else
      }),
    ],
    apiKeys: { scopes: ["hello:read"] },
  });
  server.http.on("request", createApp({ auth, url, issuer: provider.issuer }));

  return {
    url,
    issuer: provider.issuer,
    /** For people: where the records are. */
    storedIn: store.description,
    async close() {
      await Promise.all([closeServer(server), provider.close()]);
      await auth.close();
      await store.close();
    },
  };
}
