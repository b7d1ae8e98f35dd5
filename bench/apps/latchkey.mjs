// As an application would use it: the built package, the production store, the default session settings. CACHED=1 puts `cached` around the store,
// TOKENS=1 switches access tokens on.
import express from "express";
import { Redis } from "ioredis";
import { createAuth, requireAuth } from "latchkey";
import { cached } from "latchkey/adapters/cached";
import { clientOptions, redisStore } from "latchkey/adapters/redis";
import { answer, serve } from "./serve.mjs";

const redis = redisStore({ client: new Redis(process.env.REDIS_URL, clientOptions) });
const auth = createAuth({
  secret: "a secret of the benchmark, which is long enough",
  baseUrl: "http://localhost",
  store: process.env.CACHED === "1" ? cached(redis) : redis,
  apiKeys: true,
  ...(process.env.TOKENS === "1" ? { tokens: { audience: "http://api" } } : {}),
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
app.post("/tokens", async (req, res) => {
  const { session } = await auth.sessions.create({ userId: "user-1", methods: ["login"] });
  const count = Number(req.query.count);
  const issued = await Promise.all(Array.from({ length: count }, () => auth.accessTokens.issue(session)));
  res.json(issued.map(({ token }) => token));
});
app.post("/end-all", async (req, res) => {
  await auth.sessions.revokeAll(req.query.user);
  res.json({});
});

serve(app);
