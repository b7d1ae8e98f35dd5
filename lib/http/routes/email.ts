import { z } from "zod";
import { escapeHtml } from "../../escape-html.ts";
import { ERROR_TO } from "../form-refusal.ts";
import { text } from "../input.ts";
import { assertFresh, OWN_SESSION, ownSession } from "../own-session.ts";
import { alert, page, START_PAGE } from "../page.ts";
import { PASSWORD_CHECK, RETURN_TO, THROTTLED } from "../openapi-problems.ts";
import { messageSchema } from "../openapi-schemas.ts";
import { tellLimits } from "../rate-limit.ts";
import { route } from "../route.ts";
import { tokenInput } from "./password.ts";
import { passwordInput } from "./sign-up.ts";

const REFUSALS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    invalid_token: "This link is wrong or no longer good: ask for a new one.",
    email_confirmed: "This address is confirmed already.",
    email_taken: "This address belongs to another account by now.",
  }),
);

/** Proving an address by a link, and changing it. */
export const emailRoutes = [
  route({
    operationId: "emailConfirmSend",
    method: "POST",
    path: "/email/confirm/send",
    summary: "Mails a link to confirm an address, if anybody has it and has not done so.",
    body: z.strictObject({ email: text(320), return_to: text(2048).optional() }),
    answers: { 200: messageSchema, 303: RETURN_TO, problems: ["400 invalid_email", ...THROTTLED] },
    async handle(call) {
      const { kit, http, req, body, source } = call;
      await kit.passwords.sendConfirmation({ email: body.email, source, origin: http.origin(req), counted: tellLimits(call) });
      const message = "If an account exists with that email, a confirmation link has been sent.";
      return { json: { message }, location: http.returnTo(req, body.return_to) };
    },
  }),

  route({
    operationId: "emailConfirmPage",
    method: "GET",
    path: "/email/confirm",
    summary: "A page with the form that spends the token of a mailed link: opening the link alone, as mail scanners do, spends nothing.",
    query: z.object({ token: tokenInput, error: z.string().max(64).optional() }),
    answers: { page: "The form that spends the token, or why it was not spent." },
    async handle({ http, query }) {
      const here = `${http.basePath}/email/confirm`;
      if (query.error !== undefined) return { html: page("Your address was not confirmed", alert(REFUSALS.get(query.error)) + START_PAGE) };
      return {
        html: page(
          "Confirm your email address",
          `<form method="post" action="${escapeHtml(here)}">
<input type="hidden" name="token" value="${escapeHtml(query.token)}">
<input type="hidden" name="${ERROR_TO}" value="${escapeHtml(`${here}?token=${encodeURIComponent(query.token)}`)}">
<p><button>Confirm it</button></p>
<p>If you did not ask for this: <button name="action" value="disown">this was not me</button></p>
</form>`,
        ),
      };
    },
  }),

  route({
    operationId: "emailConfirm",
    method: "POST",
    path: "/email/confirm",
    summary:
      'Confirms an address, or completes its change, by the token of a mailed link. The action "disown" removes an account that somebody else made with it.',
    limit: "100/1h",
    body: z.strictObject({ token: tokenInput, action: z.enum(["confirm", "disown"]).default("confirm") }),
    answers: {
      200: messageSchema,
      page: "That it is done.",
      problems: ["401 invalid_token", "401 user_disabled", "404 user_not_found", "409 email_confirmed", "409 email_taken"],
    },
    async handle({ kit, body, source }) {
      if (body.action === "disown") {
        await kit.passwords.disown({ token: body.token, source });
        return {
          json: { message: "The account was removed." },
          html: page("The account was removed", `<p>There is nothing left to do.</p>\n${START_PAGE}`),
        };
      }
      await kit.passwords.confirm({ token: body.token, source });
      return {
        json: { message: "Email confirmed successfully." },
        html: page("Your address is confirmed", `<p>You can sign in now.</p>\n${START_PAGE}`),
      };
    },
  }),

  route({
    operationId: "emailChange",
    method: "POST",
    path: "/email/change",
    summary: "Mails a link to a new address, which becomes the user's when it is used. Needs the password, or a fresh session.",
    guard: OWN_SESSION,
    body: z.strictObject({ email: text(320), current_password: passwordInput.optional(), return_to: text(2048).optional() }),
    answers: {
      200: messageSchema,
      303: RETURN_TO,
      problems: [
        "400 invalid_email",
        "401 insufficient_user_authentication",
        "401 user_disabled",
        "404 user_not_found",
        "409 email_taken",
        ...PASSWORD_CHECK,
      ],
    },
    async handle(call) {
      const { kit, http, req, body, source } = call;
      const { userId } = ownSession(req);
      const counted = tellLimits(call);
      if (body.current_password === undefined) assertFresh(req, kit.clock.now());
      else await kit.passwords.verify({ userId, password: body.current_password, source, counted });
      await kit.passwords.changeEmail({ userId, email: body.email, source, origin: http.origin(req), counted });
      return {
        json: { message: "Open the link in the mail that is on its way to the new address." },
        location: http.returnTo(req, body.return_to),
      };
    },
  }),
];
