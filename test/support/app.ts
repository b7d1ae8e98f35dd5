import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express } from "express";
import { createAuth, type Auth } from "../../lib/auth.ts";
import { memoryTransport } from "../../lib/email/memory.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import type { AuthOptions } from "../../lib/options.ts";
import { answersRecorder } from "./documented.ts";
import { TEST_SECRET } from "./kit.ts";
import { openTestStore } from "./test-store.ts";

/** An app with latchkey in it, on a real server of its own. Closing it fails when a route of ours gave an answer that it does not document. */
export async function startApp(
  options: AuthOptions & {
    /** Adds routes behind `app.use(auth)`. */
    routes?: (app: Express, auth: Auth) => void;
    /** Adds middleware before it. */
    before?: (app: Express) => void;
  } = {},
) {
  const { routes, before, ...authOptions } = options;
  const clock = createTestClock();
  const mailbox = memoryTransport();
  const store = authOptions.store ?? openTestStore({ clock });
  const auth = createAuth({ secret: TEST_SECRET, email: mailbox, apiKeys: true, clock, ...authOptions, store });
  const app = express();
  const recorder = answersRecorder(authOptions.basePath);
  app.use(recorder.middleware);
  before?.(app);
  app.use(auth);
  routes?.(app, auth);
  const server = await listen(app);
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    app,
    auth,
    clock,
    mailbox,
    server,
    url,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await auth.close();
      if (recorder.undocumented.length > 0) throw new Error(`Undocumented answers:\n${recorder.undocumented.join("\n")}`);
    },
  };
}

/** Serves an app on a free loopback port. */
export function listen(app: Express): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(app);
    server.once("error", reject);
    server.listen(0, "localhost", () => resolve(server));
  });
}
