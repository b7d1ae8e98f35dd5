// Express and what a verification by jose costs at least: Ed25519, and the claims every access token has to be checked for.
import express from "express";
import { jwtVerify } from "jose";
import { audience, issuer, startIssuer } from "./issuer.mjs";
import { answer, serve } from "./serve.mjs";

const app = express();
const { publicKey } = await startIssuer(app);

app.get("/me", async (req, res) => {
  const { payload } = await jwtVerify(req.headers.authorization.slice(7), publicKey, { issuer, audience });
  answer(res, payload.sub);
});

serve(app);
