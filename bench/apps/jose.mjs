// Express and what a verification by jose costs at least: Ed25519, and the claims every access token has to be checked for.
import express from "express";
import { generateKeyPair, jwtVerify, SignJWT } from "jose";
import { answer, serve } from "./serve.mjs";

const { publicKey, privateKey } = await generateKeyPair("EdDSA");
const issuer = "http://localhost";
const audience = "http://api";
const app = express();

app.get("/me", async (req, res) => {
  const { payload } = await jwtVerify(req.headers.authorization.slice(7), publicKey, { issuer, audience });
  answer(res, payload.sub);
});
app.post("/tokens", async (req, res) => {
  const claims = { sid: "s".repeat(43), type: "access", styp: "full", roles: [], auth_time: 1_700_000_000, amr: ["login"] };
  const issue = (_, i) =>
    new SignJWT({ ...claims, jti: String(i).padStart(22, "0") })
      .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: "k".repeat(43) })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject("user-1")
      .setIssuedAt()
      .setNotBefore("0s")
      .setExpirationTime("15m")
      .sign(privateKey);
  res.json(await Promise.all(Array.from({ length: Number(req.query.count) }, issue)));
});

serve(app);
