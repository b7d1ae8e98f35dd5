import { z } from "zod";
import { parseLimit } from "../../core/rate-limits.ts";
import { CredentialError, NotFoundError, PermissionError } from "../../errors.ts";
import { readCookie } from "../extract.ts";
import { text } from "../input.ts";
import { HOOK, THROTTLED } from "../openapi-problems.ts";
import { refreshedSchema } from "../openapi-schemas.ts";
import { countCall, countForgery } from "../rate-limit.ts";
import { route } from "../route.ts";
import { sendTokens } from "../transports.ts";
import { userView } from "../views.ts";

/** Of one session, whose tabs may all ask at once when a laptop wakes up. Sources have no such limit: behind one address may be a whole town. */
const PER_SESSION = parseLimit("300/5m");

/**
 * New tokens for old. A good refresh costs four reads, a write and a count, in four waits: the count goes out with the first read. What was
 * not made here costs a count by its source and nothing else, so that a flood of it keeps nobody from refreshing.
 */
export const refreshRoutes = [
  route({
    operationId: "refresh",
    method: "POST",
    path: "/refresh",
    summary: "A new access token, and a refresh token that replaces the one presented, in the body or the cookie.",
    body: z.strictObject({ refresh_token: text(256).optional() }),
    answers: {
      200: refreshedSchema,
      problems: [
        "401 authentication_required",
        "401 invalid_token",
        "401 session_not_found",
        "401 refresh_token_reused",
        "401 session_revoked",
        "401 user_disabled",
        "401 user_not_found",
        "403 email_not_confirmed",
        "404 not_found",
        ...THROTTLED,
      ],
      default: HOOK,
    },
    shows: ["bearer", "refreshCookie"],
    async handle(call) {
      const { kit, http, req, body, source } = call;
      if (!kit.refreshTokens) throw new NotFoundError("There is no such route");
      const presented = body.refresh_token ?? readCookie(req, http.cookies.refresh);
      if (presented === null) throw new CredentialError("authentication_required", "There is no refresh token: sign in first");
      const transport = body.refresh_token === undefined ? "cookie" : "bearer";
      const family = kit.refreshTokens.sessionOf(presented);
      if (family === null) await countForgery(call, "refresh_forgeries");
      const admit = () => countCall(call, { name: "refresh", key: family, limit: PER_SESSION });
      const { session, refreshToken } = await kit.refreshTokens.rotate(presented, { transport, source, admit });
      const user = await kit.users.findById(session.userId);
      // Whom the application's own store has no longer. In ours who is missing came by a strategy of the application's that keeps users elsewhere.
      // 401 as for any other end: to clients 404 says that nothing is refreshed here.
      if (!user && http.ownUsers) {
        await kit.sessions.revoke(session.id, { source });
        throw new CredentialError("user_not_found", "This account no longer exists");
      }
      // As signing in would: the address may have been taken from the account, or confirming it come to be required, since then.
      if (http.confirmedPasswords && user && !user.emailVerified && session.methods.includes("password")) {
        await kit.sessions.revoke(session.id, { source });
        throw new PermissionError("email_not_confirmed", "Email not confirmed");
      }
      return { json: { user: user ? userView(user) : { id: session.userId }, ...(await sendTokens(call, session, refreshToken)) } };
    },
  }),
];
