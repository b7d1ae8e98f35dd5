import express from "express";
import { createAuth, requireAuth } from "latchkey";
import { consoleTransport } from "latchkey/email/console";

const auth = createAuth({ secret: process.env.AUTH_SECRET, email: consoleTransport(), appName: "Acme" });
const app = express();
app.use(auth);
app.get("/sign-in", (_req, res) => {
  res.send(`<form method="post" action="/auth/magic/send">
    <input name="email" type="email" autocomplete="email" required>
    <button name="return_to" value="/code">Send me a code</button>
  </form>`);
});
app.get("/code", (req, res) => {
  res.send(`<form method="post" action="/auth/magic/verify">
    ${req.query["error"] ? "<p role=alert>That code does not work.</p>" : ""}
    <input name="error_to" type="hidden" value="/code">
    <input name="code" inputmode="numeric" autocomplete="one-time-code" required>
    <button name="return_to" value="/me">Sign in</button>
  </form>`);
});
app.get("/me", requireAuth({ user: true, signInUrl: "/sign-in" }), (req, res) => {
  res.json({ email: req.user?.email });
});
app.listen(3000);
