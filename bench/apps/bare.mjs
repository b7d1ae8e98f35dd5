// Express and a route: what any of the others costs at least.
import express from "express";
import { answer, serve } from "./serve.mjs";

const app = express();
app.get("/me", (req, res) => {
  answer(res, "user-1");
});
app.post("/sign-in", (req, res) => {
  res.cookie("sid", "nobody").json({});
});
app.post("/tokens", (req, res) => {
  res.json(Array.from({ length: Number(req.query.count) }, (_, i) => String(i).padStart(600, "x")));
});

serve(app);
