import { z } from "zod";
import { isProviderStrategy } from "../../core/strategy.ts";
import { TRANSACTION_KEPT } from "../../core/transactions.ts";
import { randomToken } from "../../crypto/random.ts";
import { NotFoundError, ProviderError } from "../../errors.ts";
import { text } from "../input.ts";
import { signedOutSchema } from "../openapi-schemas.ts";
import { signedIn } from "../require-auth.ts";
import { bindingOf } from "../round-trip.ts";
import { route, type RouteCall } from "../route.ts";
import { tokenLeftView } from "../views.ts";

/** Leaving the provider together with us. @see OpenID Connect RP-Initiated Logout 1.0. */
export const providerSignOutRoutes = [
  route({
    operationId: "providerSignOut",
    method: "POST",
    path: "/sign-out/provider",
    summary: "Ends this session, and says where to send the browser to end the provider's behind it.",
    guard: { kinds: ["session", "access_token"] },
    body: z.strictObject({ return_to: text(2048).optional() }),
    answers: {
      // null: no provider is behind it, or none that can be asked to sign somebody out
      200: signedOutSchema.extend({ url: z.string().nullable() }),
      303: "To the provider, which leads back here; where there is none to ask, to `return_to`.",
    },
    async handle(call) {
      const { kit, http, req, res, source } = call;
      const auth = signedIn(req);
      const id = auth.kind === "session" ? auth.session.id : auth.kind === "access_token" ? auth.sessionId : "";
      const session = auth.kind === "session" ? auth.session : await kit.sessions.get(id);
      const behind = session && (await kit.providerLogout.behind(session));
      // Ours ends whatever becomes of the provider's.
      const ended = await kit.sessions.revoke(id, { reason: "sign_out", source });
      const left = !ended && auth.kind === "access_token" ? tokenLeftView(auth) : {};
      for (const name of http.cookies.credentials) http.cookies.clear(res, name);
      const returnTo = http.returnTo(req, call.body.return_to);
      const url = behind && (await endSessionUrl(call, behind, returnTo));
      return { json: { success: true, url, ...left }, location: url ?? returnTo };
    },
  }),

  route({
    operationId: "providerSignOutReturn",
    method: "GET",
    path: "/logout/{provider}/return",
    summary: "Where a provider sends the browser back to after a sign-out that began here.",
    params: z.strictObject({ provider: z.string().regex(/^[\w.-]{1,64}$/) }),
    query: z.looseObject({ state: z.string().max(4096).optional() }),
    limit: "300/1h",
    answers: {
      303: "To `return_to` of the sign-out; to the start page when it began elsewhere, or this was followed before.",
      problems: ["404 provider_not_found"],
    },
    async handle(call) {
      const { kit, http, req, params, query } = call;
      if (!kit.strategies.has(params.provider)) throw new NotFoundError("There is no such provider", "provider_not_found");
      const binding = bindingOf(call);
      const begun =
        query.state !== undefined && binding !== null
          ? await kit.transactions.take({ provider: transactionName(params.provider), state: query.state, binding })
          : null;
      // Checked when it was stored, and now: what is allowed may have changed.
      return { location: http.returnTo(req, begun?.returnTo) };
    },
  }),
];

/** No strategy has a name like that: what begins here cannot end in a sign-in, nor the other way round. */
function transactionName(provider: string): string {
  return `sign-out:${provider}`;
}

/** Where to send the browser; `null` when the provider offers nothing, or cannot be asked. One write. */
async function endSessionUrl(
  call: RouteCall<unknown, unknown, unknown>,
  { provider, idToken }: { provider: string; idToken: string | null },
  returnTo: string,
): Promise<string | null> {
  const { kit, http, req, res } = call;
  const strategy = kit.strategies.get(provider);
  if (!strategy || !isProviderStrategy(strategy)) return null;
  const state = randomToken(32);
  const back = `${http.origin(req)}${http.basePath}/logout/${provider}/return`;
  const url = await strategy.endSessionUrl({ idToken, returnTo: back, state }).catch((error: unknown) => {
    if (error instanceof ProviderError) return null;
    throw error;
  });
  if (url === null) return null;
  const binding = bindingOf(call) ?? randomToken(32);
  const data = { session: {}, intent: "sign_out" as const, returnTo };
  await kit.transactions.begin({ provider: transactionName(provider), state, binding, data });
  http.cookies.set(res, http.cookies.binding, binding, TRANSACTION_KEPT);
  return url;
}
