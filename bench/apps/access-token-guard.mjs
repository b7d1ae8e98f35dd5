// An API that takes another application's access tokens by its published keys: no store. The application that issues them is in the same process, and is
// asked for its keys once.
import express from "express";
import { Redis } from "ioredis";
import { accessTokenGuard, createAuth } from "latchkey";
import { clientOptions, redisStore } from "latchkey/adapters/redis";
import { answer, serve } from "./serve.mjs";

const audience = "http://api";
const issuer = "http://localhost";
const issuing = createAuth({
  secret: "a secret of the benchmark, which is long enough",
  baseUrl: issuer,
  store: redisStore({ client: new Redis(process.env.REDIS_URL, clientOptions) }),
  tokens: { audience },
});
const app = express();

app.get("/me", accessTokenGuard({ issuer, audience, fetch: async () => Response.json(issuing.accessTokens.jwks) }), (req, res) => {
  answer(res, req.auth.userId);
});
app.post("/tokens", async (req, res) => {
  const { session } = await issuing.sessions.create({ userId: "user-1", methods: ["login"] });
  const issued = await Promise.all(Array.from({ length: Number(req.query.count) }, () => issuing.accessTokens.issue(session)));
  res.json(issued.map(({ token }) => token));
});

serve(app);
