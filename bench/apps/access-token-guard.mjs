// An API that takes another application's access tokens by its published keys, which it asks for once: no store.
import express from "express";
import { accessTokenGuard } from "latchkey";
import { audience, issuer, startIssuer } from "./issuer.mjs";
import { answer, serve } from "./serve.mjs";

const app = express();
const { jwks } = await startIssuer(app);

app.get("/me", accessTokenGuard({ issuer, audience, fetch: async () => Response.json(jwks) }), (req, res) => {
  answer(res, req.auth.userId);
});

serve(app);
