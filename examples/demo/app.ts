import { fileURLToPath } from "node:url";
import express, { type ErrorRequestHandler, type Express, type Request } from "express";
import { AuthError, requireAuth, type Auth, type Session } from "latchkey";
import { accountPage } from "./pages/account.ts";
import { confirmCodePage, confirmPage } from "./pages/confirm.ts";
import { failurePage } from "./pages/failure.ts";
import { newKeyPage } from "./pages/new-key.ts";
import { codePage, signInPage } from "./pages/sign-in.ts";
import { toText } from "./html.ts";
import { onlyAt, securityHeaders } from "./security-headers.ts";

const publicFolder = fileURLToPath(new URL("public", import.meta.url));
const KEY_TTL = 30 * 24 * 3600;

/** The application. Signing in, out and again is latchkey's own, under /auth; the handlers here show and end what a person has. */
export function createApp({ auth, url, issuer }: { auth: Auth; url: string; issuer: string }): Express {
  const app = express();
  const signedIn = requireAuth({ kinds: ["session"], user: true, onRefused: "next" });
  const signedInLately = requireAuth({ kinds: ["session"], user: true, maxAge: 600, onRefused: "next" });

  app.disable("x-powered-by");
  app.use(securityHeaders({ formsTo: issuer }));
  app.use(express.static(publicFolder));
  app.use(onlyAt(url));
  app.use(auth);
  app.use(express.urlencoded({ extended: false }));

  app.get("/sign-in", (req, res) => {
    if (req.auth.isAuthenticated) return res.redirect("/");
    res.send(toText(signInPage(req.query)));
  });
  app.get("/sign-in/code", (req, res) => {
    res.send(toText(codePage(req.query)));
  });

  app.get("/", signedIn, async (req, res) => {
    const session = sessionOf(req);
    const [sessions, accounts, keys] = await Promise.all([
      auth.sessions.list(session.userId),
      auth.accounts.listForUser(session.userId),
      auth.apiKeys.list(session.userId),
    ]);
    res.send(toText(accountPage({ user: req.user, session, sessions, accounts, keys, query: req.query })));
  });

  app.post("/sessions/:id/end", signedIn, async (req, res) => {
    await auth.sessions.revoke(req.params.id, { userId: req.auth.userId });
    res.redirect(303, "/?done=session_ended");
  });
  app.post("/sessions/end-others", signedIn, async (req, res) => {
    await auth.sessions.revokeAll(req.auth.userId, { keep: sessionOf(req) });
    res.redirect(303, "/?done=others_ended");
  });

  app.post("/accounts/:id/unlink", signedInLately, async (req, res) => {
    const otherWaysIn = req.user?.emailVerified ? 1 : 0;
    await auth.accounts.unlink({ userId: req.auth.userId, accountId: req.params.id, otherWaysIn });
    res.redirect(303, "/?done=unlinked");
  });

  app.post("/keys", signedInLately, async (req, res) => {
    const { name = "" } = (req.body ?? {}) as { name?: unknown };
    const { apiKey, key } = await auth.apiKeys.create({
      userId: req.auth.userId,
      name: String(name),
      scopes: ["hello:read"],
      ttl: KEY_TTL,
    });
    res.send(toText(newKeyPage({ apiKey, key, url, user: req.user })));
  });
  app.post("/keys/:id/revoke", signedIn, async (req, res) => {
    await auth.apiKeys.revoke(req.auth.userId, req.params.id);
    res.redirect(303, "/?done=key_revoked");
  });

  app.get("/api/hello", requireAuth({ kinds: ["api_key"], scope: ["hello:read"], user: true }), (req, res) => {
    res.json({ message: `Hello, ${req.user?.name ?? req.user?.email ?? "whoever you are"}!`, userId: req.auth.userId });
  });

  app.get("/confirm", signedIn, async (req, res) => {
    const accounts = await auth.accounts.listForUser(req.auth.userId);
    res.send(toText(confirmPage({ user: req.user, accounts, query: req.query })));
  });
  app.get("/confirm/code", signedIn, (req, res) => {
    res.send(toText(confirmCodePage({ user: req.user, query: req.query })));
  });

  app.use((_req, res) => {
    res.status(404).send(toText(failurePage("not_found")));
  });
  app.use(refused);
  return app;
}

/** Where a person goes who may not do what they asked for. */
const refused: ErrorRequestHandler = (error: unknown, req, res, next) => {
  if (!(error instanceof AuthError) || res.headersSent) return next(error);
  if (error.code === "insufficient_user_authentication") return res.redirect(303, "/confirm");
  if (error.code === "authentication_required") return res.redirect(303, "/sign-in");
  if (error.status === 401) return res.redirect(303, `/sign-in?error=${error.code}`);
  if (req.method === "POST" && error.status < 500) return res.redirect(303, `/?error=${error.code}`);
  res.status(error.status).send(toText(failurePage(error.code)));
};

/** The session behind a request that a guard for sessions let through. */
function sessionOf({ auth }: Pick<Request, "auth">): Session {
  if (auth.kind !== "session") throw new TypeError("Put a guard for sessions in front of this");
  return auth.session;
}
