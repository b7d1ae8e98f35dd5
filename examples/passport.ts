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
    <input name="username"> <input name="password" type="password"> <button name="return_to" value="/me">Sign in</button>
  </form>`);
});
app.get("/me", requireAuth({ user: true }), (req, res) => {
  res.json({ email: req.user?.email });
});
app.post("/leave", (req, res, next) => {
  req.logout((error) => (error ? next(error) : res.redirect("/sign-in")));
});

await auth.users.create({ id: "user-1", email: "ada@example.com" });
app.listen(3000);
