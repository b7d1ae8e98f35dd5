import express from "express";
import { Redis } from "ioredis";
import { createAuth, requireAuth } from "latchkey";
import { clientOptions, redisStore } from "latchkey/adapters/redis";

const client = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379", clientOptions);
client.on("error", (error: Error) => console.error(error.message));

const auth = createAuth({
  secret: process.env.AUTH_SECRET,
  baseUrl: process.env.BASE_URL,
  store: redisStore({ client }),
});
const app = express();
app.use(auth);
app.get("/me", requireAuth(), (req, res) => {
  res.json({ id: req.auth.userId });
});
const server = app.listen(3000);

process.once("SIGTERM", () => {
  server.close(() => {
    void auth.close().then(() => client.quit());
  });
});
