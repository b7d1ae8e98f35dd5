// What a handler may rely on behind each guard. Checked by the compiler alone, never run.
import express, { Router, type NextFunction, type Request, type RequestHandler, type Response } from "express";
import {
  apiKeyGuard,
  authenticate,
  createAuth,
  csrf,
  errorHandler,
  rateLimit,
  requireAuth,
  requireRole,
  signedIn,
  type AuthContext,
  type AuthEvent,
  type AuthOptions,
  type RequireAuthOptions,
  type SignedInContext,
  type User,
} from "latchkey";

const app = express();
const auth = createAuth({ secret: process.env.AUTH_SECRET, baseUrl: process.env.BASE_URL });
app.use(auth);

app.get("/anywhere", (req) => {
  const context: AuthContext = req.auth;
  const userId: string | null = context.userId;
  // @ts-expect-error nobody may be signed in here
  const certain: string = req.auth.userId;
  return [userId, certain];
});

app.get("/guarded", requireAuth(), (req) => {
  const userId: string = req.auth.userId;
  // @ts-expect-error anonymous and guests do not come this far
  const isAnonymous = req.auth.kind === "anonymous";
  return [userId, isAnonymous];
});

app.get("/:id", requireRole("editor"), (req) => {
  const userId: string = req.auth.userId;
  const id: string = req.params.id;
  return [userId, id];
});

// Any method, a router, a path with parameters of its own, an array of handlers before it.
const router = Router();
router.post("/posts/:postId", requireAuth({ scope: ["posts:write"] }), (req, res) => {
  const userId: string = req.auth.userId;
  const postId: string = req.params.postId;
  // @ts-expect-error there is no such parameter
  const other: string = req.params.other.toUpperCase();
  res.json({ userId, postId, other });
});
router.delete("/keys", apiKeyGuard(), async (req, res) => {
  const context: SignedInContext = req.auth;
  res.json({ id: context.userId });
});

// A guard is a middleware like any other: kept in a list, used for all, put behind a parser or before one.
export const guard: RequestHandler = requireAuth();
export const guards: RequestHandler[] = [requireAuth(), requireRole(["editor", "author"]), apiKeyGuard({ scope: ["read"] })];
app.use("/admin", requireRole("admin"), router);
app.use(requireAuth());
app.post("/parsed", express.json(), requireAuth(), (req, res) => {
  const { userId } = signedIn(req);
  const anybody: AuthContext = req.auth;
  res.json({ userId, anybody, body: req.body as unknown });
});
app.post("/parsed-behind", requireAuth(), express.json(), (req, res) => void res.json(signedIn(req).userId));
app.get("/listed", guards, (req: Request, res: Response) => void res.json(signedIn(req).userId));

// Handlers written elsewhere, with Express's own types.
const show = (req: Request<{ id: string }>, res: Response, next: NextFunction) => {
  const { userId } = signedIn(req);
  if (userId !== req.params.id) return next();
  res.json({ userId });
};
app.get("/shown/:id", requireAuth(), show);
app.get("/user", requireAuth({ user: true }), (req, res) => {
  // @ts-expect-error the guard loads it, but the type does not promise it
  const id: string = req.user.id;
  const name: string | null | undefined = req.user?.name;
  res.json({ id, name });
});

// The parts compose alone.
app.use(authenticate(auth), csrf({ origin: process.env.BASE_URL }), rateLimit({ name: "all", limit: process.env.LIMIT }));
app.use("/auth", auth.routes());
app.use(errorHandler());
app.use(auth);

// What comes from the environment may be undefined, in every option that is not one of rights.
export const fromEnvironment: AuthOptions = {
  secret: [process.env.AUTH_SECRET_NEW, process.env.AUTH_SECRET],
  baseUrl: process.env.BASE_URL,
  basePath: process.env.BASE_PATH,
  appName: process.env.APP_NAME,
  signInUrl: process.env.SIGN_IN_URL,
  cookie: { name: process.env.COOKIE_NAME, domain: process.env.COOKIE_DOMAIN },
  session: { idleTtl: process.env.IDLE === undefined ? undefined : Number(process.env.IDLE) },
};
requireAuth({ signInUrl: process.env.SIGN_IN_URL, user: undefined });
// @ts-expect-error a role that may be missing must not come to mean any role
requireRole(process.env.ROLE);
// @ts-expect-error nor so here
export const loose: RequireAuthOptions = { roles: undefined };

// Events are told apart by their type.
auth.events.on("session.revoked", (event) => {
  const reason:
    | ("sign_out" | "provider_sign_out" | "revoked" | "revoked_all" | "replaced")
    | ("stale_epoch" | "disabled" | "deleted" | "refresh_token_reused") = event.details.reason;
  // @ts-expect-error this event has no such detail
  return [reason, event.details.keyId];
});
auth.events.on("*", async (event: AuthEvent) => {
  if (event.type === "api_key.used") await Promise.resolve(event.details.keyId);
});
// @ts-expect-error there is no such event
auth.events.on("session.deleted", () => {});

export async function services(): Promise<void> {
  const user: User = await auth.users.create({ email: process.env.EMAIL });
  const { session, token } = await auth.sessions.create({ userId: user.id, tenantId: undefined, source: undefined });
  await auth.sessions.revokeAll(user.id, { keep: session, source: undefined });
  await auth.users.setRoles(user.id, ["editor"]);
  // @ts-expect-error sessions are changed by their operations alone
  session.roles = ["admin"];
  // @ts-expect-error nobody but the kit says who has which roles
  await auth.sessions.create({ userId: user.id, roles: ["admin"] });
  await auth.sessions.resolve(token);
}

app.get("/by-kind", (req) => {
  if (req.auth.kind === "session") {
    const at: number = req.auth.authenticatedAt;
    const id: string = req.auth.session.id;
    return [at, id];
  }
  if (req.auth.kind === "api_key") {
    const name: string = req.auth.apiKey.name;
    return [name];
  }
  // @ts-expect-error only a session has one
  return [req.auth.session.id];
});

export const elsewhere: RequestHandler = (req, res) => {
  const userId: string = signedIn(req).userId;
  res.json({ userId });
};

// @ts-expect-error a misspelt option
requireAuth({ scopes: ["reports:read"] });
// @ts-expect-error no kind of credential
requireAuth({ kinds: ["cookie"] });
// @ts-expect-error anonymous is what guards are there to refuse
requireAuth({ kinds: ["anonymous"] });
// @ts-expect-error a misspelt option
createAuth({ secrets: "..." });
// @ts-expect-error made by latchkey alone
export const forged: AuthContext = { kind: "session", userId: "user-1" };
