// Who issues access tokens, for APIs that are not latchkey applications themselves: Ed25519, and the claims that latchkey sets.
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const issuer = "http://localhost";
export const audience = "http://api";

/** Its keys, and a route that makes so many tokens; the same in every app, so that what came before the measured requests is the same, too. */
export async function startIssuer(app) {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA");
  const kid = "k".repeat(43);
  const claims = { sid: "s".repeat(43), type: "access", styp: "full", roles: [], auth_time: 1_700_000_000, amr: ["login"] };
  const issue = (_, i) =>
    new SignJWT({ ...claims, jti: String(i).padStart(22, "0") })
      .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject("user-1")
      .setIssuedAt()
      .setNotBefore("0s")
      .setExpirationTime("15m")
      .sign(privateKey);
  app.post("/tokens", async (req, res) => {
    res.json(await Promise.all(Array.from({ length: Number(req.query.count) }, issue)));
  });
  return { publicKey, jwks: { keys: [{ ...(await exportJWK(publicKey)), kid, alg: "EdDSA", use: "sig" }] } };
}
