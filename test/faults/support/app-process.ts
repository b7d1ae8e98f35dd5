import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Request } from "express";
import { Strategy } from "passport";
import type { Identity } from "../../../lib/core/strategy.ts";
import { memoryTransport } from "../../../lib/email/memory.ts";
import { apiKeyGuard, createAuth, csrf, errorHandler, rateLimit, requireAuth } from "../../../lib/index.ts";
import { TEST_SECRET } from "../../support/kit.ts";
import type { AppAnswer, AppCommand, AppCommands, StoreAddress } from "./app.ts";
import { connect } from "./connect.ts";

// An application in a process of its own, as it would be in production, that makes sessions when its parent asks.

const faults: string[] = [];
process.on("unhandledRejection", (reason) => faults.push(`unhandled rejection: ${String(reason)}`));
process.on("uncaughtException", (error) => faults.push(`uncaught exception: ${String(error)}`));
process.on("warning", ({ name, message }) => name === "MaxListenersExceededWarning" && faults.push(message));

/** Sends people away, and believes whoever comes back with a code. */
class TrustingProvider extends Strategy {
  override name = "trusting";
  override authenticate({ query }: Request) {
    if (typeof query["code"] !== "string") return this.redirect("https://provider.example/authorize");
    const nothing = { email: null, emailVerified: false, name: null, image: null, tokens: null };
    const identity: Identity = {
      ...nothing,
      ...{ provider: "trusting", issuer: "trusting", subject: query["code"], providerSessionId: null, authenticatedAt: null },
    };
    this.success(identity as unknown as Express.User);
  }
}

const { store, client, disconnect } = connect(JSON.parse(process.argv[2] ?? "") as StoreAddress);
client.on("error", () => {});
const server = createServer().listen(0, "127.0.0.1");
await once(server, "listening");
const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const mailbox = memoryTransport();
const auth = createAuth({
  secret: TEST_SECRET,
  baseUrl,
  store,
  email: mailbox,
  strategies: [new TrustingProvider()],
  apiKeys: true,
});

const app = express();
app.get("/bare", (_req, res) => void res.json({}));
app.use(auth);
app.get("/public", ({ auth: { kind, userId, failure } }, res) => void res.json({ kind, userId, failure: failure?.code ?? null }));
app.get("/guarded", requireAuth(), (req, res) => void res.json({ userId: req.auth.userId }));
app.get("/profile", requireAuth({ user: true }), (req, res) => void res.json({ userId: req.user?.id }));
app.get("/keyed", apiKeyGuard(), (req, res) => void res.json({ userId: req.auth.userId }));
app.get("/limited", rateLimit({ name: "limited", limit: "1000/1m" }), (_req, res) => void res.json({}));
app.post("/changed", csrf({ origin: baseUrl }), (_req, res) => void res.json({}));
app.post("/passport-logout", (req, res, next) => req.logout((error) => (error ? next(error) : res.json({}))));
app.use(errorHandler());
server.on("request", app);

const commands: { [Name in keyof AppCommands]: (input: AppCommands[Name]["input"]) => Promise<AppCommands[Name]["result"]> } = {
  async signIn({ userId }) {
    if (!(await auth.users.findById(userId))) await auth.users.create({ id: userId, email: `${userId}@example.com`, emailVerified: true });
    const { token } = await auth.sessions.create({ userId });
    return `sid=${token}`;
  },
  makeKey: async ({ userId }) => (await auth.apiKeys.create({ userId, name: "key" })).key,
  code: ({ email }) => mailbox.waitForCode(email),
  async health() {
    const resources = process.getActiveResourcesInfo();
    return {
      faults,
      timers: resources.filter((resource) => resource === "Timeout").length,
      listeners: client.eventNames().reduce((sum, name) => sum + client.listenerCount(name), 0),
    };
  },
  async close() {
    server.closeAllConnections();
    server.close();
    await auth.close();
    const late = await Promise.allSettled([
      auth.sessions.create({ userId: "late" }),
      auth.sessions.count(),
      auth.rateLimits.take("late", "late", { max: 1, windowSeconds: 1 }),
    ]);
    await disconnect();
    return late.map((call) => (call.status === "fulfilled" ? "done" : String((call.reason as { code?: unknown }).code)));
  },
};

process.on("message", ({ id, name, input }: AppCommand) => {
  const run = commands[name] as (given: unknown) => Promise<unknown>;
  run(input).then(
    (result) => answer({ id, result }, name),
    (error: unknown) => answer({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }, name),
  );
});

/** After `close` nothing of ours may keep the process alive, so its own channel to the parent must not either. */
function answer(message: AppAnswer, name: keyof AppCommands): void {
  process.send?.(message, () => name === "close" && process.disconnect());
}

process.send?.({ url: baseUrl });
