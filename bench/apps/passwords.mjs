// An application with passwords and codes by mail, and a page that needs nobody. It believes X-Forwarded-For, so that each request may come from elsewhere.
import express from "express";
import { Redis } from "ioredis";
import { createAuth } from "latchkey";
import { clientOptions, redisStore } from "latchkey/adapters/redis";
import { serve } from "./serve.mjs";

const auth = createAuth({
  secret: "a secret of the benchmark, which is long enough",
  baseUrl: "http://localhost",
  store: redisStore({ client: new Redis(process.env.REDIS_URL, clientOptions) }),
  email: { send: async () => {} },
  passwords: { requireConfirmedEmail: true },
});
const app = express();

app.set("trust proxy", true);
app.get("/public", (req, res) => {
  res.json({});
});
app.use(auth);
app.post("/users", express.json(), async (req, res) => {
  const { email, password, confirmed } = req.body;
  const user = await auth.users.create({ email, emailVerified: confirmed });
  if (password) await auth.passwords.change({ userId: user.id, password });
  res.json({ id: user.id });
});

serve(app);
