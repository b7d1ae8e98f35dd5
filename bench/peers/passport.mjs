// express-session with connect-redis under Passport, as their guides show it, and no dearer than they must be: `rolling`, `resave` and `saveUninitialized` are
// off, and reading a user back costs nothing. connect-redis 9 needs node-redis; it works on no ioredis.
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import passport from "passport";
import { createClient } from "redis";
import { answer, serve } from "../apps/serve.mjs";

const client = await createClient({ url: process.env.REDIS_URL }).connect();
const app = express();

passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, { id }));

app.use(
  session({
    store: new RedisStore({ client }),
    secret: "a secret of the benchmark, which is long enough",
    resave: false,
    rolling: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: "lax", maxAge: 86_400_000 },
  }),
);
app.use(passport.session());
app.get("/me", (req, res) => {
  if (!req.isAuthenticated()) return void res.sendStatus(401);
  answer(res, req.user.id);
});
app.post("/sign-in", (req, res, next) => {
  req.login({ id: req.query.user }, (error) => (error ? next(error) : res.json({})));
});

serve(app);
