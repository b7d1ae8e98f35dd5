import { AuthError, ConfigError, CredentialError } from "../errors.ts";
import { readCookie } from "../http/extract.ts";
import { servicesOf } from "../http/services.ts";
import { failed, type Step } from "./step.ts";

/** `Bearer X` or `Bearer: X`, in any case. @see RFC 9110 section 11.1, for the case. */
const HEADER = /^bearer:? +(\S+)$/i;

/** Takes the token of the Authorization header, if there is one. Never fails. */
export function tokenFromHeader(): Step {
  return {
    name: "tokenFromHeader",
    gives: "token",
    run(state) {
      const token = HEADER.exec(state.req.headers.authorization ?? "")?.[1];
      return token === undefined ? state : { ...state, token, transport: "bearer" };
    },
  };
}

/**
 * Takes the token of a cookie, where the header had none; or its signature, where the header had the other two parts. A cookie beside a
 * whole bearer is ignored. A cookie that acts alone must come from one of our own pages.
 *
 * Fails with 403 `cross_site_request`.
 * @throws {ConfigError} now, for an empty name.
 */
export function tokenFromCookie(name: string): Step {
  if (typeof name !== "string" || name === "") throw new ConfigError("tokenFromCookie", "give the name of the cookie");
  return {
    name: "tokenFromCookie",
    gives: "token",
    run(state) {
      const cookie = readCookie(state.req, name);
      if (cookie === null) return state;
      if (state.token === null) {
        const refusal = servicesOf(state.req, "tokenFromCookie").adoption.crossSite(state.req);
        return refusal ? failed(state, refusal) : { ...state, token: cookie, transport: "cookie" };
      }
      // Exactly two parts: a bearer that is whole beside a signature left behind stays whole.
      const half = /^[\w-]+\.[\w-]+(\.?)$/.exec(state.token);
      if (!half || (half[1] === "" && !cookie.startsWith(".")) || (half[1] === "." && cookie.startsWith("."))) return state;
      return { ...state, token: state.token + cookie, transport: "split" };
    },
  };
}

/**
 * Verifies the token's signature, type, issuer and audience by our keys, as `auth.accessTokens.verify` does, and says nothing of times
 * and further claims. No store.
 *
 * Fails with "bearer token not found" (401 `authentication_required`) or "bearer token signature invalid" (401 `invalid_token`).
 */
export function verifySignature(): Step {
  return {
    name: "verifySignature",
    needs: "token",
    gives: "claims",
    async run(state, { accessTokens }) {
      if (state.token === null) return failed(state, new CredentialError("authentication_required", "bearer token not found"));
      if (!accessTokens) throw new ConfigError("tokens", "set it, for pipelines");
      try {
        return { ...state, claims: await accessTokens.verifySignature(state.token) };
      } catch (cause) {
        if (!(cause instanceof AuthError) || cause.status !== 401) throw cause;
        return failed(state, new CredentialError("invalid_token", "bearer token signature invalid", { cause }));
      }
    },
  };
}
