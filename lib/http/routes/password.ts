import { z } from "zod";
import { escapeHtml } from "../../escape-html.ts";
import { ERROR_TO } from "../form-refusal.ts";
import { text } from "../input.ts";
import { assertFresh, OWN_SESSION, ownSession } from "../own-session.ts";
import { alert, page, START_PAGE } from "../page.ts";
import { HOOK, PASSWORD_CHECK, PASSWORD_CHOICE, RACED, RETURN_TO, THROTTLED } from "../openapi-problems.ts";
import { credentialFields, messageSchema } from "../openapi-schemas.ts";
import { tellLimits } from "../rate-limit.ts";
import { route } from "../route.ts";
import { passwordInput } from "./sign-up.ts";
import { sendSession } from "../transports.ts";

/** A one-time token as it is written; anything else is refused as one that is not known. */
export const tokenInput = z.string().min(1).max(256);

const REFUSALS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    weak_password: "That password is too short or too easy to guess: choose another one.",
    invalid_token: "This link is wrong or no longer good: ask for a new one.",
  }),
);

/** Choosing a new password by a link in a mail. */
export const passwordLinkRoutes = [
  route({
    operationId: "passwordForgot",
    method: "POST",
    path: "/password/forgot",
    summary: "Mails a link to choose a new password, if anybody has that address.",
    body: z.strictObject({ email: text(320), return_to: text(2048).optional() }),
    answers: { 200: messageSchema, 303: RETURN_TO, problems: ["400 invalid_email", ...THROTTLED] },
    async handle(call) {
      const { kit, http, req, body, source } = call;
      await kit.passwords.forgot({ email: body.email, source, origin: http.origin(req), counted: tellLimits(call) });
      const message = "If an account exists with that email, a password reset link has been sent.";
      return { json: { message }, location: http.returnTo(req, body.return_to) };
    },
  }),

  route({
    operationId: "passwordResetPage",
    method: "GET",
    path: "/password/reset",
    summary: "A page with the form that spends the token of a mailed link.",
    query: z.object({ token: tokenInput, error: z.string().max(64).optional() }),
    answers: { page: "The form that spends the token." },
    async handle({ http, query }) {
      const here = `${http.basePath}/password/reset`;
      const refusal = query.error === undefined ? "" : alert(REFUSALS.get(query.error));
      if (query.error === "invalid_token") return { html: page("Your password was not changed", refusal + START_PAGE) };
      const { minPasswordLength: least } = http;
      return {
        html: page(
          "Choose a new password",
          `${refusal}<form method="post" action="${escapeHtml(here)}">
<input type="hidden" name="token" value="${escapeHtml(query.token)}">
<input type="hidden" name="${ERROR_TO}" value="${escapeHtml(`${here}?token=${encodeURIComponent(query.token)}`)}">
<p><label>New password<br><input type="password" name="password" autocomplete="new-password" minlength="${least}" required></label>
<small>At least ${least} characters: several words make a good one.</small></p>
<p><button>Save it</button></p>
</form>`,
        ),
      };
    },
  }),

  route({
    operationId: "passwordReset",
    method: "POST",
    path: "/password/reset",
    summary: "Sets a new password by the token of a mailed link, and ends all sessions. It signs nobody in.",
    limit: "100/1h",
    body: z.strictObject({ token: tokenInput, password: passwordInput }),
    answers: { 200: messageSchema, page: "That it is done.", problems: ["401 invalid_token", "401 user_disabled", ...PASSWORD_CHOICE] },
    async handle({ kit, body, source }) {
      await kit.passwords.reset({ ...body, source });
      const message = "Password reset successfully. You can now sign in with your new password.";
      return {
        json: { message },
        html: page("Your new password is set", `<p>All sessions were ended: sign in with it now.</p>\n${START_PAGE}`),
      };
    },
  }),
];

/** Choosing one in a session. */
export const passwordRoutes = [
  route({
    operationId: "passwordChange",
    method: "POST",
    path: "/password/change",
    summary: "Changes the password of the signed-in user, and ends all other sessions. Needs the current one, or a fresh session.",
    guard: OWN_SESSION,
    body: z.strictObject({ current_password: passwordInput.optional(), password: passwordInput, return_to: text(2048).optional() }),
    answers: {
      200: messageSchema.extend(credentialFields),
      303: RETURN_TO,
      problems: [
        "401 insufficient_user_authentication",
        "401 user_disabled",
        "404 user_not_found",
        "409 password_changed",
        ...PASSWORD_CHECK,
        ...PASSWORD_CHOICE,
        ...RACED,
      ],
      default: HOOK,
    },
    async handle(call) {
      const { kit, http, req, body, source } = call;
      const session = ownSession(req);
      const { userId } = session;
      if (body.current_password === undefined) assertFresh(req, kit.clock.now());
      else await kit.passwords.verify({ userId, password: body.current_password, source, counted: tellLimits(call) });
      await kit.passwords.change({ userId, password: body.password, keep: session, source });
      const issued = await kit.sessions.rotate(session);
      return { json: { message: "Password changed.", ...(await sendSession(call, issued)) }, location: http.returnTo(req, body.return_to) };
    },
  }),
];
