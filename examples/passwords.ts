import express, { type Request } from "express";
import { createAuth, requireAuth } from "latchkey";
import { consoleTransport } from "latchkey/email/console";

const auth = createAuth({ secret: process.env.AUTH_SECRET, email: consoleTransport(), passwords: true, signInUrl: "/sign-in" });
const app = express();
app.use(auth);

const refusals = new Map([
  ["invalid_credentials", "No account has this address and password."],
  ["email_not_confirmed", "Open the link in the mail first."],
  ["weak_password", "That password is too short, or too easy to guess."],
]);
const refusal = ({ query: { error } }: Request) =>
  typeof error === "string" ? `<p role="alert">${refusals.get(error) ?? "That did not work."}</p>` : "";

app.get("/sign-up", (req, res) => {
  res.send(`<form method="post" action="/auth/sign-up">${refusal(req)}
    <input name="error_to" type="hidden" value="/sign-up">
    <input name="email" type="email" autocomplete="username" required>
    <input name="password" type="password" autocomplete="new-password" minlength="15" required>
    <button name="return_to" value="/check-your-mail">Sign up</button>
  </form>`);
});
app.get("/sign-in", (req, res) => {
  res.send(`<form method="post" action="/auth/sign-in">${refusal(req)}
    <input name="error_to" type="hidden" value="/sign-in">
    <input name="email" type="email" autocomplete="username" required>
    <input name="password" type="password" autocomplete="current-password" required>
    <button name="return_to" value="/me">Sign in</button>
  </form> <a href="/sign-up">Sign up</a> <a href="/forgot">Forgot it?</a>`);
});
app.get("/forgot", (_req, res) => {
  res.send(`<form method="post" action="/auth/password/forgot">
    <input name="email" type="email" autocomplete="username" required>
    <button name="return_to" value="/check-your-mail">Send me a link</button>
  </form>`);
});
app.get("/check-your-mail", (_req, res) => {
  res.send("If that address is yours, a mail is on its way to it.");
});
app.get("/me", requireAuth({ user: true }), (req, res) => {
  res.json({ email: req.user?.email });
});
app.listen(3000);
