// The least that sessions in Redis can cost: a cookie of the same length as latchkey's, one read of a record of the same bytes by the same client
// under the same options, and parsing it. It checks nothing.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import cookieParser from "cookie-parser";
import express from "express";
import { Redis } from "ioredis";
import { clientOptions } from "latchkey/adapters/redis";
import { answer, serve } from "./serve.mjs";

/** Makes the record as long as latchkey's, whose numbers are shorter and which keeps a hash as well. */
const FILLER = "x".repeat(32);
const TOKEN_BYTES = 80;
const ID_LENGTH = 43;

const redis = new Redis(process.env.REDIS_URL, clientOptions);
await once(redis, "ready");
const app = express();

app.use(cookieParser());
app.use(async (req, res, next) => {
  const cookie = req.cookies.sid;
  const record = cookie && (await redis.get(`limit:${cookie.slice(0, ID_LENGTH)}`));
  req.session = record ? JSON.parse(record) : null;
  next();
});
app.get("/me", (req, res) => {
  if (!req.session) return void res.sendStatus(401);
  answer(res, req.session[1]);
});
app.post("/sign-in", async (req, res) => {
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const record = JSON.stringify([FILLER, req.query.user, Date.now(), 2592000, 86400, 0, 0, { m: ["login"], d: [null, "127.0.0.1"] }]);
  await redis.set(`limit:${token.slice(0, ID_LENGTH)}`, record, "EX", 86400);
  res.cookie("sid", token, { httpOnly: true, sameSite: "lax", path: "/", maxAge: 2_592_000_000 }).json({});
});

serve(app);
