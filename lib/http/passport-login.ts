import type { Request, Response } from "express";
import { anonymousContext, sessionContext } from "../core/context.ts";
import type { Kit } from "../core/kit.ts";
import { PermissionError, RequestError } from "../errors.ts";
import { assertKnown } from "./authenticate.ts";
import type { Cookies } from "./cookies.ts";
import { readCookie } from "./extract.ts";
import type { PassportHabits } from "./services.ts";
import { requestSource } from "./source.ts";
import { assertNoProfile } from "./strategy-user.ts";

/** `req.login` and `req.logout` over our own sessions; afterwards `req.auth` is what it became. */
export function createPassportHabits(
  { sessions, magicCodes, events, clock }: Kit,
  cookies: Cookies,
  scopes: ReadonlySet<string>,
): PassportHabits {
  const responseOf = (req: Request) => req.res as Response;

  return {
    async login(req, user) {
      assertKnown(req);
      if (typeof user === "object" && user !== null) assertNoProfile(user);
      const userId = typeof user === "string" ? user : (user as { id?: unknown } | null)?.id;
      if (typeof userId !== "string" || userId === "") throw new RequestError("req.login needs a user with an id");
      const source = requestSource(req);
      const before = req.auth.kind === "session" ? req.auth.session.id : req.auth.kind === "access_token" ? req.auth.sessionId : null;
      // At once: who it is, is proven, whatever becomes of the session, and neither waits for the other.
      const [{ session, token }] = await Promise.all([
        sessions.upgrade(readCookie(req, cookies.session), { userId, methods: ["login"], source }),
        magicCodes.clearFailures(userId),
      ]);
      if (before) await sessions.revoke(before, { reason: "replaced", source });
      events.emit("sign_in.succeeded", { method: "login", sessionId: session.id }, { userId, source });
      cookies.set(responseOf(req), cookies.session, token, (session.expiresAt - clock.now()) / 1000);
      req.auth = sessionContext(session, scopes);
      if (typeof user === "object") req.user = user as Express.User;
    },
    async logout(req) {
      assertKnown(req);
      // The session is not to be ended by another site, so its cookie is not either: it would be out of sight, and go on.
      if (req.auth.failure instanceof PermissionError) throw req.auth.failure;
      if (req.auth.kind === "session" || req.auth.kind === "guest") {
        await sessions.revoke(req.auth.session.id, { reason: "sign_out", source: requestSource(req) });
      }
      if (req.auth.kind === "access_token") await sessions.revoke(req.auth.sessionId, { reason: "sign_out", source: requestSource(req) });
      for (const name of cookies.credentials) cookies.clear(responseOf(req), name);
      req.auth = anonymousContext();
      req.user = undefined;
    },
  };
}
