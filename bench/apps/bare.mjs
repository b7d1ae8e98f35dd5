// Express and a route: what any of the others costs at least. It is asked with access tokens, and does not look at them.
import express from "express";
import { startIssuer } from "./issuer.mjs";
import { answer, serve } from "./serve.mjs";

const app = express();
await startIssuer(app);

app.get("/me", (req, res) => {
  answer(res, "user-1");
});
app.post("/sign-in", (req, res) => {
  res.cookie("sid", "nobody").json({});
});

serve(app);
