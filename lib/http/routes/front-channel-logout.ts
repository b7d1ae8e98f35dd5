import { z } from "zod";
import { isProviderStrategy } from "../../core/strategy.ts";
import { NotFoundError, RequestError } from "../../errors.ts";
import { text } from "../input.ts";
import { page } from "../page.ts";
import { route } from "../route.ts";

/**
 * A provider that knows no back-channel logout shows this in a frame of its own page, while somebody signs out there. A browser sends our
 * cookies into no other site's frame, so the session is found by what the provider calls its own; it is a GET that ends one, because the
 * specification has it so, and whoever does not know a `sid` ends nothing. Where a provider has the back channel this is not there.
 *
 * One that makes the names of all its tenants' sessions itself may leave `iss` out: it is `sid` that nobody can guess.
 *
 * @see OpenID Connect Front-Channel Logout 1.0, section 3.
 */
export const frontChannelLogoutRoute = route({
  operationId: "frontChannelLogout",
  method: "GET",
  path: "/logout/{provider}/frame",
  summary: "What a provider without back-channel logout shows in a frame when somebody signs out there.",
  params: z.strictObject({ provider: z.string().regex(/^[\w.-]{1,64}$/) }),
  query: z.looseObject({ iss: text(2048).optional(), sid: text(1024) }),
  limit: "300/1h",
  answers: {
    page: "An empty page, which the provider alone may frame.",
    problems: ["400 invalid_request", "404 provider_not_found", "502 invalid_provider_response", "502 provider_unavailable"],
  },
  async handle({ kit, params: { provider }, query: { iss, sid }, source }) {
    const strategy = kit.strategies.get(provider);
    if (!strategy || !isProviderStrategy(strategy) || !(await strategy.signsOutByFrame())) {
      throw new NotFoundError("There is no such provider, or it tells of sign-outs by itself", "provider_not_found");
    }
    if (iss !== undefined && !strategy.speaksFor(iss)) throw new RequestError("That is another issuer");
    const issuer = iss ?? strategy.sidIssuer;
    if (typeof issuer !== "string") throw new RequestError('Give the "iss": this provider names sessions by it');
    await kit.providerLogout.withSession({ issuer, sid }, { source });
    return { html: page("Signed out", ""), framedBy: new URL(issuer).origin };
  },
});
