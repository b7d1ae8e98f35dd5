import express from "express";
import { createAuth, requireAuth } from "latchkey";
import { Strategy as LocalStrategy } from "passport-local";

// Any Passport strategy will do. Its user is { id }, or what identify("provider") makes of a profile.
const local = new LocalStrategy((username, password, done) => {
  done(null, username === "ada" && password === "correct horse battery staple" ? { id: "user-1" } : false);
});

const auth = createAuth({ secret: process.env.AUTH_SECRET, strategies: [local] });
const app = express();
app.use(auth);
app.get("/sign-in", (_req, res) => {
  res.send(`<form method="post" action="/auth/login/local">
    <input name="username"> <input name="password" type="password"> <button>Sign in</button>
  </form>`);
});
app.get("/me", requireAuth(), (req, res) => {
  res.json({ id: req.auth.userId, session: req.auth.kind });
});
app.post("/leave", (req, res, next) => {
  req.logout((error) => (error ? next(error) : res.redirect("/sign-in")));
});
app.listen(3000);
