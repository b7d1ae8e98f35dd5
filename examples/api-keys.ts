import express from "express";
import { createAuth, requireAuth } from "latchkey";

const auth = createAuth({ secret: process.env.AUTH_SECRET, apiKeys: { scopes: ["reports:read"] } });
const app = express();
app.use(auth);
app.get("/me", requireAuth({ kinds: ["api_key"], scope: ["reports:read"] }), (req, res) => {
  res.json({ owner: req.auth.userId, scopes: [...req.auth.scopes] });
});
app.listen(3000);

// A person makes keys by POST /auth/api-keys; the application may as well.
const { key } = await auth.apiKeys.create({ userId: "user-1", name: "nightly report", scopes: ["reports:read"] });
console.log(`curl --header "Authorization: Bearer ${key}" http://localhost:3000/me`);
