import express from "express";
import { createAuth, requireAuth } from "latchkey";
import { github } from "latchkey/strategies/github";
import { oidc } from "latchkey/strategies/oidc";

const company = oidc({
  name: "company",
  issuer: process.env.OIDC_ISSUER ?? "https://login.example.com",
  clientId: process.env.OIDC_CLIENT_ID ?? "my-app",
  clientSecret: process.env.OIDC_CLIENT_SECRET ?? "secret",
});
const hub = github({
  clientId: process.env.GITHUB_CLIENT_ID ?? "my-app",
  clientSecret: process.env.GITHUB_CLIENT_SECRET ?? "secret",
});

const auth = createAuth({ secret: process.env.AUTH_SECRET, strategies: [company, hub] });
const app = express();
app.use(auth);
app.get("/", (req, res) => {
  const links = `<a href="/auth/login/company">Company</a> or <a href="/auth/login/github">GitHub</a>`;
  res.send(req.auth.isAuthenticated ? `Signed in as ${req.auth.userId}` : `Sign in with ${links}`);
});
app.get("/me", requireAuth({ user: true }), (req, res) => {
  res.json({ email: req.user?.email });
});
app.listen(3000);
