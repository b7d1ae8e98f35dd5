import { z } from "zod";
import { isProviderStrategy } from "../../core/strategy.ts";
import { AuthError, NotFoundError } from "../../errors.ts";
import { THROTTLED } from "../openapi-problems.ts";
import { countForgery } from "../rate-limit.ts";
import { route } from "../route.ts";

/**
 * A provider tells, server to server, that somebody signed out there: the sessions made by that sign-in end. Proven by the token alone,
 * so no cookie is read. The same token again changes nothing, and is answered as one that is done.
 *
 * @see OpenID Connect Back-Channel Logout 1.0, section 2.8: 200 once it is done, 400 when the token does not hold; 503 makes it ask again.
 */
export const backChannelLogoutRoute = route({
  operationId: "backChannelLogout",
  method: "POST",
  path: "/logout/{provider}",
  summary: "Where a provider says that somebody signed out there.",
  crossSite: true,
  params: z.strictObject({ provider: z.string().regex(/^[\w.-]{1,64}$/) }),
  body: z.looseObject({ logout_token: z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]+$/) }),
  answers: {
    200: z.strictObject({ ended: z.number().int() }),
    problems: [
      "400 invalid_logout_token",
      "404 provider_not_found",
      "502 invalid_provider_response",
      "502 provider_unavailable",
      ...THROTTLED,
    ],
  },
  async handle(call) {
    const { kit, params, body, source } = call;
    const { provider } = params;
    const strategy = kit.strategies.get(provider);
    if (!strategy || !isProviderStrategy(strategy)) throw new NotFoundError("There is no such provider", "provider_not_found");
    const token = await strategy.readLogoutToken(body.logout_token).catch(async (error: unknown) => {
      // A provider may have thousands to sign out at once. Only what is no token of its is counted, and not that its keys cannot be had.
      if (error instanceof AuthError && error.code === "invalid_logout_token") await countForgery(call, "logout_forgeries");
      throw error;
    });
    const { ended } = await kit.providerLogout.withToken(token, { provider, source });
    return { json: { ended } };
  },
});
