import { z } from "zod";
import type { AccountSummary } from "../../core/accounts.ts";
import type { ListedCode, Listing } from "../../core/operators.ts";
import { ConfigError, RequestError } from "../../errors.ts";
import type { ApiKey } from "../../core/api-keys.ts";
import type { ListedSession } from "../../core/sessions.ts";
import { text } from "../input.ts";
import { accountSchema, adminCodeSchema, apiKeySchema, pageOf, sessionSchema, successSchema, userSchema } from "../openapi-schemas.ts";
import { signedIn } from "../require-auth.ts";
import { route, type RouteCall } from "../route.ts";
import { apiKeyView, instant, sessionView, userView } from "../views.ts";

/** A signed-in administrator who authenticated lately: never a key, a token, or a session left open. */
const ADMIN = { kinds: ["session"], roles: ["admin"], maxAge: 600 } as const;
const PAGE = z.strictObject({ cursor: text(12 * 1024).optional(), limit: z.coerce.number().int().min(1).max(100).default(50) });

const owned = { user_id: z.string() };
const adminSessionSchema = sessionSchema
  .omit({ current: true })
  .extend({ ...owned, kind: z.enum(["user", "guest"]), expired: z.boolean() });
const adminApiKeySchema = apiKeySchema.extend(owned);
const adminAccountSchema = accountSchema.extend({ ...owned, pending: z.boolean() });

const pageQuery = ({ cursor, limit }: z.infer<typeof PAGE>) => ({ limit, ...(cursor === undefined ? {} : { after: cursor }) });
const listed = async <T>(page: Promise<Listing<T>>, view: (item: T) => object) => {
  const { items, next, unreadable } = await page.catch((error: unknown) => {
    // To a store it is a fault of the program; here it came with the request.
    throw error instanceof ConfigError && error.option === "scan" ? new RequestError("The cursor is not of this list") : error;
  });
  return { json: { items: items.map(view), next_cursor: next, unreadable } };
};
const by = ({ req, source }: RouteCall<unknown, unknown, unknown>) => {
  const { userId, tenantId } = signedIn(req);
  return { userId, tenantId, source };
};
const done = { json: { success: true } };

