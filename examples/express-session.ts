import express from "express";
import session from "express-session";
import { createAuth, requireAuth } from "latchkey";
import { migrateExpressSession } from "latchkey/express-session";

// As express-session had them: its store (connect-redis or whichever it was), its secret, and the name of its cookie.
const store = new session.MemoryStore();
const secret = process.env.SESSION_SECRET ?? "the secret of express-session";

const auth = createAuth({ secret: process.env.AUTH_SECRET });
const app = express();
app.use(migrateExpressSession({ auth, store, secret, cookieName: "connect.sid" }));
app.use(auth);
app.get("/me", requireAuth(), (req, res) => {
  res.json({ id: req.auth.userId });
});
app.listen(3000);
