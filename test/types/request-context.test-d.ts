// What a handler may rely on behind each guard. Checked by the compiler alone, never run.
import express, { type RequestHandler } from "express";
import { createAuth, requireAuth, requireRole, signedIn, type AuthContext } from "latchkey";

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