/** What administrators see and end, whoever's it is. Secrets are in no answer. */
export const adminRoutes = [
  route({
    operationId: "adminSessionsList",
    method: "GET",
    path: "/admin/sessions",
    summary: "All sessions, a page at a time, in no order.",
    guard: ADMIN,
    query: PAGE,
    answers: { 200: pageOf(adminSessionSchema) },
    async handle({ kit, query }) {
      const page = kit.sessions.listAll(pageQuery(query)).then(({ sessions, ...rest }) => ({ ...rest, items: sessions }));
      return await listed(page, sessionItem);
    },
  }),
  route({
    operationId: "adminSessionRevoke",
    method: "DELETE",
    path: "/admin/sessions/{id}",
    summary: "Ends a session.",
    guard: ADMIN,
    params: z.strictObject({ id: z.string().regex(/^[\w-]{43}$/) }),
    answers: { 200: successSchema, problems: ["404 not_found"] },
    async handle(call) {
      await call.kit.operators.revokeSession(call.params.id, by(call));
      return done;
    },
  }),
  route({
    operationId: "adminUsersList",
    method: "GET",
    path: "/admin/users",
    summary: "All users, a page at a time, in no order; not where the application keeps its users itself.",
    guard: ADMIN,
    query: PAGE,
    answers: { 200: pageOf(userSchema), problems: ["404 not_found"] },
    async handle({ kit, query }) {
      return await listed(kit.operators.users(pageQuery(query)), userView);
    },
  }),
  route({
    operationId: "adminUserDelete",
    method: "DELETE",
    path: "/admin/users/{user_id}",
    summary: "Removes a user, but not oneself, with all sessions, keys and accounts.",
    guard: ADMIN,
    params: z.strictObject({ user_id: text(255) }),
    answers: { 200: successSchema, problems: ["400 invalid_user_id", "409 own_user"] },
    async handle(call) {
      await call.kit.operators.deleteUser(call.params.user_id, by(call));
      return done;
    },
  }),
  route({
    operationId: "adminUserSessionsRevoke",
    method: "DELETE",
    path: "/admin/users/{user_id}/sessions",
    summary: "Ends all sessions of a user.",
    guard: ADMIN,
    params: z.strictObject({ user_id: text(255) }),
    answers: { 200: successSchema, problems: ["400 invalid_user_id"] },
    async handle(call) {
      await call.kit.operators.revokeSessions(call.params.user_id, by(call));
      return done;
    },
  }),
  route({
    operationId: "adminAccountsList",
    method: "GET",
    path: "/admin/accounts",
    summary: "All linked accounts, a page at a time, in no order, without tokens and passwords.",
    guard: ADMIN,
    query: PAGE,
    answers: { 200: pageOf(adminAccountSchema) },
    async handle({ kit, query }) {
      return await listed(kit.operators.accounts(pageQuery(query)), accountItem);
    },
  }),
  route({
    operationId: "adminAccountUnlink",
    method: "DELETE",
    path: "/admin/accounts/{id}",
    summary: "Unlinks an account, but not one's own, also a user's last way in.",
    guard: ADMIN,
    params: z.strictObject({ id: z.string().regex(/^[\w-]{1,64}$/) }),
    answers: { 200: successSchema, problems: ["404 account_not_found", "409 own_user"] },
    async handle(call) {
      await call.kit.operators.unlinkAccount(call.params.id, by(call));
      return done;
    },
  }),
  route({
    operationId: "adminApiKeysList",
    method: "GET",
    path: "/admin/api-keys",
    summary: "All API keys, a page at a time, in no order, without their secrets.",
    guard: ADMIN,
    query: PAGE,
    answers: { 200: pageOf(adminApiKeySchema) },
    async handle({ kit, query }) {
      return await listed(kit.operators.apiKeys(pageQuery(query)), apiKeyItem);
    },
  }),
  route({
    operationId: "adminApiKeyRevoke",
    method: "DELETE",
    path: "/admin/users/{user_id}/api-keys/{id}",
    summary: "Ends a user's key.",
    guard: ADMIN,
    params: z.strictObject({ user_id: text(255), id: z.string().regex(/^[0-9A-Za-z]{22}$/) }),
    answers: { 200: successSchema, problems: ["404 not_found"] },
    async handle(call) {
      await call.kit.operators.revokeApiKey(call.params.user_id, call.params.id, by(call));
      return done;
    },
  }),
  route({
    operationId: "adminCodesList",
    method: "GET",
    path: "/admin/codes",
    summary: "All requests for codes, a page at a time, in no order, without the codes.",
    guard: ADMIN,
    query: PAGE,
    answers: { 200: pageOf(adminCodeSchema) },
    async handle({ kit, query }) {
      return await listed(kit.operators.codes(pageQuery(query)), codeItem);
    },
  }),
  route({
    operationId: "adminCodeRevoke",
    method: "DELETE",
    path: "/admin/codes/{id}",
    summary: "Ends a request for a code: the code is good no more.",
    guard: ADMIN,
    params: z.strictObject({ id: z.string().regex(/^[\w-]{22}\.[\w-]{22}$/) }),
    answers: { 200: successSchema, problems: ["404 not_found"] },
    async handle(call) {
      await call.kit.operators.revokeCode(call.params.id, by(call));
      return done;
    },
  }),
];

function sessionItem(session: ListedSession) {
  const { current: _, ...view } = sessionView(session, null);
  return { ...view, user_id: session.userId, kind: session.kind, expired: session.expired };
}

function apiKeyItem(key: ApiKey) {
  return { ...apiKeyView(key), user_id: key.userId };
}

function accountItem(account: AccountSummary) {
  return {
    id: account.id,
    user_id: account.userId,
    provider: account.providerId,
    account_id: account.accountId,
    scope: account.scope,
    reconnect_needed: account.reconnectNeeded,
    pending: account.pending,
    created_at: instant(account.createdAt),
  };
}

function codeItem({ id, purpose, email, userId, createdAt, expiresAt }: ListedCode) {
  return { id, purpose, email, user_id: userId, created_at: instant(createdAt), expires_at: instant(expiresAt) };
}
