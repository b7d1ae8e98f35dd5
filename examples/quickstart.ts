import express from "express";
import { createAuth, requireAuth } from "latchkey";

const auth = createAuth({ secret: process.env.AUTH_SECRET }); // memory store, codes printed to the console
const app = express();
app.use(auth); // req.auth on every request, /auth/* served
app.get("/me", requireAuth(), (req, res) => {
  res.json({ id: req.auth.userId });
});
app.listen(3000);
