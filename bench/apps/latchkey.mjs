// As an application would use it: the built package, the production store, the default session settings.
import express from "express";
import { Redis } from "ioredis";
import { createAuth, requireAuth } from "latchkey";
import { clientOptions, redisStore } from "latchkey/adapters/redis";
import { answer, serve } from "./serve.mjs";

const auth = createAuth({
  secret: "a secret of the benchmark, which is long enough",
  baseUrl: "http://localhost",
  store: redisStore({ client: new Redis(process.env.REDIS_URL, clientOptions) }),
  apiKeys: true,
});
const app = express();

app.use(auth);
app.get("/me", requireAuth(), (req, res) => {
  answer(res, req.auth.userId);
});
app.post("/sign-in", (req, res, next) => {
  req.login({ id: req.query.user }, (error) => (error ? next(error) : res.json({})));
});
app.post("/session", async (req, res) => {
  await auth.sessions.create({ userId: req.query.user });
  res.json({});
});
app.post("/api-key", async (req, res) => {
  const { key } = await auth.apiKeys.create({ userId: req.query.user, name: "benchmark" });
  res.json({ key });
});
app.post("/end-all", async (req, res) => {
  await auth.sessions.revokeAll(req.query.user);
  res.json({});
});

serve(app);
