import { z } from "zod";
import { CredentialError, NotFoundError, PermissionError, RequestError } from "../../errors.ts";
import { assertKnown } from "../authenticate.ts";
import { readCookie } from "../extract.ts";
import { text } from "../input.ts";
import { OWN_SESSION, ownSession } from "../own-session.ts";
import { signedIn } from "../require-auth.ts";
import { HOOK, RACED, REFUSED_CREDENTIAL, RETURN_TO } from "../openapi-problems.ts";
import { credentialFields, sessionSchema, sessionTokenFields, signedOutSchema, successSchema, userSchema } from "../openapi-schemas.ts";
import { route } from "../route.ts";
import { sessionView, tokenLeftView, userView } from "../views.ts";
import { chooseTransport, clearCredentials, guestTransport, sendSession } from "../transports.ts";

const nothing = z.strictObject({});
const returning = z.strictObject({ return_to: text(2048).optional() });
const transport = z.enum(["session", "token"]).optional();
const sessionId = z.strictObject({ id: z.string().regex(/^[\w-]{43}$/) });

/** Who am I, my devices, and leaving. */
export const sessionRoutes = [
  route({
    operationId: "meGet",
    method: "GET",
    path: "/me",
    summary: "The signed-in user.",
    guard: {},
    answers: { 200: userSchema, problems: ["404 user_not_found"] },
    async handle({ kit, req }) {
      const { userId } = signedIn(req);
      const user = await kit.users.findById(userId);
      if (!user) throw new NotFoundError("This account no longer exists", "user_not_found");
      return { json: userView(user) };
    },
  }),

  route({
    operationId: "signOut",
    method: "POST",
    path: "/sign-out",
    summary: "Ends the session of this browser or client, which any of its credentials names, and clears its cookies.",
    body: returning.extend({ refresh_token: text(256).optional() }),
    answers: {
      200: signedOutSchema,
      303: RETURN_TO,
      problems: [...REFUSED_CREDENTIAL, "401 refresh_token_reused", "403 credential_not_allowed"],
    },
    shows: ["bearer", "sessionCookie", "accessCookie", "refreshCookie"],
    async handle(call) {
      const { kit, http, req, source, body } = call;
      assertKnown(req);
      const { auth } = req;
      let left = {};
      // Whoever shows a bearer means that, or what the body says: no cookie stands in for one that does not hold.
      const cookie = req.headers.authorization === undefined ? readCookie(req, http.cookies.refresh) : null;
      const presented = body.refresh_token ?? cookie;
      if (auth.kind === "session" || auth.kind === "guest") {
        await kit.sessions.revoke(auth.session.id, { reason: "sign_out", source });
        clearCredentials(call, auth.session.transport === "session" ? [http.cookies.session] : []);
      } else if (auth.kind === "api_key") {
        throw new PermissionError("credential_not_allowed", "An API key is no session");
      } else if (kit.refreshTokens && presented !== null) {
        // It says more than an access token beside it: a forged one ends nothing.
        const transport = body.refresh_token === undefined ? "cookie" : "bearer";
        await kit.refreshTokens.revoke(presented, { transport, source });
        clearCredentials(call, transport === "cookie" ? [http.cookies.access, http.cookies.refresh] : []);
      } else if (auth.kind === "access_token") {
        const ended = await kit.sessions.revoke(auth.sessionId, { reason: "sign_out", source });
        if (!ended) left = tokenLeftView(auth);
        clearCredentials(call, req.headers.authorization === undefined ? [http.cookies.access, http.cookies.refresh] : []);
      } else {
        throw auth.failure ?? new CredentialError("authentication_required", "Sign in first");
      }
      return { json: { success: true, message: "Signed out.", ...left }, location: http.returnTo(req, body.return_to) };
    },
  }),

  route({
    operationId: "guestCreate",
    method: "POST",
    path: "/guest",
    summary: "A guest session, for somebody not known: a cart, a draft.",
    body: z.strictObject({ transport }),
    limit: "60/1h",
    answers: {
      200: z.strictObject({ guest: z.literal(true), user_id: z.string(), ...sessionTokenFields }),
      problems: ["400 already_signed_in", "400 insecure_token_transport", "413 session_data_too_large", "401 session_revoked"],
    },
    async handle(call) {
      const { kit, req, source, body } = call;
      const chosen = body.transport ?? guestTransport(call);
      chooseTransport(call, chosen);
      assertKnown(req);
      if (req.auth.isAuthenticated) throw new RequestError("You are signed in already", "already_signed_in");
      if (req.auth.kind === "guest") return { json: { guest: true, user_id: req.auth.userId } };
      const issued = await kit.sessions.createGuest({ source, transport: chosen });
      return { json: { guest: true, user_id: issued.session.userId, ...(await sendSession(call, issued)) } };
    },
  }),

  route({
    operationId: "tenantSelect",
    method: "POST",
    path: "/tenant",
    summary: "Moves this session to a tenant the user is a member of; null leaves it.",
    guard: OWN_SESSION,
    body: z.strictObject({ tenant_id: text(128).nullable() }),
    answers: {
      200: z.strictObject({ tenant_id: z.string().nullable(), ...credentialFields }),
      problems: ["403 not_a_member", ...RACED],
      default: HOOK,
    },
    async handle(call) {
      const issued = await call.kit.sessions.setTenant(ownSession(call.req), call.body.tenant_id);
      return { json: { tenant_id: issued.session.tenantId, ...(await sendSession(call, issued)) } };
    },
  }),

  route({
    operationId: "sessionsList",
    method: "GET",
    path: "/sessions",
    summary: "Where this user is signed in.",
    guard: OWN_SESSION,
    query: nothing,
    answers: { 200: z.array(sessionSchema) },
    async handle({ kit, req }) {
      const current = ownSession(req);
      const sessions = await kit.sessions.list(current.userId);
      return { json: sessions.map((session) => sessionView(session, current.id)) };
    },
  }),

  route({
    operationId: "sessionsRevoke",
    method: "DELETE",
    path: "/sessions",
    summary: "Ends all sessions of this user but this one.",
    guard: OWN_SESSION,
    answers: { 200: successSchema, problems: RACED },
    async handle({ kit, req, source }) {
      const keep = ownSession(req);
      await kit.sessions.revokeAll(keep.userId, { keep, source });
      return { json: { success: true } };
    },
  }),

  route({
    operationId: "sessionRevoke",
    method: "DELETE",
    path: "/sessions/{id}",
    summary: "Ends one session of this user.",
    guard: OWN_SESSION,
    params: sessionId,
    answers: { 200: successSchema, problems: ["404 not_found"] },
    async handle(call) {
      const { kit, req, source, params } = call;
      const current = ownSession(req);
      const ended = await kit.sessions.revoke(params.id, { userId: current.userId, source });
      if (!ended) throw new NotFoundError("No such session");
      if (params.id === current.id) clearCredentials(call, []);
      return { json: { success: true } };
    },
  }),
];
