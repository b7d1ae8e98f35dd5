// better-auth with its sessions in Redis alone, and its users in memory, where reading one costs nothing. COOKIE_CACHE=1 switches its cookie cache on.
import { redisStorage } from "@better-auth/redis-storage";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { createAuthEndpoint } from "better-auth/api";
import { setSessionCookie } from "better-auth/cookies";
import { fromNodeHeaders } from "better-auth/node";
import express from "express";
import { Redis } from "ioredis";
import { answer, serve } from "../apps/serve.mjs";

const signIn = createAuthEndpoint("/benchmark/sign-in", { method: "POST" }, async (context) => {
  const { internalAdapter } = context.context;
  const email = `${context.query.user}@example.com`;
  const user =
    (await internalAdapter.findUserByEmail(email))?.user ?? (await internalAdapter.createUser({ email, name: "", emailVerified: true }));
  await setSessionCookie(context, { session: await internalAdapter.createSession(user.id), user });
  return context.json({});
});

const auth = betterAuth({
  baseURL: "http://localhost",
  secret: "a secret of the benchmark, which is long enough",
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  secondaryStorage: redisStorage({ client: new Redis(process.env.REDIS_URL) }),
  session: { cookieCache: { enabled: process.env.COOKIE_CACHE === "1" } },
  rateLimit: { enabled: false },
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [{ id: "benchmark", endpoints: { signIn } }],
});
const app = express();

app.post("/sign-in", async (req, res) => {
  const { headers } = await auth.api.signIn({ query: req.query, headers: fromNodeHeaders(req.headers), returnHeaders: true });
  res.setHeader("set-cookie", headers.getSetCookie());
  res.json({});
});
app.use(async (req, res, next) => {
  req.session = await auth.api.getSession({ headers: fromNodeHeaders(req.headers) });
  next();
});
app.get("/me", (req, res) => {
  if (!req.session) return void res.sendStatus(401);
  answer(res, req.session.user.id);
});

serve(app);
