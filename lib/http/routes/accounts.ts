import { z } from "zod";
import { NotFoundError } from "../../errors.ts";
import { text } from "../input.ts";
import { FRESH_SESSION, OWN_SESSION, ownSession } from "../own-session.ts";
import { askingInput, beginRoundTrip, leading } from "../round-trip.ts";
import { PROVIDER } from "../openapi-problems.ts";
import { accountSchema, freshTokenSchema, onwardSchema, successSchema } from "../openapi-schemas.ts";
import { route } from "../route.ts";
import { instant } from "../views.ts";

/** The provider accounts linked to the signed-in user. */
export const accountRoutes = [
  route({
    operationId: "accountsList",
    method: "GET",
    path: "/accounts",
    summary: "The provider accounts linked to this user, without their tokens.",
    guard: OWN_SESSION,
    query: z.strictObject({}),
    answers: { 200: z.array(accountSchema) },
    async handle({ kit, req }) {
      const accounts = await kit.accounts.listForUser(ownSession(req).userId);
      return {
        json: accounts.map((account) => ({
          id: account.id,
          provider: account.providerId,
          account_id: account.accountId,
          scope: account.scope,
          reconnect_needed: account.reconnectNeeded,
          created_at: instant(account.createdAt),
        })),
      };
    },
  }),

  route({
    operationId: "accountLink",
    method: "POST",
    path: "/accounts/{provider}/link",
    summary: "Sends the browser to a provider to link that account to this user.",
    guard: FRESH_SESSION,
    params: z.strictObject({ provider: z.string().regex(/^[\w.-]{1,64}$/) }),
    body: z.strictObject({ return_to: text(2048).optional(), error_to: text(2048).optional(), ...askingInput }),
    answers: { 200: onwardSchema, 303: "To the provider.", problems: PROVIDER },
    async handle(call) {
      const { id: sessionId, userId } = ownSession(call.req);
      return beginRoundTrip(call, { intent: "link", ...leading(call, call.body), userId, sessionId }, { asking: call.body });
    },
  }),

  route({
    operationId: "accountRefresh",
    method: "POST",
    path: "/accounts/{provider}/refresh",
    summary: "Renews the provider's tokens if they are about to end. They stay here; the answer says how long they last.",
    guard: OWN_SESSION,
    params: z.strictObject({ provider: z.string().regex(/^[\w.-]{1,64}$/) }),
    body: z.strictObject({}),
    limit: "60/1h",
    answers: {
      200: freshTokenSchema,
      problems: [
        "404 account_not_found",
        "409 no_refresh_token",
        "409 reconnect_needed",
        "409 refresh_unsupported",
        "502 refresh_failed",
        "502 invalid_grant",
        "502 invalid_provider_response",
        "502 provider_error",
        "502 provider_unavailable",
      ],
    },
    async handle({ kit, req, source, params }) {
      const token = await kit.accounts.freshToken(ownSession(req).userId, params.provider, { source });
      return {
        json: {
          id: token.accountId,
          provider: params.provider,
          scope: token.scope,
          access_token_expires_at: instant(token.accessTokenExpiresAt),
        },
      };
    },
  }),

  route({
    operationId: "accountUnlink",
    method: "DELETE",
    path: "/accounts/{id}",
    summary: "Unlinks a provider account; one way in always stays.",
    guard: FRESH_SESSION,
    params: z.strictObject({ id: z.string().regex(/^[\w-]{1,64}$/) }),
    answers: { 200: successSchema, problems: ["404 account_not_found", "404 user_not_found", "409 last_way_in"] },
    async handle({ kit, http, req, source, params }) {
      const { userId } = ownSession(req);
      const user = await kit.users.findById(userId);
      if (!user) throw new NotFoundError("This account no longer exists", "user_not_found");
      const otherWaysIn = http.mailsCodes && user.email !== null && user.emailVerified ? 1 : 0;
      await kit.accounts.unlink({ userId, accountId: params.id, otherWaysIn }, { source });
      return { json: { success: true } };
    },
  }),
];
