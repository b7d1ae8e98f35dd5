import express from "express";
import { createAuth, requireAuth } from "latchkey";
import { sqliteStore } from "latchkey/adapters/sqlite";

const store = sqliteStore({ path: process.env.DATABASE_FILE ?? "auth.db" });
await store.migrate(); // makes the tables; safe to repeat, and for several processes at once

const auth = createAuth({ secret: process.env.AUTH_SECRET, baseUrl: process.env.BASE_URL, store });
const app = express();
app.use(auth);
app.get("/me", requireAuth(), (req, res) => {
  res.json({ id: req.auth.userId });
});
app.listen(3000);
