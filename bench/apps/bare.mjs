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

serve(app);
